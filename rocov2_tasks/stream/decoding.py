"""JPEG to pixels, in three ways that are named after what they do to the picture."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from rocov2_shared.jpeg_segments import Buffer, JpegHeader, is_jpeg, read_header
from rocov2_tasks.arguments import require_choice
from rocov2_tasks.stream.geometry import FITS, Frame, fit_frame
from rocov2_tasks.stream.plain_resize import Pixels, resize_plainly

DECODES = ("exact", "scaled", "fast", "bytes")
FILTERS = {filter.name.lower(): filter for filter in Image.Resampling}

_TURBO = {1: ("L", "GRAY"), 3: ("RGB", "RGBX")}
"""Number of components of a JPEG -> Pillow's mode, libjpeg-turbo's name for its memory. Others (CMYK) are left to Pillow."""

_SHARES_PIXELS = hasattr(Image, "fromarrow")  # since Pillow 11.2


class DamagedImageError(ValueError):
    """An image that cannot be decoded."""


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
            DamagedImageError: Pillow cannot decode it either, or it is a JPEG that no decoder should get.
        """
        try:
            picture = self._decode_turbo(data, read_header(data)) if is_jpeg(data) else None
            if picture is None:
                picture = _open(data)
                picture = self._resize(picture, self._frame(*picture.size))
        except UnidentifiedImageError as error:  # its text is the address of a buffer
            raise DamagedImageError("it is not an image that Pillow can read") from error
        except Exception as error:  # whatever damage makes the decoders raise
            raise DamagedImageError(f"{error or type(error).__name__}") from error
        return _to_rgb(picture, out)

    def _frame(self, width: int, height: int) -> Frame | None:
        return fit_frame(width, height, self._size, self._fit) if self._size else None

    def _decode_turbo(self, data: Buffer, header: JpegHeader) -> Image.Image | Pixels | None:
        """Decode by libjpeg-turbo itself, to the same pixels as by Pillow; return None for what only Pillow can judge."""
        width, height = header.width, header.height
        if header.components not in _TURBO or height * width > (Image.MAX_IMAGE_PIXELS or height * width):
            return None
        if header.may_be_turned(data) and _orientation(Image.open(io.BytesIO(data))) not in (None, 1):
            return None
        mode, name = _TURBO[header.components]
        try:
            frame = self._frame(width, height)
            eighths = frame.eighths() if self._scale and frame else 8
            least = (
                {} if eighths == 8 else {"min_width": -(-width * eighths // 8), "min_height": -(-height * eighths // 8)}
            )
            pixels = simplejpeg.decode_jpeg(data, name, **least)
        except ValueError:  # libjpeg-turbo is strict: Pillow may still accept the file
            return None
        if self._fast and frame and self._size:
            return resize_plainly(pixels[..., 0] if mode == "L" else pixels, frame, self._size, eighths / 8)
        return self._resize(_as_image(pixels, mode), frame, eighths / 8)

    def _resize(self, image: Image.Image, frame: Frame | None, scale: float = 1.0) -> Image.Image:
        """Resize an image into its frame. If it was decoded at a scale, its last column and row may be only partly of it."""
        # Filtering the one channel of a grey image gives what filtering three equal ones gives.
        if image.mode not in ("L", "RGB"):
            image = image.convert("RGB")
        if frame is None or self._size is None:
            return image
        left, upper, right, lower = (edge * scale for edge in frame.box)
        image = image.resize(frame.size, self._filter, box=(left, upper, right, lower))
        if frame.size == self._size:
            return image
        whole = Image.new(image.mode, self._size)
        whole.paste(image, frame.offset)
        return whole


def make_decoder(decode: str, size: tuple[int, int] | None, fit: str, resample: str, images: bool) -> Decoder | None:
    """Return the requested decoder; None for `decode="bytes"` or without images.

    Raises:
        ValueError: an unknown name, or names that do not go together.
    """
    require_choice("decode", decode, DECODES)
    require_choice("fit", fit, FITS)
    require_choice("resample", resample, tuple(FILTERS))
    if size is not None and (decode == "bytes" or not images):
        raise ValueError(
            'image_size needs pixels to resize: leave it out with decode="bytes" or without the column image'
        )
    if decode in ("scaled", "fast") and images and size is None:
        raise ValueError(f"decode={decode!r} needs image_size, which sets the scale of decoding")
    if decode == "fast" and resample != "bilinear":
        raise ValueError(f'decode="fast" has its own filter: use resample={resample!r} with "exact" or "scaled"')
    return Decoder(decode, size, fit, resample) if images and decode != "bytes" else None


def _as_image(pixels: Pixels, mode: str) -> Image.Image:
    """Return decoded pixels as an image, without a copy where Pillow can share them: it keeps RGB in four bytes."""
    width_and_height = pixels.shape[1::-1]
    if mode != "RGB":
        return Image.frombuffer(mode, width_and_height, pixels, "raw", mode, 0, 1)
    if not _SHARES_PIXELS:
        return Image.frombytes(mode, width_and_height, pixels, "raw", "RGBX")
    words = pa.Array.from_buffers(pa.uint32(), pixels.shape[0] * pixels.shape[1], [None, pa.py_buffer(pixels)])
    return Image.fromarrow(words, mode, width_and_height)


def _orientation(image: Image.Image) -> int | None:
    value: int | None = image.getexif().get(ExifTags.Base.Orientation)
    return value


def _open(data: Buffer) -> Image.Image:
    """Return the image as `datasets` decodes it, with its orientation applied."""
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
