"""JPEG to pixels, in three ways that are named by what they do to the picture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import ExifTags, Image, ImageOps

from rocov2_tasks.arguments import require_choice

Pixels = npt.NDArray[np.uint8]
Buffer = bytes | memoryview

DECODES = ("exact", "scaled", "fast", "bytes")
FITS = ("stretch", "crop", "pad")
FILTERS = {filter.name.lower(): filter for filter in Image.Resampling}

_TURBO = {"Gray": ("L", "GRAY"), "YCbCr": ("RGB", "RGB"), "RGB": ("RGB", "RGB")}
"""Colour space of a JPEG -> Pillow's mode, libjpeg-turbo's name for it. Others (CMYK) are left to Pillow."""

_SCAN, _APP1 = 0xDA, 0xE1


class DamagedImageError(ValueError):
    """An image that cannot be decoded."""


@dataclass(frozen=True)
class Frame:
    """Where a picture of `width` x `height` goes in the output.

    Attributes:
        box: left, upper, right and lower edge of the part that is shown.
        size: width and height of that part in the output.
        offset: its left upper corner there.
    """

    width: int
    height: int
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    offset: tuple[int, int]

    def eighths(self) -> int:
        """The scale, in eighths, at which the picture is decoded fastest with its shown part not smaller than in the output.

        libjpeg-turbo has vector code for 1, 2, 4 and 8 eighths alone: 5 to 7 take longer than 8.
        """
        left, upper, right, lower = self.box
        scale = max(self.size[0] / (right - left), self.size[1] / (lower - upper))
        needed = math.ceil(8 * scale)
        return needed if needed <= 4 else 8


def frame(width: int, height: int, size: tuple[int, int], fit: str) -> Frame:
    """Fit a picture into `size` (width, height): stretched, cut at its centre, or whole with black borders.

    The edges are those of Pillow's `ImageOps.fit` and `ImageOps.pad`.
    """
    whole = (0.0, 0.0, float(width), float(height))
    if fit == "crop":
        ratio, wanted = width / height, size[0] / size[1]
        part_width = wanted * height if ratio >= wanted else float(width)
        part_height = float(height) if ratio >= wanted else width / wanted
        left, upper = (width - part_width) / 2, (height - part_height) / 2
        return Frame(width, height, (left, upper, left + part_width, upper + part_height), size, (0, 0))
    if fit == "pad":
        inner = size
        if width * size[1] > height * size[0]:
            inner = (size[0], max(1, round(height / width * size[0])))
        elif width * size[1] < height * size[0]:
            inner = (max(1, round(width / height * size[1])), size[1])
        return Frame(width, height, whole, inner, (round((size[0] - inner[0]) / 2), round((size[1] - inner[1]) / 2)))
    return Frame(width, height, whole, size, (0, 0))


class Decoder:
    """Turns JPEGs into RGB pixels. Instances can be pickled and are safe to use from several threads.

    Args:
        decode: `exact`, `scaled` or `fast`.
        size: width and height of the output; None keeps those of each image.
        fit: `stretch`, `crop` or `pad`.
        resample: name of Pillow's filter.
    """

    def __init__(self, decode: str, size: tuple[int, int] | None, fit: str, resample: str) -> None:
        self._scale = decode != "exact"
        self._fast = decode == "fast"
        self._size, self._fit, self._filter = size, fit, FILTERS[resample]

    def __call__(self, data: Buffer, out: Pixels | None = None) -> Pixels:
        """Decode one image.

        Args:
            data: the JPEG.
            out: where the pixels go, uint8 [height, width, 3]; None makes an array.

        Returns:
            `out`, or the new array.

        Raises:
            DamagedImageError: Pillow cannot decode it either.
        """
        try:
            picture = self._decode_turbo(data)
            if picture is None:
                picture = _open(data)
                picture = self._place(picture, frame(*picture.size, self._size, self._fit) if self._size else None)
        except Exception as error:  # whatever damage makes the decoders raise
            raise DamagedImageError(f"{error or type(error).__name__}") from error
        return _to_rgb(picture, out)

    def _decode_turbo(self, data: Buffer) -> Image.Image | Pixels | None:
        """Decoded by libjpeg-turbo itself, to the same pixels as by Pillow; None for what only Pillow can judge."""
        if _may_be_turned(data) and _orientation(Image.open(io.BytesIO(data))) not in (None, 1):
            return None
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(data)
            if space not in _TURBO or height * width > (Image.MAX_IMAGE_PIXELS or height * width):
                return None
            mode, name = _TURBO[space]
            place = frame(width, height, self._size, self._fit) if self._size else None
            eighths = place.eighths() if self._scale and place else 8
            least = (
                {} if eighths == 8 else {"min_width": -(-width * eighths // 8), "min_height": -(-height * eighths // 8)}
            )
            pixels = simplejpeg.decode_jpeg(data, "RGBX" if self._fast and mode == "RGB" else name, **least)
        except ValueError:  # it is strict: Pillow may still forgive it
            return None
        if self._fast and place and self._size:
            return _resize_plainly(pixels[..., 0] if mode == "L" else pixels, place, self._size)
        image = Image.frombuffer(mode, pixels.shape[1::-1], pixels, "raw", mode, 0, 1)
        return self._place(image, place)

    def _place(self, image: Image.Image, place: Frame | None) -> Image.Image:
        # Filtering the one channel of a grey image gives what filtering three equal ones gives.
        if image.mode not in ("L", "RGB"):
            image = image.convert("RGB")
        if place is None or self._size is None:
            return image
        x, y = image.width / place.width, image.height / place.height
        left, upper, right, lower = place.box
        image = image.resize(place.size, self._filter, box=(left * x, upper * y, right * x, lower * y))
        if place.size == self._size:
            return image
        whole = Image.new(image.mode, self._size)
        whole.paste(image, place.offset)
        return whole


def _may_be_turned(data: Buffer) -> bool:
    """Whether a JPEG has an APP1 segment: there, in Exif or XMP, an orientation may stand."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        if data[at + 1] == _APP1:
            return True
        at += 2 + (data[at + 2] << 8) + data[at + 3]
    return False


def _orientation(image: Image.Image) -> int | None:
    value: int | None = image.getexif().get(ExifTags.Base.Orientation)
    return value


def _open(data: Buffer) -> Image.Image:
    """The image as `datasets` decodes it: an orientation is applied."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image.load()
    if _orientation(image) is not None:
        image = ImageOps.exif_transpose(image)
    return image


def _to_rgb(picture: Image.Image | Pixels, out: Pixels | None) -> Pixels:
    pixels = np.asarray(picture)
    if out is None:
        out = np.empty((*pixels.shape[:2], 3), dtype=np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 3:
        out[...] = pixels
        return out
    # Channel by channel: three times as fast as over the last axis.
    for channel in range(3):
        out[..., channel] = pixels if pixels.ndim == 2 else pixels[..., channel]
    return out


def _resize_plainly(pixels: Pixels, place: Frame, size: tuple[int, int]) -> Pixels:
    """Bilinear from the two nearest rows and columns, without Pillow's low-pass: the picture is hardly larger than wanted.

    Args:
        pixels: one channel [height, width], or four [height, width, 4].
        place: where they go.
        size: width and height of the output.
    """
    height, width = pixels.shape[:2]
    x, y = width / place.width, height / place.height
    left, upper, right, lower = place.box
    before, behind, weight = _taps(height, upper * y, lower * y, place.size[1])
    lines = pixels.reshape(height, -1)
    rows = _blend(lines.take(before, 0), lines.take(behind, 0), weight[:, None])
    before, behind, weight = _taps(width, left * x, right * x, place.size[0])
    if pixels.ndim == 2:
        columns = np.ascontiguousarray(rows.T)  # whole lines are taken faster than single values
        resized = _blend(columns.take(before, 0), columns.take(behind, 0), weight[:, None]).T
    else:
        whole = rows.view(np.uint64)  # the four channels of a pixel, in 16 bits each
        low, high = whole.take(before, 1).view(np.int16), whole.take(behind, 1).view(np.int16)
        resized = _blend(low, high, np.repeat(weight, 4)).reshape(place.size[1], place.size[0], 4)
    if place.size == size:
        return resized.astype(np.uint8)
    bordered = np.zeros((*size[::-1], *pixels.shape[2:]), dtype=np.uint8)
    x0, y0 = place.offset
    bordered[y0 : y0 + place.size[1], x0 : x0 + place.size[0]] = resized
    return bordered


@lru_cache(4096)
def _taps(length: int, begin: float, end: float, count: int) -> tuple[Any, Any, Any]:
    """For each of `count` output lines between two edges: the line before it, the one behind it, and its weight in 1/128."""
    at = np.clip(begin + (np.arange(count) + 0.5) * (end - begin) / count - 0.5, 0, length - 1)
    before = np.minimum(at.astype(np.intp), max(length - 2, 0))
    return before, np.minimum(before + 1, length - 1), np.rint((at - before) * 128).astype(np.int16)


def _blend(low: Any, high: Any, weight: Any) -> npt.NDArray[np.int16]:
    low, blended = low.astype(np.int16, copy=False), high.astype(np.int16, copy=False)
    blended -= low
    blended *= weight  # 255 * 128 still fits
    blended += 64
    blended >>= 7
    blended += low
    result: npt.NDArray[np.int16] = blended
    return result


def width_and_height(image_size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Width and height of a side, or of (height, width).

    Raises:
        ValueError: it is neither.
    """
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, Sequence) else (image_size, image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise ValueError(f"image_size={image_size!r}: expected a side in pixels, or (height, width)")
    return sides[1], sides[0]


def make_decoder(decode: str, size: tuple[int, int] | None, fit: str, resample: str, images: bool) -> Decoder | None:
    """The decoder that was asked for; None for the JPEGs themselves, or no images.

    Raises:
        ValueError: an unknown name, or names that do not go together.
    """
    require_choice("decode", decode, DECODES)
    require_choice("fit", fit, FITS)
    require_choice("resample", resample, tuple(FILTERS))
    if size is not None and (decode == "bytes" or not images):
        raise ValueError('image_size: there are no pixels to resize with decode="bytes", or without the column image')
    if decode in ("scaled", "fast") and images and size is None:
        raise ValueError(f"decode={decode!r} decodes at the scale of image_size: give one")
    if decode == "fast" and resample != "bilinear":
        raise ValueError(f'decode="fast" has a filter of its own, resample={resample!r} is for exact and scaled')
    return Decoder(decode, size, fit, resample) if images and decode != "bytes" else None
