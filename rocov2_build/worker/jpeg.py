"""One JPEG: is it complete and undamaged, how large is it as `datasets` shows it, and what does it look like small?"""

from __future__ import annotations

import io
import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from rocov2_build.worker.complaints import judge, walk_markers
from rocov2_build.worker.member import BadImageError
from rocov2_build.worker.opening import MODES, opens_upright
from rocov2_build.worker.phash import perceptual_hash
from rocov2_build.worker.scale import Scaled, scale, scaled_size
from rocov2_build.worker.verification import Verification
from rocov2_shared.jpeg_segments import (
    DECODABLE,
    JpegHeader,
    JpegHeaderError,
    UnsupportedJpegError,
    is_jpeg,
    read_header,
)

Image.preinit()  # or each worker would import Pillow's plugins for its first image
# Faults of metadata without consequence; what has one is raised or compared here.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

MAX_SIDE = 30_000
MAX_PIXELS = 89_478_485
"""Pillow warns above this number of pixels (`Image.MAX_IMAGE_PIXELS`), and fails at twice it."""

SMALL_SIDE = 256
"""A picture with a shorter side than this, in pixels, is decoded at full scale: 1/8 of it would be less than the grid of the
perceptual hash."""

_TURNS, _SWAPS = range(2, 9), range(5, 9)
"""Orientations that turn or mirror a picture (readers show it as it is with any other one), and that swap its sides."""


class ImageFacts(NamedTuple):
    """What is known of one image.

    Attributes:
        width, height: in pixels as `datasets` decodes the image (EXIF orientation applied).
        mode: Pillow's.
        turned: whether Exif or XMP turns or mirrors it.
        benign: what a strict decoder complained about, though the image is complete; "" for almost all.
        perceptual: hash of the pixels as they are stored (`phash.perceptual_hash`); "" unless it was decoded.
        small: the picture scaled down; None unless it was asked for.
    """

    width: int
    height: int
    mode: str
    turned: bool = False
    benign: str = ""
    perceptual: str = ""
    small: Scaled | None = None


def inspect(data: bytes, verify: str = Verification.STRICT, side: int | None = None) -> ImageFacts:
    """Check one JPEG, measure it and make a small picture of it.

    Args:
        data: the file's bytes.
        verify: how much of it is checked, one of `Verification`.
        side: shorter side of the small picture in pixels, None for no small picture. A picture that has to be scaled is
            decoded, whatever `verify` is; without a strict decode only what Pillow refuses is found damaged.

    Raises:
        BadImageError: `not-a-jpeg`, `unsupported-jpeg`, `image-too-large`, `damaged-metadata`, `truncated-jpeg` or
            `damaged-jpeg`.
    """
    header = _read_header(data)
    factor = 1 if min(header.width, header.height) < SMALL_SIDE else 8
    decoded = None
    if verify == Verification.STRICT and side is None and opens_upright(data, header):
        decoded = _decode(data, factor)
        if decoded.grey is not None:
            return ImageFacts(
                header.width, header.height, MODES[header.components], perceptual=perceptual_hash(decoded.grey)
            )
    shown = _open(data, turn=verify == Verification.STRICT or side is not None)
    complaint = perceptual = ""
    if verify == Verification.MARKERS:
        walk_markers(data)
    elif verify == Verification.STRICT:
        grey, complaint = _settle(data, factor, decoded or _decode(data, factor))
        perceptual = perceptual_hash(grey)
    small = None if side is None else _make_small(data, header, shown, side)
    return ImageFacts(shown.width, shown.height, shown.mode, shown.turned, complaint, perceptual, small)


class _Shown(NamedTuple):
    """An image as readers show it; `image` is turned already if it was opened with `turn`."""

    width: int
    height: int
    mode: str
    turned: bool
    image: Image.Image


def _read_header(data: bytes) -> JpegHeader:
    if not is_jpeg(data):
        raise BadImageError("not-a-jpeg", "a JPEG", repr(data[:16]))
    try:
        header = read_header(data)
    except UnsupportedJpegError as error:
        raise BadImageError("unsupported-jpeg", DECODABLE, str(error)) from error
    except JpegHeaderError as error:
        raise BadImageError("damaged-jpeg", "the header of a JPEG", str(error)) from error
    if header.width * header.height > MAX_PIXELS or max(header.width, header.height) > MAX_SIDE:
        found = f"{header.width} x {header.height}"
        raise BadImageError("image-too-large", f"at most {MAX_PIXELS:,} pixels", found)
    return header


def _open(data: bytes, turn: bool) -> _Shown:
    """Open an image and find its orientation, which is in Exif or XMP; if `turn`, apply it exactly as `datasets` does."""
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
    except UnidentifiedImageError as error:
        raise BadImageError("damaged-jpeg", "the header of a JPEG", "a header that Pillow cannot read") from error
    except Exception as error:  # whatever damage makes Pillow raise
        raise BadImageError("damaged-jpeg", "the header of a JPEG", f"{type(error).__name__}: {error}") from error
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        turned = orientation in _TURNS
        if not turn or orientation is None or orientation == 1:
            return _Shown(*(image.size[::-1] if orientation in _SWAPS else image.size), image.mode, turned, image)
    except Exception as error:  # Pillow raises various exceptions on damaged metadata
        raise _unreadable(error) from error
    try:
        image.load()
    except Exception as error:
        raise _undecodable(error) from error
    try:
        upright = ImageOps.exif_transpose(image)
        return _Shown(*upright.size, upright.mode, turned, upright)
    except Exception as error:
        raise _unreadable(error) from error


def _make_small(data: bytes, header: JpegHeader, shown: _Shown, side: int) -> Scaled:
    size = scaled_size(shown.width, shown.height, side)
    if size == (shown.width, shown.height):
        return Scaled(data, *size)
    try:
        return scale(shown.image, size, full_chroma=len(set(header.sampling)) == 1)
    except Exception as error:  # whatever damage makes Pillow raise
        raise _undecodable(error) from error


def _undecodable(error: Exception) -> BadImageError:
    return BadImageError("damaged-jpeg", "a JPEG that decodes", f"{type(error).__name__}: {error}")


def _unreadable(error: Exception) -> BadImageError:
    expected = "Exif and XMP with an orientation that readers can apply"
    return BadImageError("damaged-metadata", expected, f"Pillow: {error or type(error).__name__}")


class _Decoded(NamedTuple):
    """Grey pixels; None, and why, when libjpeg-turbo does not decode the image without a warning."""

    grey: npt.NDArray[np.uint8] | None
    complaint: str


def _decode(data: bytes, factor: int) -> _Decoded:
    """Decode an image to grey at 1/`factor` scale: at 1/8 that is the cheapest decode that still reads every coefficient."""
    least = 0 if factor == 1 else 1  # in pixels; without it nothing is scaled, with it all that may be
    try:
        grey = simplejpeg.decode_jpeg(
            data, colorspace="GRAY", min_height=least, min_width=least, min_factor=factor, strict=True
        )
    except ValueError as error:
        return _Decoded(None, str(error).removeprefix("tjDecompressHeader3(): "))
    return _Decoded(grey[:, :, 0], "")


def _settle(data: bytes, factor: int, decoded: _Decoded) -> tuple[npt.NDArray[np.uint8], str]:
    """Grey pixels at 1/`factor` scale, and a benign complaint, mostly ""; raises when picture data is lost.

    A decode without any complaint has met the marker of the end; only a complaint makes more work.
    """
    if decoded.grey is not None:
        return decoded.grey, ""
    grey, picture = judge(data, decoded.complaint, lambda rest: _decode(rest, factor))
    return (np.asarray(picture.convert("L").reduce(factor)) if grey is None else grey), decoded.complaint
