"""One JPEG: is it complete and undamaged, and how large is it as `datasets` shows it?"""

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
from rocov2_build.worker.phash import perceptual_hash
from rocov2_build.worker.verification import Verification
from rocov2_shared.jpeg_segments import DECODABLE, JpegHeaderError, UnsupportedJpegError, is_jpeg, read_header

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
    """

    width: int
    height: int
    mode: str
    turned: bool = False
    benign: str = ""
    perceptual: str = ""


def inspect(data: bytes, verify: str = Verification.STRICT) -> ImageFacts:
    """Check one JPEG and measure it.

    Args:
        data: the file's bytes.
        verify: how much of it is checked, one of `Verification`.

    Raises:
        BadImageError: `not-a-jpeg`, `unsupported-jpeg`, `image-too-large`, `damaged-metadata`, `truncated-jpeg` or
            `damaged-jpeg`.
    """
    width, height, mode, turned = _measure(data, verify == Verification.STRICT)
    if verify == Verification.NONE:
        return ImageFacts(width, height, mode, turned)
    if verify == Verification.MARKERS:
        walk_markers(data)
        return ImageFacts(width, height, mode, turned)
    grey, complaint = _decode_strictly(data, 1 if min(width, height) < SMALL_SIDE else 8)
    return ImageFacts(width, height, mode, turned, complaint, perceptual_hash(grey))


class _Size(NamedTuple):
    width: int
    height: int
    mode: str
    turned: bool


def _measure(data: bytes, strict: bool) -> _Size:
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
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
    except UnidentifiedImageError as error:
        raise BadImageError("damaged-jpeg", "the header of a JPEG", "a header that Pillow cannot read") from error
    except Exception as error:  # whatever damage makes Pillow raise
        raise BadImageError("damaged-jpeg", "the header of a JPEG", f"{type(error).__name__}: {error}") from error
    with image:
        return _turn(image, strict)


def _turn(image: Image.Image, strict: bool) -> _Size:
    """Measure an image with its orientation, which is in Exif or XMP; if `strict`, apply it exactly as `datasets` does."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        turned = orientation in _TURNS
        if not strict or orientation is None or orientation == 1:
            return _Size(*(image.size[::-1] if orientation in _SWAPS else image.size), image.mode, turned)
    except Exception as error:  # Pillow raises various exceptions on damaged metadata
        raise _unreadable(error) from error
    try:
        image.load()
    except Exception as error:
        raise BadImageError("damaged-jpeg", "a JPEG that decodes", f"{type(error).__name__}: {error}") from error
    try:
        return _Size(*ImageOps.exif_transpose(image).size, image.mode, turned)
    except Exception as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> BadImageError:
    expected = "Exif and XMP with an orientation that readers can apply"
    return BadImageError("damaged-metadata", expected, f"Pillow: {error or type(error).__name__}")


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
        return None, str(error).removeprefix("tjDecompressHeader3(): ")
    return grey[:, :, 0], ""


def _decode_strictly(data: bytes, factor: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Grey pixels at 1/`factor` scale, and a benign complaint, mostly ""; raises when picture data is lost.

    A decode without any complaint has met the marker of the end; only a complaint makes more work.
    """
    grey, complaint = _decode(data, factor)
    if grey is not None:
        return grey, ""
    grey, picture = judge(data, complaint, lambda rest: _decode(rest, factor))
    return (np.asarray(picture.convert("L").reduce(factor)) if grey is None else grey), complaint
