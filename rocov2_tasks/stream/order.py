"""The order of an epoch: which row is at which position. Pure: the same arguments give the same order everywhere.

The row groups, permuted, are one sequence of rows. It is cut into `lanes` slices of equal numbers of rows (a row group on
a cut belongs to both lanes). Each lane is cut into windows of whole fragments of row groups, within which rows are shuffled.
Position p of the epoch is row p div `lanes` of lane p mod `lanes`. So any W ranks that take every W-th position cover the
epoch, whatever W is. If W divides `lanes`, each rank meets only its own lanes and reads only its own share. What comes after
a position does not depend on what came before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

_GROUPS, _ROWS = 0, 1
"""What is permuted: part of the seed of a permutation."""


def _permutation(length: int, *seed: int) -> Integers:
    # numpy promises only raw bit streams to stay the same.
    return np.argsort(np.random.PCG64(np.random.SeedSequence(seed)).random_raw(length), kind="stable")


def _starts(lengths: Sequence[int] | Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


class Located(NamedTuple):
    """Where rows are: the window (numbered over all lanes), the row group, and the row in it."""

    windows: Integers
    groups: Integers
    rows: Integers


@dataclass(frozen=True)
class Order:
    """The order of one epoch.

    Attributes:
        rows: number of rows of each row group, in file order; none is empty.
        bytes: size of each row group.
        shuffle: False keeps the order of the files.
        seed, epoch: seed of the permutations.
        lanes: number of lanes; there is one without shuffling.
        window: bytes of the open windows of all lanes together; a window has at least one row group.
    """

    rows: tuple[int, ...]
    bytes: tuple[int, ...]
    shuffle: bool
    seed: int
    epoch: int
    lanes: int
    window: int

    @cached_property
    def total(self) -> int:
        """Number of rows, which is the number of positions."""
        return sum(self.rows)

    @cached_property
    def _groups(self) -> Integers:
        if not self.shuffle:
            return np.arange(len(self.rows))
        return _permutation(len(self.rows), self.seed, self.epoch, _GROUPS)

    @cached_property
    def _group_starts(self) -> Integers:
        return _starts(np.array(self.rows, dtype=np.int64)[self._groups])

    @cached_property
    def _lane_starts(self) -> Integers:
        lanes = self.lanes if self.shuffle else 1
        return _starts([(self.total - lane + lanes - 1) // lanes for lane in range(lanes)])

    @cached_property
    def _window_starts(self) -> Integers:
        """Offsets in the sequence of rows at which windows begin, and its end."""
        sizes = [self.bytes[group] for group in self._groups]
        share = self.window / (len(self._lane_starts) - 1) if self.shuffle else 0
        starts: list[int] = []
        for begin, end in zip(self._lane_starts[:-1].tolist(), self._lane_starts[1:].tolist(), strict=True):
            first, last = np.searchsorted(self._group_starts, [begin, end - 1], side="right") - 1
            size = float("inf")
            for index in range(first, last + 1) if begin < end else ():
                size += sizes[index]
                if size > share:
                    starts.append(max(begin, int(self._group_starts[index])))
                    size = sizes[index]
        return np.array([*starts, self.total], dtype=np.int64)

    def locate(self, positions: Integers) -> Located:
        """Return where the rows at `positions` are."""
        if not positions.size:
            return Located(positions, positions, positions)
        offsets = self._offsets_of(positions)
        windows = np.searchsorted(self._window_starts, offsets, side="right") - 1
        if self.shuffle:
            offsets = self._shuffle_within(windows, offsets)
        indices = np.searchsorted(self._group_starts, offsets, side="right") - 1
        return Located(windows, self._groups[indices], offsets - self._group_starts[indices])

    def _offsets_of(self, positions: Integers) -> Integers:
        """Deal positions to the lanes: return their offsets in the sequence of rows, before windows are shuffled."""
        lanes = len(self._lane_starts) - 1
        return self._lane_starts[positions % lanes] + positions // lanes

    def _shuffle_within(self, windows: Integers, offsets: Integers) -> Integers:
        """Replace each offset by the one that the permutation of its window has there."""
        shuffled = np.empty_like(offsets)
        by_window = np.argsort(windows, kind="stable")  # the positions of one window become neighbours
        numbers, begins = np.unique(windows[by_window], return_index=True)
        for number, members in zip(numbers.tolist(), np.split(by_window, begins[1:]), strict=True):
            start, end = self._window_starts[number : number + 2].tolist()
            permutation = _permutation(end - start, self.seed, self.epoch, _ROWS, number)
            shuffled[members] = start + permutation[offsets[members] - start]
        return shuffled
