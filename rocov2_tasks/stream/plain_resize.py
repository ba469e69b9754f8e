"""The resize of `decode="fast"`: bilinear from the two nearest rows and columns, without a low-pass."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from rocov2_tasks.stream.geometry import Frame

Pixels = npt.NDArray[np.uint8]


def resize_plainly(pixels: Pixels, frame: Frame, size: tuple[int, int], scale: float) -> Pixels:
    """Return a picture resized into its frame, with black borders.

    Pillow's low-pass is not needed: the picture was decoded hardly larger than wanted.

    Args:
        pixels: one channel [height, width], or four [height, width, 4].
        frame: where they go.
        size: width and height of the output.
        scale: at which the picture was decoded.
    """
    height, width = pixels.shape[:2]
    left, upper, right, lower = (edge * scale for edge in frame.box)
    across = _taps(width, left, right, frame.size[0])
    down = _taps(height, upper, lower, frame.size[1])
    if pixels.ndim == 2:
        resized = _resize_columns(_resize_rows(pixels, down), across)
    elif height * frame.size[0] < width * frame.size[1]:  # first what leaves less for the second step
        columns = _resize_pixel_columns(pixels.view(np.uint32)[..., 0], across)
        resized = _resize_rows(columns, down).reshape(*frame.size[::-1], 4)
    else:
        rows = _resize_rows(pixels.reshape(height, -1), down)
        resized = _resize_pixel_columns(rows.view(np.uint64), across).reshape(*frame.size[::-1], 4)
    if frame.size == size:
        return resized.astype(np.uint8)
    bordered = np.zeros((*size[::-1], *pixels.shape[2:]), dtype=np.uint8)
    x0, y0 = frame.offset
    bordered[y0 : y0 + frame.size[1], x0 : x0 + frame.size[0]] = resized
    return bordered


_Taps = tuple[Any, Any, Any]


@lru_cache(4096)
def _taps(length: int, begin: float, end: float, count: int) -> _Taps:
    """Return, for each of `count` output lines between two edges, the lines before and after it and the weight in 1/128."""
    centres = np.clip(begin + (np.arange(count) + 0.5) * (end - begin) / count - 0.5, 0, length - 1)
    before = np.minimum(centres.astype(np.intp), max(length - 2, 0))
    return before, np.minimum(before + 1, length - 1), np.rint((centres - before) * 128).astype(np.int16)


def _resize_rows(lines: Any, taps: _Taps) -> npt.NDArray[np.int16]:
    before, after, weight = taps
    return _blend(lines.take(before, 0), lines.take(after, 0), weight[:, None])


def _resize_columns(rows: npt.NDArray[np.int16], taps: _Taps) -> npt.NDArray[np.int16]:
    columns = np.ascontiguousarray(rows.T)  # take() copies whole lines faster than single values
    return _resize_rows(columns, taps).T


def _resize_pixel_columns(lines: Any, taps: _Taps) -> npt.NDArray[np.int16]:
    """Resize columns of four channels: the channels of a pixel, 8 or 16 bits each, are taken as one number."""
    before, after, weight = taps
    kind = np.uint8 if lines.dtype == np.uint32 else np.int16
    return _blend(lines.take(before, 1).view(kind), lines.take(after, 1).view(kind), np.repeat(weight, 4))


def _blend(low: Any, high: Any, weight: Any) -> npt.NDArray[np.int16]:
    low, blended = low.astype(np.int16, copy=False), high.astype(np.int16, copy=False)
    blended -= low
    blended *= weight  # 255 * 128 still fits
    blended += 64
    blended >>= 7
    blended += low
    result: npt.NDArray[np.int16] = blended
    return result
