"""Prefetch: pieces of row groups, loaded in the order of their need, and ahead of it up to a number of bytes."""

from __future__ import annotations

import logging
import math
import threading
from bisect import bisect_left, bisect_right
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from rocov2_shared.sizes import format_count
from rocov2_tasks.stream.layout import SplitLayout
from rocov2_tasks.stream.order import Integers, Located, Order
from rocov2_tasks.stream.reading import GroupReader
from rocov2_tasks.stream.rows import Rows

_SHORTEST_RUN = 16
"""Rows that follow each other on average, at least, for batches to be cut out of columns."""

_SLICES = 64
"""More than a row group has slices."""

SLICE = 8
"""Rows of the first slice of the first row group, if rows are read in file order; each next slice has twice as many."""

FIRST_REPORT = 5.0
"""Seconds of waiting for data after which it is reported; each next report takes twice as long."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Piece:
    """Rows of a row group that are loaded and released together.

    Attributes:
        group: index of the row group in the layout.
        begin, stop: first row, and the one after the last.
        need: number of the first sample that needs it.
        uses: number of samples that need it.
        bytes: approximate size.
        sliced: whether it is one of several slices of its row group.
    """

    group: int
    begin: int
    stop: int
    need: int
    uses: int
    bytes: int
    sliced: bool


@dataclass(frozen=True)
class Schedule:
    """The pieces in the order of their need; for each sample, the index of its piece and its row in the row group."""

    pieces: tuple[Piece, ...]
    piece: Integers
    row: Integers

    @cached_property
    def _breaks(self) -> list[int]:
        """The samples whose row does not follow the row before in the same piece; empty if they are many."""
        breaks = np.flatnonzero((np.diff(self.row) != 1) | (np.diff(self.piece) != 0)) + 1
        return [0, *breaks.tolist(), len(self.row)] if len(breaks) * _SHORTEST_RUN <= len(self.row) else []

    def runs(self, samples: range) -> list[tuple[int, int, int]]:
        """Return the samples as pieces, each with a first row and the one after the last, if the rows follow each other."""
        if not self._breaks or not samples:
            return []
        first, last = bisect_right(self._breaks, samples.start), bisect_left(self._breaks, samples.stop)
        found = []
        for begin, end in pairwise([samples.start, *self._breaks[first:last], samples.stop]):
            row = int(self.row[begin])
            found.append((int(self.piece[begin]), row, row + end - begin))
        return found


def plan_reading(order: Order, positions: Integers, layout: SplitLayout, images: bool) -> Schedule:
    """Return the pieces that contain the rows at `positions`, which are read in sequence, with or without `images`."""
    located = order.locate(positions)
    if not positions.size:
        return Schedule((), positions, positions)
    in_slices = not order.shuffle and images
    keys = located.windows * len(layout.groups) + located.groups
    uses = _number_by_need(keys * _SLICES + _slices_of(located) if in_slices else keys)
    begins, stops = _bounds_of(uses, located.rows, order.total)
    groups = located.groups[uses.firsts]
    pieces = [
        Piece(
            group=group,
            begin=begin,
            stop=stop,
            need=need,
            uses=count,
            bytes=layout.groups[group].bytes * (stop - begin) // layout.groups[group].rows,
            sliced=in_slices and group == int(groups[0]),
        )
        for group, begin, stop, need, count in zip(
            groups.tolist(), begins.tolist(), stops.tolist(), uses.firsts.tolist(), uses.counts.tolist(), strict=True
        )
    ]
    return Schedule(tuple(pieces), uses.piece, located.rows)


def _slices_of(located: Located) -> Integers:
    """Number the slices of the first row group, so that the first rows come from a small read; 0 in all other row groups."""
    doubled = np.log2(located.rows // SLICE + 1).astype(np.int64)
    return np.where(located.groups == located.groups[0], doubled, 0)


class _Uses(NamedTuple):
    """Which samples use which piece: the piece of each sample; by piece, the first sample and the number of samples."""

    piece: Integers
    firsts: Integers
    counts: Integers


def _number_by_need(keys: Integers) -> _Uses:
    """Number the different `keys`, one for each sample, by their first sample."""
    _, firsts, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    by_need = np.argsort(firsts, kind="stable")
    number = np.empty_like(by_need)
    number[by_need] = np.arange(len(by_need))
    return _Uses(number[inverse.reshape(-1)], firsts[by_need], counts[by_need])


def _bounds_of(uses: _Uses, rows: Integers, total: int) -> tuple[Integers, Integers]:
    """Return the first row of each piece, and the one after its last."""
    begins = np.full(len(uses.firsts), total)
    stops = np.zeros(len(uses.firsts), dtype=np.int64)
    np.minimum.at(begins, uses.piece, rows)
    np.maximum.at(stops, uses.piece, rows + 1)
    return begins, stops


class Loader:
    """Loads the pieces of a schedule in threads of `pool`. All methods are called from one thread.

    At most `ahead` bytes are loaded beyond what was requested: none at first, then as many as were handed out. A caller that
    takes only a few rows reads only a few. With `reports`, a long wait is logged as a warning, with how far reading is.
    """

    def __init__(
        self, pieces: tuple[Piece, ...], reader: GroupReader, pool: Executor, ahead: int, reports: bool = False
    ) -> None:
        self._pieces, self._reader, self._pool, self._ahead = pieces, reader, pool, ahead
        self._patience = FIRST_REPORT if reports else math.inf
        self._futures: dict[int, Future[Rows]] = {}
        self._left = [piece.uses for piece in pieces]
        self._begun = 0
        self._wanted = 0
        self._handed = 0

    def want(self, sample: int) -> None:
        """Load what the samples before number `sample` need, and as much ahead as allowed."""
        while self._wanted < len(self._pieces) and self._pieces[self._wanted].need < sample:
            self._wanted += 1
        self._pump()

    def _pump(self) -> None:
        beyond = sum(self._pieces[i].bytes for i in range(self._wanted, self._begun))
        while self._begun < len(self._pieces):
            piece = self._pieces[self._begun]
            if self._begun >= self._wanted:
                beyond += piece.bytes
                if beyond > min(self._ahead, self._handed):
                    return
            self._futures[self._begun] = self._pool.submit(
                self._reader.read, piece.group, piece.begin, piece.stop, piece.sliced
            )
            self._begun += 1

    def loaded(self, number: int) -> bool:
        """Return whether a piece is loaded. A piece that failed is not: `get` raises its error."""
        future = self._futures.get(number)
        return future is not None and future.done() and future.exception() is None

    def get(self, number: int) -> Rows:
        """Wait for a requested piece and return its rows; raise what reading it raised."""
        waited = 0.0
        if self._futures[number].done():  # nearly always: waiting takes longer than all else here
            return self._futures[number].result()
        while not wait([self._futures[number]], min(self._patience, threading.TIMEOUT_MAX)).done:
            waited += self._patience
            self._patience *= 2
            self._report(waited)
        return self._futures[number].result()

    def _report(self, waited: float) -> None:
        wanted = [number for number in range(self._wanted) if number in self._futures]
        loaded = sum(map(self.loaded, wanted))
        _logger.warning(
            "%.0f s of waiting for the next batch: %d of %s read; %s",
            waited,
            loaded,
            format_count(len(wanted), "row group"),
            self._reader.progress(),
        )

    def release(self, number: int, samples: int) -> None:
        """Count `samples` of a piece as done. After the last one the piece is released, and more is read ahead."""
        piece = self._pieces[number]
        self._left[number] -= samples
        self._handed += piece.bytes * samples // piece.uses
        if not self._left[number]:
            self._reader.give_back(self._futures.pop(number).result())
        self._pump()
