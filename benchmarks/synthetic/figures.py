"""What the JPEGs and tables of the real release are like, as numbers to draw from.

Source: 800 files of ROCOv2 (600 of train, 100 each of validation and test) and 5,963 figures of ROCO v1, its forerunner, were
looked at. Kinds, quality, bytes and metadata segments are those of the 800. So are the median and the ends of the sides; the
values between follow the shape of ROCO v1. Articles have as many images as in ROCO v1. Captions, concepts and licences follow
numbers that were published with ROCOv2 and with the ImageCLEF sets that are made of it.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import NamedTuple, TypeVar

Value = TypeVar("Value")

Quantiles = tuple[tuple[float, float], ...]
"""Share of files, and the value that this share does not exceed; between two of them the value is interpolated."""


class Kind(NamedTuple):
    """A kind of picture: its share, and how Pillow encodes it."""

    name: str
    share: float
    mode: str
    subsampling: int


KINDS = (
    Kind("grey", 0.364, "L", 0),
    Kind("4:4:4", 0.315, "YCbCr", 0),
    Kind("4:2:0", 0.315, "YCbCr", 2),
    Kind("4:2:2", 0.006, "YCbCr", 1),
)

EQUAL_CHANNELS, FAINT_CHANNELS = 0.104, 0.055
"""Shares of the colour pictures whose three channels are equal in every pixel, or differ by 8 levels at most."""

QUALITIES = ((92, 0.77), (100, 0.10), (90, 0.09), (80, 0.02), (95, 0.02))
"""Quality of the Independent JPEG Group's tables. All are baseline with Huffman tables of their own."""

WIDTHS: Quantiles = (
    (0.0, 190), (0.01, 316), (0.05, 440), (0.25, 598), (0.5, 676), (0.75, 709), (0.9, 765), (0.99, 896), (1.0, 1200),
)  # fmt: skip
HEIGHTS: Quantiles = (
    (0.0, 150), (0.01, 250), (0.05, 352), (0.25, 481), (0.5, 576), (0.75, 694), (0.9, 872), (0.99, 1362), (1.0, 1900),
)  # fmt: skip
SIDES_CORRELATION = 0.45

SCAN_BYTES: Quantiles = (
    (0.0, 8_000), (0.01, 18_000), (0.05, 29_000), (0.25, 48_000), (0.5, 63_000), (0.75, 76_000), (0.95, 130_000),
    (0.99, 250_000), (1.0, 600_000),
)  # fmt: skip
"""Bytes of a file without its metadata, which grow with its pixels: 1.5 bits for each."""
SCAN_CORRELATION = 0.5
LEAST_DENSITY, MOST_DENSITY = 0.4, 7.0
"""Bits for each pixel."""

MEDIAN_BYTES = 78_000
"""Median of a whole file; the mean is near 88 kB, and the largest of the 800 had 1.6 MB."""

PHOTOSHOP, PROFILE, XMP, EXIF, ADOBE = 0.40, 0.33, 0.37, 0.029, 0.001
"""Shares of the files with a segment of each kind. They mostly occur together: 45 % have any."""
ALL_THREE = 0.30
"""Photoshop's segment, a colour profile and XMP together."""
XMP_IN_PIECES = 0.058
XMP_SAYS_UPRIGHT = 0.045
"""Files whose XMP says that their orientation is 1; in Exif, all say so. None says another."""
PRINT_PROFILE = 0.0015
"""Profiles of a printing press with tables of half a megabyte."""
PRINT_PROFILE_BYTES = 557_168
PROFILE_BYTES = ((560, 0.45), (3_144, 0.55))
XMP_BYTES: Quantiles = ((0.0, 4_600), (0.1, 13_000), (0.5, 15_500), (0.85, 18_500), (0.9, 40_000), (1.0, 130_000))
PHOTOSHOP_BYTES: Quantiles = ((0.0, 300), (0.1, 3_000), (0.5, 6_600), (0.9, 10_500), (1.0, 22_000))
COMMENT = 0.03
DENSITIES = (
    (300, 0.3),
    (72, 0.2),
    (37, 0.12),
    (96, 0.1),
    (600, 0.1),
    (118, 0.06),
    (150, 0.06),
    (500, 0.03),
    (220, 0.03),
)
"""Dots per inch (or centimetre) in the JFIF segment."""

ARTICLE_SIZES = (14_179, 6_341, 2_646, 1_218, 490, 273, 134, 78, 35, 31, 19, 11, 9, 8, 7)
"""Articles of ROCO v1 under CC BY or CC BY-NC with 1, 2, ... images. An article's images are in any split."""
COMMERCIAL = 0.73
"""Share of the articles under CC BY; the others are CC BY-NC."""
REPEATED_CAPTION, LEADING_SPACE, TRAILING_SPACE, NOT_ASCII = 0.005, 0.04, 0.007, 0.17
CAPTION_WORDS = (2.87, 0.72, 778)
"""Mean and deviation of the logarithm of a caption's words, and the most: median 18, mean 22, some 150 characters."""
CONCEPTS, UNNAMED = 1_900, 13
"""Automatic concepts, and how many of them `cui_mapping.csv` leaves out."""
AUTOMATIC_RATE, MOST_AUTOMATIC = 0.75, 13
"""Automatic concepts of an image: 1 and an exponential with this rate, 3.36 together with the curated ones."""


def at(quantiles: Quantiles, share: float) -> float:
    """Return the value at a share, interpolated between the quantiles."""
    for (left, low), (right, high) in pairwise(quantiles):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    return quantiles[-1][1]


def choose(random: Random, weighted: tuple[tuple[Value, float], ...]) -> Value:
    """Draw from pairs of value and weight."""
    return random.choices([value for value, _ in weighted], [weight for _, weight in weighted])[0]
