"""A picture scaled down for the configuration `small`: the pixels that `datasets` shows, smaller, as a JPEG of its own."""

from __future__ import annotations

import io
from importlib.metadata import version
from typing import NamedTuple

from PIL import Image, features

SIDE = 256
"""Shorter side of a small picture in pixels; a picture whose shorter side is not longer keeps its bytes."""

QUALITY = 87
"""On IJG's scale. The best one with which the small pictures of real files have a quarter of their bytes
(docs/choosing.md)."""

FILTER = Image.Resampling.LANCZOS

_LARGE = 8_000_000
"""Pixels above which a picture is decoded at 1/2, 1/4 or 1/8: at the smallest of them that is not below the small size, so
that neither a worker's memory nor its time grows with it."""


class Scaled(NamedTuple):
    """A small picture.

    Attributes:
        data: a JPEG.
        width, height: in pixels as `datasets` decodes it.
    """

    data: bytes
    width: int
    height: int


def scaler_versions() -> dict[str, str]:
    """Return the versions of everything that decides the bytes of small pictures."""
    return {
        "Pillow": version("Pillow"),
        "libjpeg-turbo": str(features.version("libjpeg_turbo")),
        "simplejpeg": version("simplejpeg"),
    }


def scaled_size(width: int, height: int, side: int) -> tuple[int, int]:
    """Return the size with a shorter side of `side` pixels, the longer one rounded; never a larger size.

    >>> scaled_size(673, 577, 256)
    (299, 256)
    """
    shorter = min(width, height)
    if shorter <= side:
        return width, height
    return _round(width * side, shorter), _round(height * side, shorter)


def _round(part: int, whole: int) -> int:
    return (2 * part + whole) // (2 * whole)


def scale(image: Image.Image, size: tuple[int, int], full_chroma: bool) -> Scaled:
    """Scale a picture down and encode it, without any metadata.

    Args:
        image: upright; a very large one is decoded smaller, unless its pixels are loaded already.
        size: width and height of the result, not above those of the image.
        full_chroma: whether colours keep their full resolution (4:4:4); otherwise they get half of it (4:2:0).

    Raises:
        OSError, or what else Pillow raises on damage: the picture cannot be decoded.
    """
    reduced = image.draft(None, size) if image.width * image.height > _LARGE else None
    box = reduced[1] if reduced else None  # the last column and row may be only partly of the picture
    picture = image if image.mode in ("L", "RGB") else image.convert("RGB")
    picture = picture.resize(size, FILTER, box)
    picture.info = {}
    return Scaled(_encode(picture, 0 if full_chroma else 2), *size)


def _encode(picture: Image.Image, subsampling: int) -> bytes:
    buffer = io.BytesIO()
    try:
        picture.save(buffer, "JPEG", quality=QUALITY, subsampling=subsampling, optimize=True)
    except OSError:  # Pillow has room for one byte a pixel if tables are optimised; noise in colours needs more
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=QUALITY, subsampling=subsampling)
    return buffer.getvalue()
