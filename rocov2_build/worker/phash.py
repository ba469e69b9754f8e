"""A perceptual hash: pictures that look alike have hashes that differ in few bits.

The classic one by cosine transform, with all arithmetic on integers, so that every machine finds the same bits. It needs no
more than the small grey picture that the verification decodes anyway. This module is imported by the workers.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

GRID = 32
"""A picture is divided into this many cells in each direction."""
FREQUENCIES = 16
"""The lowest frequencies of each direction, 0 among them: 256 bits. With 8 of them, the usual number, the hashes of two
chest X-rays differ by hardly more than those of one X-ray and a slightly cropped copy."""
_SCALE = 64
# A sum is at most 255 * (GRID * _SCALE)^2 * pixels: exact in a float64, and so by any order of adding, below this.
MAX_PIXELS = 2**53 // (255 * (GRID * _SCALE) ** 2)

_TILE = 128
"""Side in pixels of the parts that are multiplied one by one. OpenBLAS shares larger products among threads: that takes 24 ms
instead of 0.3 for 255 x 300 pixels when another worker has the second processor."""

_COSINES = np.array(
    [
        [round(_SCALE * math.cos(math.pi * frequency * (2 * cell + 1) / (2 * GRID))) for cell in range(GRID)]
        for frequency in range(FREQUENCIES)
    ]
)


@lru_cache(maxsize=1024)
def _transform(length: int) -> npt.NDArray[np.float64]:
    """Return the matrix of whole numbers that takes `length` pixels to `FREQUENCIES` coefficients of `GRID` cells."""
    # Cell c covers [c * length, (c + 1) * length) and pixel p [p * GRID, (p + 1) * GRID) on a common scale.
    cells, pixels = np.arange(GRID)[:, None], np.arange(length)[None, :]
    ends = np.minimum((cells + 1) * length, (pixels + 1) * GRID)
    starts = np.maximum(cells * length, pixels * GRID)
    overlaps = np.maximum(ends - starts, 0)
    return np.asarray(_COSINES @ overlaps, dtype=np.float64)


def perceptual_hash(grey: npt.NDArray[np.uint8]) -> str:
    """Return the hash of one picture.

    Args:
        grey: pixels, [height, width], at most `MAX_PIXELS` of them.

    Returns:
        64 hexadecimal digits: for each of the lowest frequencies whether its coefficient is above the median.

    Raises:
        ValueError: too many pixels.
    """
    height, width = grey.shape
    if grey.size > MAX_PIXELS:
        raise ValueError(f"{width} x {height} are too many pixels, more than {MAX_PIXELS:,}")
    rows, columns = _transform(height), _transform(width)
    sums = np.zeros((FREQUENCIES, FREQUENCIES))
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            y, x = slice(top, top + _TILE), slice(left, left + _TILE)
            sums += rows[:, y] @ grey[y, x].astype(np.float64) @ columns[:, x].T
    coefficients = sums.ravel()
    middle = (coefficients.size - 1) // 2
    median = np.partition(coefficients[1:], middle)[middle]  # without the mean, which is far above the others
    return np.packbits(coefficients > median).tobytes().hex()


def hash_distance(one: str, other: str) -> int:
    """Return the number of bits, 0 to 256, that differ between two hashes."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
