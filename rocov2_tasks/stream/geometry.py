"""Where a picture goes in the output: its sides, its shown part, its scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rocov2_tasks.arguments import plain_integer, shown

MOST_SIDE = 65_535
"""Pixels of a side, as in a JPEG."""

FITS = ("stretch", "crop", "pad")


@dataclass(frozen=True)
class Frame:
    """Where a picture of `width` x `height` goes in the output.

    Attributes:
        box: left, upper, right and lower edge of the part that is shown.
        size: width and height of that part in the output.
        offset: its upper left corner in the output.
    """

    width: int
    height: int
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    offset: tuple[int, int]

    def eighths(self) -> int:
        """Return the fastest scale of decoding, in eighths, at which the shown part is not smaller than in the output.

        libjpeg-turbo has vector code only for 1, 2, 4 and 8 eighths: 5 to 7 take longer than 8.
        """
        left, upper, right, lower = self.box
        scale = max(self.size[0] / (right - left), self.size[1] / (lower - upper))
        needed = math.ceil(8 * scale)
        return needed if needed <= 4 else 8


def fit_frame(width: int, height: int, size: tuple[int, int], fit: str) -> Frame:
    """Return the frame that fits a picture into `size` (width, height).

    Args:
        fit: `stretch`, `crop` (centre) or `pad` (whole, with black borders), with the edges of Pillow's `ImageOps.fit` and
            `ImageOps.pad`.
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


def width_and_height(image_size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Return width and height for a side, or for (height, width); None for None.

    Raises:
        ValueError: `image_size` is neither.
    """
    if image_size is None:
        return None
    given = tuple(image_size) if isinstance(image_size, Sequence) else (image_size, image_size)
    sides = [side for side in map(plain_integer, given[:3]) if side is not None and 0 < side <= MOST_SIDE]
    if len(given) != 2 or len(sides) != 2:
        raise ValueError(
            f"image_size={shown(image_size)}: expected a side in pixels, or (height, width), of at most {MOST_SIDE:,}"
        )
    return sides[1], sides[0]
