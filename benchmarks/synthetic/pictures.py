"""Pictures that cost what scans cost: shapes, texture and labels, encoded to the bits for each pixel that the release has.

Each is a column of twice the height of its pictures, which are windows of it. So the pictures of one column overlap, or show
other parts of it; next to none looks like another to a perceptual hash.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.synthetic import figures
from benchmarks.synthetic.rows import Rows, encode, save

Plane = npt.NDArray[np.floating[Any]]
TALL, JITTER = 2.0, 0.1
THUMBNAIL = 160
LEAST_WIDTH, LEAST_HEIGHT = 96, 32
_TILE = (1024, 512)
_BLOCKS = 16
_WIDE = 4
_FINEST = 100
_STRIPS, _STRIP = 6, 32
_STEPS = 6
_LOUDEST = 90.0


@dataclass(frozen=True)
class Column:
    """An encoded column.

    Attributes:
        rows: its rows of blocks.
        height: median height of its pictures.
        thumbnail: a small JPEG of its beginning.
        quality, kind: how it is encoded.
    """

    rows: Rows
    height: int
    thumbnail: bytes
    quality: int
    kind: figures.Kind

    def draw(self, random: Random) -> tuple[int, int]:
        """Return the first row of blocks and the height of a picture."""
        height = round(self.height * random.uniform(1 - JITTER, 1 + JITTER))
        height = max(self.rows.unit, min(height, len(self.rows) * self.rows.unit))
        return random.randrange(len(self.rows) - -(-height // self.rows.unit) + 1), height


class Painter:
    """Makes columns.

    Args:
        random: of everything.
        scale: bytes of a file, where 1 is those of the release.
    """

    def __init__(self, random: Random, scale: float = 1.0) -> None:
        self._random, self._scale = random, scale
        noise = Image.frombytes("L", _TILE[::-1], random.randbytes(_TILE[0] * _TILE[1]))
        self._tiles = [_normal(noise.filter(ImageFilter.GaussianBlur(radius))) for radius in (0.5, 0.8, 1.3, 2.2, 6)]

    def column(self, kind: figures.Kind, share: float) -> Column:
        """Return a column of this kind, with pictures as large as this share of the files does not exceed."""
        random = self._random
        quality = figures.choose(random, figures.QUALITIES)
        finest = quality == _FINEST
        width, height, density = self._sides(0.3 + 0.7 * share if finest else share)
        tall = max(round(TALL * height), round((1 + JITTER) * height) + 2 * _BLOCKS)
        edge = random.choices([random.randrange(10), 255, random.randrange(20, 60)], [0.82, 0.12, 0.06])[0]
        mask = self._mask(width, tall, edge)
        shapes = self._shapes(width, tall)
        # A file of the finest quality was enlarged before, or it would have more bytes than they have.
        texture = self._tile(3 if finest else random.randrange(3), width, tall) * (0.4 + shapes / 255)
        tint, chroma = ([], []) if kind.mode == "L" else self._chroma(kind, width, tall)

        def picture(loud: float, parts: list[slice]) -> Image.Image:
            def join(plane: Plane) -> Plane:
                return np.concatenate([plane[part] for part in parts])

            inside = join(mask)
            values = edge + (join(shapes) + np.float32(loud) * join(texture) - edge) * inside
            grey = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
            if kind.mode == "L":
                return grey
            bands = [
                Image.fromarray(np.clip(128.5 + (join(one) + loud * join(other)) * inside, 0, 255).astype(np.uint8))
                for one, other in zip(tint, chroma, strict=True)
            ]
            return Image.merge("YCbCr", [grey, *bands])

        starts = [round(number * max(tall - _STRIP, 0) / _STRIPS) for number in range(_STRIPS)]
        strips = [slice(start, start + _STRIP) for start in starts]
        low, high = 0.0, _LOUDEST
        for _ in range(_STEPS):
            loud = (low * high) ** 0.5 if low else high / 8
            sample = picture(loud, strips)
            enough = 8 * len(save(sample, quality, kind.subsampling)) > density * sample.width * sample.height
            low, high = (low, loud) if enough else (loud, high)
        whole = picture(low or loud, [slice(None)])
        self._label(whole, width, edge)
        small = whole.crop((0, 0, width, min(height, tall))).convert("RGB" if kind.mode != "L" else "L")
        small.thumbnail((THUMBNAIL, THUMBNAIL))
        return Column(encode(whole, quality, kind.subsampling), height, save(small, 75, 2), quality, kind)

    def _sides(self, share: float) -> tuple[int, int, float]:
        """Return width, height, and bits for each pixel."""
        normal = NormalDist()
        size = normal.inv_cdf(min(max(share, 1e-6), 1 - 1e-6))
        common, *own = (self._random.gauss(0, 1) for _ in range(3))
        # Each side has a share of its own: a part comes from the bytes, a part from what both sides have in common.
        bytes_part, common_part = (
            figures.SCAN_CORRELATION,
            math.sqrt(figures.SIDES_CORRELATION - figures.SCAN_CORRELATION**2),
        )
        rest = math.sqrt(1 - bytes_part**2 - common_part**2)
        factor = math.sqrt(self._scale)
        width, height = (
            factor * figures.at(quantiles, normal.cdf(bytes_part * size + common_part * common + rest * value))
            for quantiles, value in zip((figures.WIDTHS, figures.HEIGHTS), own, strict=True)
        )
        density = 8 * self._scale * figures.at(figures.SCAN_BYTES, share) / (width * height)
        density = min(max(density, figures.LEAST_DENSITY), figures.MOST_DENSITY)
        return max(LEAST_WIDTH, round(width)), max(LEAST_HEIGHT, round(height)), density

    def _tile(self, number: int, width: int, height: int) -> Plane:
        """Noise of one of the tiles, with a mean of 0 and a deviation of 1."""
        down, right = (
            self._random.randrange(side) + np.arange(length)
            for side, length in zip(_TILE, (height, width), strict=True)
        )
        return np.asarray(self._tiles[number][np.ix_(down % _TILE[0], right % _TILE[1])], dtype=np.float32)

    def _mask(self, width: int, height: int, edge: int) -> Plane:
        """0 at the edges, 1 inside; on black often with a wavy outline, as a body or the sector of an ultrasound has."""
        random = self._random
        left, right = _BLOCKS, _BLOCKS + (width % _BLOCKS or _BLOCKS)
        mask = np.zeros((height, width), np.float32)
        mask[:, left : width - right] = 1
        if edge < 10 and random.random() < 0.6:
            rows = np.arange(height)[:, None]
            wave = random.uniform(0.1, 0.3) + random.uniform(0, 0.1) * np.sin(
                rows / (height * random.uniform(0.03, 0.12))
            )
            distance = np.minimum(np.arange(width), width - 1 - np.arange(width))[None, :] / width
            mask *= np.clip((distance - wave) * width / 4, 0, 1).astype(np.float32)
        return mask

    def _shapes(self, width: int, height: int) -> Plane:
        """Organs, bones and vessels: ellipses and strokes of many sizes, the deeper ones blurred. Drawn at half the size."""
        random = self._random
        base = random.randrange(40, 150)
        image = Image.new("L", (width // 2, height // 2), base)
        draw = ImageDraw.Draw(image)
        number = max(12, round(40 * height / width))
        for left in reversed(range(number)):
            across = image.width * random.uniform(0.02, 0.1 + 0.35 * left / number)
            down = across * random.uniform(0.4, 1.8)
            x, y = random.uniform(0, image.width), random.uniform(0, image.height)
            level = max(0, min(255, round(random.gauss(base, 50))))
            if left % 3:
                outline = min(255, level + random.randrange(20, 110)) if random.random() < 0.4 else None
                draw.ellipse((x - across, y - down, x + across, y + down), level, outline, random.randrange(1, 4))
            else:
                turn = random.randrange(360)
                box = (x - across, y - down, x + across, y + down)
                draw.arc(box, turn, turn + random.randrange(30, 200), level, random.randrange(1, 6))
            if left in (number * 2 // 3, number // 3):
                image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.6, 3)))
                draw = ImageDraw.Draw(image)
        image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 0.8)))
        image = image.resize((width, height), Image.Resampling.BICUBIC)
        wide = self._tile(_WIDE, width, height)
        return np.clip(np.asarray(image, np.float32) + random.uniform(2, 9) * wide, 0, 255)

    def _chroma(self, kind: figures.Kind, width: int, height: int) -> tuple[list[Plane], list[Plane]]:
        """Two planes of colour: a tint with coloured areas, and noise that grows with the one of the grey plane."""
        random = self._random
        none = [np.zeros((height, width), np.float32)] * 2
        share = random.random()
        if share < figures.EQUAL_CHANNELS:
            return none, none
        if share < figures.EQUAL_CHANNELS + figures.FAINT_CHANNELS:
            return [np.clip(self._tile(_WIDE, width, height), -1.5, 1.5) for _ in range(2)], none
        tint = [
            random.gauss(0, 3) + random.uniform(0, _TINT[kind.name]) * self._tile(_WIDE, width, height)
            for _ in range(2)
        ]
        if random.random() < 0.4:
            for _ in range(random.randrange(1, 12)):
                x, y = random.randrange(width), random.randrange(height)
                area = (slice(y, y + random.randrange(8, 80)), slice(x, x + random.randrange(8, 80)))
                for plane in tint:
                    plane[area] += random.uniform(-90, 90)
        loud = random.lognormvariate(math.log(_CHROMA_NOISE[kind.name]), 0.5)
        return tint, [loud * self._tile(2, width, height) for _ in range(2)]

    def _label(self, picture: Image.Image, width: int, edge: int) -> None:
        """Letters and arrows, on a part of the columns."""
        random = self._random
        if random.random() < 0.5:
            return
        draw = ImageDraw.Draw(picture)
        left, right = 2 * _BLOCKS, width - 5 * _BLOCKS
        colour = (128,) * (len(picture.getbands()) - 1)
        ink, margin = (0 if edge > 200 else 255, *colour), (edge, *colour)
        for _ in range(random.randrange(2, 14)):
            x, y = random.uniform(left, max(left, right)), random.uniform(0, picture.height)
            if random.random() < 0.5:
                draw.text((x, y), random.choice("ABCDRL*") + random.choice(("", " 12 mm", "")), ink)
            elif x + 40 < right:
                draw.line((x, y, x + random.uniform(10, 40), y + random.uniform(-40, 40)), ink, random.randrange(1, 5))
        draw.rectangle((width - _BLOCKS - (width % _BLOCKS or _BLOCKS), 0, width, picture.height), margin)


_TINT = {"4:4:4": 0.8, "4:2:0": 2.0, "4:2:2": 1.5}
_CHROMA_NOISE = {"4:4:4": 0.07, "4:2:0": 0.08, "4:2:2": 0.1}
"""The wide and the fine noise of the colours, by kind. Found by trying: as in the release, the median share of the colours in
the bytes of a scan is 14 % with 4:4:4, and 7 % with 4:2:0."""


def _normal(image: Image.Image) -> Plane:
    values = np.asarray(image, np.float32)
    return np.asarray((values - values.mean()) / values.std(), np.float32)
