"""One JPEG: is it complete and undamaged, and how large is it as `datasets` shows it?"""

from __future__ import annotations

import io
import re
import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image, UnidentifiedImageError

from rocov2_build.worker.member import BadImageError
from rocov2_build.worker.phash import perceptual_hash
from rocov2_build.worker.verification import Verification

Image.preinit()  # or each worker would import Pillow's plugins for its first image

MAX_SIDE = 30_000
MAX_PIXELS = 89_478_485
"""Pillow warns above this number of pixels (`Image.MAX_IMAGE_PIXELS`), and fails at twice it."""

SMALL_SIDE = 256
"""A picture with a shorter side than this, in pixels, is decoded at full scale: 1/8 of it would be less than the grid of the
perceptual hash."""

_ORIENTATION = 0x0112
_SWAPPED_SIDES = (5, 6, 7, 8)

# In entropy-coded data FF is followed by 00 (a literal FF), a restart marker, or another FF (padding); the next marker
# is an FF followed by anything else. A pattern that begins with one literal byte is searched ten times as fast.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_STANDALONE = frozenset(b"\x01\xd0\xd1\xd2\xd3\xd4\xd5\xd6\xd7")
_EOI, _SOS = 0xD9, 0xDA

_MAY_BE_BENIGN = re.compile("extraneous|Could not determine subsampling")
_ZEROED_BLOCK = bytes(256)
"""A hole that a disk left. Flat pictures hold such runs too: it speaks only against an image that is refused already."""


class ImageFacts(NamedTuple):
    """What is known of one image.

    Attributes:
        width, height: in pixels as `datasets` decodes the image (EXIF orientation applied).
        mode: Pillow's.
        benign: whether a strict decoder complained about the image, which is nevertheless complete.
        perceptual: hash of the pixels as they are stored (`phash.perceptual_hash`); "" unless it was decoded.
    """

    width: int
    height: int
    mode: str
    benign: bool = False
    perceptual: str = ""


def inspect(data: bytes, verify: str = Verification.STRICT) -> ImageFacts:
    """Check one JPEG and measure it.

    Args:
        data: the file's bytes.
        verify: how much of it is checked, one of `Verification`.

    Raises:
        BadImageError: `not-a-jpeg`, `image-too-large`, `truncated-jpeg` or `damaged-jpeg`.
    """
    width, height, mode = _measure(data)
    if verify == Verification.NONE:
        return ImageFacts(width, height, mode)
    if verify == Verification.MARKERS:
        _walk_markers(data)
        return ImageFacts(width, height, mode)
    grey, benign = _decode_strictly(data, 1 if min(width, height) < SMALL_SIDE else 8)
    return ImageFacts(width, height, mode, benign, perceptual_hash(grey))


def _measure(data: bytes) -> tuple[int, int, str]:
    if not data.startswith(b"\xff\xd8\xff"):
        raise BadImageError("not-a-jpeg", "a JPEG", repr(data[:16]))
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            (width, height), mode = image.size, image.mode
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise BadImageError("image-too-large", f"at most {MAX_PIXELS:,} pixels", f"{width} x {height}")
            swapped = image.getexif().get(_ORIENTATION) in _SWAPPED_SIDES
    except BadImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImageError("image-too-large", f"at most {MAX_PIXELS:,} pixels", str(error)) from error
    except UnidentifiedImageError as error:
        raise BadImageError("damaged-jpeg", "the header of a JPEG", "a header that Pillow cannot read") from error
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, struct.error, EOFError) as error:
        # What Pillow's JPEG and EXIF readers raise on damaged headers.
        raise BadImageError("damaged-jpeg", "the header of a JPEG", f"{type(error).__name__}: {error}") from error
    return (height, width, mode) if swapped else (width, height, mode)


def _walk_markers(data: bytes) -> list[slice]:
    """Follow the segments from the first marker to EOI, which a file with a cut tail lacks; return the junk between them."""
    offset, scans, junk = 2, 0, []
    in_scan = False
    while True:
        found = _MARKER.search(data, offset)
        if found is None:
            raise BadImageError("truncated-jpeg", "the marker of the end (EOI)", f"none in {len(data):,} bytes")
        if not in_scan and data[offset : found.start()].strip(b"\xff"):
            junk.append(slice(offset, found.start()))
        marker, offset = found[1][0], found.end()
        if marker == _EOI:
            if not scans:
                raise BadImageError("damaged-jpeg", "picture data before the end", "none")
            return junk
        if marker not in _STANDALONE:
            offset += int.from_bytes(data[offset : offset + 2], "big")
            in_scan = marker == _SOS
            scans += in_scan


def _decode(data: bytes, factor: int) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """Grey pixels at 1/`factor` scale; None, and why, when libjpeg-turbo does not decode the image without a warning.

    Grey at 1/8 scale is the cheapest decode that still reads every coefficient.
    """
    least = 0 if factor == 1 else 1  # in pixels; without it nothing is scaled, with it all that may be
    try:
        grey = simplejpeg.decode_jpeg(
            data, colorspace="GRAY", min_height=least, min_width=least, min_factor=factor, strict=True
        )
    except ValueError as error:
        return None, str(error)
    return grey[:, :, 0], ""


def _decode_strictly(data: bytes, factor: int) -> tuple[npt.NDArray[np.uint8], bool]:
    """Grey pixels at 1/`factor` scale, and whether there was a benign complaint; raises when picture data is lost.

    A decode without any complaint has met the marker of the end; only a complaint makes a walk along the markers necessary.
    A complaint is benign when it is about bytes that are too many (`extraneous`), or a kind of colour sampling that this
    decoder does not know, and Pillow, which readers use, loads the whole picture. Only the first complaint of a decode is
    known, so junk between segments is taken out and the rest is decoded again: it must not hide what is missing.
    """
    grey, refusal = _decode(data, factor)
    if grey is not None:
        return grey, False
    junk = _walk_markers(data)
    rest = refusal
    if junk:
        kept = bytearray(data)
        for part in reversed(junk):
            del kept[part]
        grey, rest = _decode(bytes(kept), factor)
    if rest and (not _MAY_BE_BENIGN.search(rest) or _ZEROED_BLOCK in data):
        raise BadImageError("damaged-jpeg", "a JPEG that decodes without a loss", rest)
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
            picture = image.convert("L")
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadImageError("damaged-jpeg", "a JPEG that decodes", f"{refusal}; {error}") from error
    return (np.asarray(picture.reduce(factor)) if grey is None else grey), True
