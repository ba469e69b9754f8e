"""The order of an epoch: which row stands at which position. Pure: the same arguments give the same order everywhere.

The row groups, permuted, are one sequence of rows; it is cut into `lanes` slices of equal numbers of rows (a row group on
a cut belongs to both lanes), and each lane into windows of whole fragments of row groups, within which rows are shuffled.
Position p of the epoch is row p div `lanes` of lane p mod `lanes`. So any W ranks that take every W-th position cover the
epoch, whatever W is; where W divides `lanes`, each of them meets only its own lanes, and reads only its own share; and what
comes after a position depends on nothing that came before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]

_GROUPS, _ROWS = 0, 1
"""What a permutation is of: part of its seed."""


def _permutation(length: int, *seed: int) -> Integers:
    # Of numpy's random streams only the raw ones of a bit generator are promised to stay as they are.
    return np.argsort(np.random.PCG64(np.random.SeedSequence(seed)).random_raw(length), kind="stable")


def _starts(lengths: Sequence[int] | Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


@dataclass(frozen=True)
class Order:
    """The order of one epoch.

    Attributes:
        rows: number of rows of each row group, in file order; none is empty.
        bytes: size of each row group.
        shuffle: False is the order of the files.
        seed, epoch: of the permutations.
        lanes: number of lanes; without shuffling there is one.
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
        """Number of rows, and of positions."""
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
        """Where windows begin in the sequence of rows, and its end."""
        sizes = [self.bytes[group] for group in self._groups]
        share = self.window / (len(self._lane_starts) - 1) if self.shuffle else 0
        starts: list[int] = []
        for begin, end in zip(self._lane_starts[:-1].tolist(), self._lane_starts[1:].tolist(), strict=True):
            first, last = np.searchsorted(self._group_starts, [begin, end - 1], side="right") - 1
            size = float("inf")
            for place in range(first, last + 1) if begin < end else ():
                size += sizes[place]
                if size > share:
                    starts.append(max(begin, int(self._group_starts[place])))
                    size = sizes[place]
        return np.array([*starts, self.total], dtype=np.int64)

    def locate(self, positions: Integers) -> tuple[Integers, Integers, Integers]:
        """Window, row group and row in the row group of each position; windows are numbered over all lanes."""
        if not positions.size:
            return positions, positions, positions
        lanes = len(self._lane_starts) - 1
        places = self._lane_starts[positions % lanes] + positions // lanes
        windows = np.searchsorted(self._window_starts, places, side="right") - 1
        rows = places
        if self.shuffle:
            rows = np.empty_like(places)
            # Sorted by window, each window's positions lie together.
            by_window = np.argsort(windows, kind="stable")
            numbers, begins = np.unique(windows[by_window], return_index=True)
            for number, members in zip(numbers.tolist(), np.split(by_window, begins[1:]), strict=True):
                start, end = self._window_starts[number : number + 2].tolist()
                permutation = _permutation(end - start, self.seed, self.epoch, _ROWS, number)
                rows[members] = start + permutation[places[members] - start]
        groups = np.searchsorted(self._group_starts, rows, side="right") - 1
        return windows, self._groups[groups], rows - self._group_starts[groups]
