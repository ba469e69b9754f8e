"""The perceptual hash: exact arithmetic, few bits between pictures that look alike, many between others."""

from __future__ import annotations

import io
import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rocov2_build.worker import phash
from rocov2_build.worker.phash import FREQUENCIES, GRID, MAX_PIXELS, hash_distance, perceptual_hash


def model(rows: list[list[int]]) -> str:
    """The hash as its definition says, on fractions: means of cells, cosine transform, median."""
    height, width = len(rows), len(rows[0])

    def overlaps(length: int) -> list[list[tuple[int, Fraction]]]:
        cells = []
        for cell in range(GRID):
            start, end = Fraction(cell * length, GRID), Fraction((cell + 1) * length, GRID)
            cells.append([(p, min(end, Fraction(p + 1)) - max(start, Fraction(p))) for p in range(length)])
        return [[(pixel, part) for pixel, part in cell if part > 0] for cell in cells]

    wide = [[sum(row[p] * part for p, part in cell) for cell in overlaps(width)] for row in rows]
    cells = [[sum(wide[p][x] * part for p, part in cell) for x in range(GRID)] for cell in overlaps(height)]
    cosines = [
        [round(64 * math.cos(math.pi * frequency * (2 * cell + 1) / (2 * GRID))) for cell in range(GRID)]
        for frequency in range(FREQUENCIES)
    ]
    half = [[sum(c * row[x] for x, c in enumerate(wave)) for wave in cosines] for row in cells]
    full = [[sum(c * half[y][u] for y, c in enumerate(wave)) for u in range(FREQUENCIES)] for wave in cosines]
    found = [coefficient for row in full for coefficient in row]
    median = sorted(found[1:])[(len(found) - 1) // 2]
    return f"{int(''.join(str(int(c > median)) for c in found), 2):064x}"


def picture(seed: int, size: tuple[int, int] = (300, 260)) -> Image.Image:
    """Smooth shapes."""
    coarse = Image.frombytes("L", (9, 9), random.Random(seed).randbytes(81))
    return coarse.resize(size, Image.Resampling.BICUBIC)


def hash_of(image: Image.Image) -> str:
    return perceptual_hash(np.asarray(image))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (32, 32), (33, 47), (64, 20)])
def test_equals_its_definition_in_fractions(size: tuple[int, int]) -> None:
    width, height = size
    for seed in range(3):
        values = random.Random(seed).randbytes(width * height)
        rows = [list(values[y * width : (y + 1) * width]) for y in range(height)]
        assert perceptual_hash(np.array(rows, dtype=np.uint8)) == model(rows)


@pytest.mark.parametrize("size", [(255, 300), (300, 255), (3, 20_000), (20_000, 3), (20_000, 17), (1_000, 999)])
def test_parts_add_up_to_the_whole(size: tuple[int, int]) -> None:
    width, height = size
    grey = np.random.default_rng(width).integers(0, 256, (height, width), dtype=np.uint8)
    rows, columns = (phash._transform(length).astype(np.int64) for length in (height, width))
    found = (rows @ grey.astype(np.int64) @ columns.T).ravel()
    bits = found > np.sort(found[1:])[(found.size - 2) // 2]
    assert perceptual_hash(grey) == np.packbits(bits).tobytes().hex()


def test_no_multiplication_is_large_enough_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operand is a plain array to numpy; this one counts the products of every `@`."""
    seen: list[int] = []

    class Counting(np.ndarray):
        def __matmul__(self, other: Any) -> Any:
            seen.append(self.shape[0] * self.shape[1] * other.shape[1])
            return super().__matmul__(other)

    transform = phash._transform
    monkeypatch.setattr(phash, "_transform", lambda length: transform(length).view(Counting))
    for shape in ((255, 300), (255, 3_000), (3, 20_000), (20_000, 3), (1_000, 1_000)):
        perceptual_hash(np.zeros(shape, dtype=np.uint8))
    assert len(seen) > 10
    assert max(seen) <= 2**18


def test_sums_of_the_largest_picture_are_exact() -> None:
    side = math.isqrt(MAX_PIXELS)
    assert 255 * (GRID * 64) ** 2 * side * side <= 2**53
    perceptual_hash(np.full((side, side), 255, dtype=np.uint8))
    with pytest.raises(ValueError, match="too many pixels"):
        perceptual_hash(np.zeros((side + 1, side + 1), dtype=np.uint8))


def test_the_same_picture_in_another_file_differs_in_few_bits() -> None:
    for seed in range(10):
        image = picture(seed)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=40)
        again = Image.open(io.BytesIO(buffer.getvalue()))
        smaller = image.resize((200, 170), Image.Resampling.BICUBIC)
        brighter = image.point(lambda value: min(255, round(value * 1.1) + 5))
        for other in (again, smaller, brighter):
            assert hash_distance(hash_of(image), hash_of(other)) < 50


def test_other_pictures_differ_in_many_bits() -> None:
    hashes = [hash_of(picture(seed)) for seed in range(20)]
    assert min(hash_distance(a, b) for a in hashes for b in hashes if a != b) > 70


def test_distance_counts_bits() -> None:
    assert hash_distance("0" * 64, "f" * 64) == 256
    assert hash_distance("0" * 63 + "5", "0" * 64) == 2
