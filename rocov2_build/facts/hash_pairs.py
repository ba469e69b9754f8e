"""Find all pairs of perceptual hashes that differ in few bits, without comparing each with each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

THRESHOLD = 24
"""Two pictures whose hashes differ in at most this many of 256 bits are candidates for near-duplicates; docs/facts.md
explains the choice."""
BITS = 256
FLAT = 96
"""A picture with structure has 127 or 128 bits set, since the median of its frequencies is the threshold of each. If fewer
bits than this are set, most coefficients are equal (that is, zero): the picture is blank or
striped, and its hash is useless."""

_BANDS = 16
_VALUES = 1 << 16
_BLOCK = 1 << 17
"""Candidates compared at once: some 20 MB."""
_ROWS = 1 << 13

# Bit i of a band is frequency (i, band + i) of the hash, row by row: each band has one of every row and column.
# Bits of one row would be alike in all chest X-rays, and too many pictures would share a band.
_DIAGONALS = np.array([row * 16 + (band + row) % 16 for band in range(_BANDS) for row in range(16)])

Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def unpack_hashes(hashes: list[str]) -> npt.NDArray[np.uint8]:
    """Return hashes of `perceptual_hash` as bytes, [hash, 32]."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(-1, BITS // 8)


def are_flat(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return which of the hashes belong to pictures without structure."""
    return np.asarray(_totals(_fields(np.ascontiguousarray(hashes).view(np.uint64))) < FLAT)


def similar_pairs(hashes: npt.NDArray[np.uint8], threshold: int = THRESHOLD) -> Iterator[Pairs]:
    """Yield all pairs of hashes that differ in at most `threshold` bits, each once.

    A pair differs in at most `threshold // 16` bits of at least one of 16 bands of 16 bits, or it would differ in more than
    `threshold` altogether. So each hash is compared only with those that are as near in some band. Memory is bounded; time
    grows with the number of pairs that share a band: hand in equal hashes once, and flat ones not at all.

    Args:
        hashes: [hash, 32] from `unpack_hashes`.
        threshold: bits, 0 to 63.

    Yields:
        Positions of the one and of the other, pair by pair, in blocks, in an order that depends on the hashes alone.

    Raises:
        ValueError: the threshold is out of range.
    """
    if not 0 <= threshold < 64:
        raise ValueError(f"threshold {threshold}: expected 0 to 63 bits")
    radius = threshold // _BANDS
    bands = _bands(hashes)
    words = bands.view(np.uint64)
    for band in range(_BANDS):
        for left, right in _near_in_band(bands[:, band], radius):
            distances = _fields(words[left] ^ words[right])
            close = _totals(distances) <= threshold
            # A pair is taken in the first band that finds it, and passed over in the others.
            fields = distances[close].view(np.uint16)
            first = (fields <= radius).argmax(axis=1) == band
            if first.any():
                yield left[close][first], right[close][first]


def _bands(hashes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    parts = [
        np.packbits(np.unpackbits(hashes[start : start + _ROWS], axis=1)[:, _DIAGONALS], axis=1)
        for start in range(0, len(hashes), _ROWS)
    ]
    return np.concatenate([np.empty((0, BITS // 8), np.uint8), *parts]).view(np.uint16)


def _near_in_band(values: npt.NDArray[np.uint16], radius: int) -> Iterator[Pairs]:
    """Pairs of positions whose values differ in at most `radius` bits, each once, in blocks."""
    order = np.argsort(values, kind="stable").astype(np.int64)
    ordered = values[order].astype(np.int64)
    starts = np.searchsorted(ordered, np.arange(_VALUES + 1))
    for bits in range(radius + 1):
        for flipped in combinations(range(16), bits):
            wanted = ordered ^ sum(1 << bit for bit in flipped)
            begins, ends = starts[wanted], starts[wanted + 1]
            if not flipped:
                begins = np.arange(1, len(order) + 1)  # those behind it
            counts = np.where(wanted >= ordered, ends - begins, 0)
            for left, right in _ranges(begins, counts):
                yield order[left], order[right]


def _ranges(begins: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]) -> Iterator[Pairs]:
    """Each position i with each of the `counts[i]` positions from `begins[i]`, in blocks of about `_BLOCK`."""
    totals = np.concatenate([[0], np.cumsum(counts)])
    start = 0
    while totals[start] < totals[-1]:
        end = max(int(np.searchsorted(totals, totals[start] + _BLOCK, side="right")) - 1, start + 1)
        repeats = counts[start:end]
        left = np.repeat(np.arange(start, end), repeats)
        right = np.arange(totals[end] - totals[start]) + np.repeat(
            begins[start:end] - totals[start:end] + totals[start], repeats
        )
        yield left, right
        start = end


def _fields(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Number of bits in each 16 of the 64 bits of each word. (`numpy.bitwise_count` came with numpy 2.)"""
    for shift, mask in ((1, 0x5555), (2, 0x3333), (4, 0x0F0F), (8, 0x00FF)):
        every = np.uint64(mask * 0x0001_0001_0001_0001)
        words = (words & every) + ((words >> np.uint64(shift)) & every)
    return words


def _totals(fields: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Sum of all 16 fields of each row."""
    sums = fields[:, 0] + fields[:, 1] + fields[:, 2] + fields[:, 3]  # no field exceeds 64
    return (sums * np.uint64(0x0001_0001_0001_0001)) >> np.uint64(48)


def link(labels: npt.NDArray[np.int64], pairs: Pairs) -> None:
    """Join, in place, the groups of the two of each pair; a group's label is the least position in it.

    Args:
        labels: label by position, from earlier calls or `numpy.arange`.
        pairs: positions.
    """
    left, right = pairs
    while True:
        one, other = labels[left], labels[right]
        apart = one != other
        if not apart.any():
            return
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        np.minimum.at(labels, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(labels[labels], labels):
            labels[:] = labels[labels]
