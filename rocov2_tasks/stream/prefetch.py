"""Pieces of row groups, loaded in the order in which they are needed, and ahead of it within a number of bytes."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass

import numpy as np

from rocov2_tasks.stream.layout import Layout
from rocov2_tasks.stream.order import Integers, Order
from rocov2_tasks.stream.reading import GroupReader, Rows

SLICE = 8
"""Rows of the first slice of the first row group, where rows are read in order; each further slice has twice as many."""


@dataclass(frozen=True)
class Piece:
    """Rows of a row group that are loaded, and let go, together.

    Attributes:
        group: of the layout.
        begin, stop: its rows.
        need: number of the first sample that needs it.
        uses: number of samples that need it.
        bytes: about what it holds.
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
    """Which piece and which row of its row group each sample is, by number of the sample; pieces in order of their need."""

    pieces: tuple[Piece, ...]
    piece: Integers
    row: Integers


def plan_reading(order: Order, positions: Integers, layout: Layout, images: bool) -> Schedule:
    """The pieces that hold the rows at `positions`, which are read one after the other, with `images` or without."""
    windows, groups, rows = order.locate(positions)
    if not positions.size:
        return Schedule((), positions, positions)
    slices = np.zeros_like(rows)
    sliced = not order.shuffle and images
    if sliced:
        # The first row group in slices, so that the first rows come from a small read.
        slices = np.where(groups == groups[0], np.log2(rows // SLICE + 1).astype(np.int64), 0)
    keys = np.stack([windows, groups, slices])
    _, firsts, inverse, uses = np.unique(keys, axis=1, return_index=True, return_inverse=True, return_counts=True)
    by_need = np.argsort(firsts, kind="stable")
    rank = np.empty_like(by_need)
    rank[by_need] = np.arange(len(by_need))
    piece = rank[inverse.reshape(-1)]
    begins, stops = np.full(len(by_need), order.total), np.zeros(len(by_need), dtype=np.int64)
    np.minimum.at(begins, piece, rows)
    np.maximum.at(stops, piece, rows + 1)
    pieces = []
    for number, first in enumerate(firsts[by_need].tolist()):
        group = int(groups[first])
        facts = layout.groups[group]
        begin, stop = int(begins[number]), int(stops[number])
        share = facts.bytes * (stop - begin) // facts.rows
        of_first = bool(sliced and group == groups[0])
        pieces.append(Piece(group, begin, stop, first, int(uses[by_need[number]]), share, of_first))
    return Schedule(tuple(pieces), piece, rows)


class Loader:
    """Loads the pieces of a schedule in threads of `pool`. All methods are called from one thread.

    At most `ahead` bytes are loaded beyond what was asked for; at first none, then as many as were handed out: whoever
    takes only a few rows reads only a few.
    """

    def __init__(self, pieces: tuple[Piece, ...], reader: GroupReader, pool: Executor, ahead: int) -> None:
        self._pieces, self._reader, self._pool, self._ahead = pieces, reader, pool, ahead
        self._futures: dict[int, Future[Rows]] = {}
        self._left = [piece.uses for piece in pieces]
        self._begun = 0
        self._wanted = 0
        self._handed = 0

    def want(self, sample: int) -> None:
        """Load what the samples before number `sample` need, and as much beyond as is allowed."""
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
        """Whether a piece is there; one that failed is not, and tells why when it is asked for."""
        future = self._futures.get(number)
        return future is not None and future.done() and future.exception() is None

    def get(self, number: int) -> Rows:
        """A piece that was asked for; waits for it, and raises what its reading raised."""
        return self._futures[number].result()

    def release(self, number: int, samples: int) -> None:
        """Say that so many samples of a piece are done: after the last of them it is let go, and more may be read ahead."""
        piece = self._pieces[number]
        self._left[number] -= samples
        self._handed += piece.bytes * samples // piece.uses
        if not self._left[number]:
            self._reader.give_back(self._futures.pop(number).result())
        self._pump()
