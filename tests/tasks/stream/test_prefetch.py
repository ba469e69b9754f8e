from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2 import Repository
from rocov2_tasks.stream.layout import RowGroup, ShardFile, SplitLayout
from rocov2_tasks.stream.order import Order
from rocov2_tasks.stream.prefetch import Loader, Piece, plan_reading

COUNTS = (13, 9, 11, 8, 12, 10)
SIZE = 1_000


def layout(rows: tuple[int, ...] = COUNTS) -> SplitLayout:
    groups = tuple(RowGroup(0, number, count, SIZE) for number, count in enumerate(rows))
    return SplitLayout(Repository("root", "", (), {}), (ShardFile("a", 1, 1),), groups, "0")


def order(shuffle: bool, lanes: int = 3, window: int = 3 * SIZE) -> Order:
    return Order(COUNTS, (SIZE,) * len(COUNTS), shuffle, 1, 2, lanes, window)


@given(st.booleans(), st.integers(0, 62), st.integers(1, 8), st.booleans(), st.integers(1, 4))
def test_the_pieces_hold_what_is_needed_when_it_is_needed(
    shuffle: bool, start: int, step: int, images: bool, lanes: int
) -> None:
    the_order = order(shuffle, lanes)
    positions = np.arange(start, the_order.total, step)
    schedule = plan_reading(the_order, positions, layout(), images)
    _, groups, rows = the_order.locate(positions)
    for sample, (piece, row) in enumerate(zip(schedule.piece.tolist(), schedule.row.tolist(), strict=True)):
        held = schedule.pieces[piece]
        assert (held.group, row) == (groups[sample], rows[sample])
        assert held.begin <= row < held.stop <= COUNTS[held.group]
        assert held.need <= sample
    assert [piece.need for piece in schedule.pieces] == sorted(piece.need for piece in schedule.pieces)
    for number, piece in enumerate(schedule.pieces):
        users = np.flatnonzero(schedule.piece == number)
        assert (piece.need, piece.uses) == (users[0], len(users))


@given(st.booleans(), st.integers(0, 60), st.integers(1, 2), st.integers(1, 40))
def test_runs_are_the_rows_of_the_samples(shuffle: bool, start: int, step: int, batch: int) -> None:
    the_order = order(shuffle)
    schedule = plan_reading(the_order, np.arange(start, the_order.total, step), layout(), images=True)
    for begin in range(0, len(schedule.row), batch):
        samples = range(begin, min(begin + batch, len(schedule.row)))
        runs = schedule.runs(samples)
        places = [(piece, row) for piece, first, stop in runs for row in range(first, stop)]
        assert places == (
            []
            if not runs
            else list(zip(schedule.piece[begin:][:batch].tolist(), schedule.row[begin:][:batch].tolist(), strict=True))
        )


def test_a_file_in_its_order_is_one_run() -> None:
    the_order = Order((200, 100), (SIZE, SIZE), False, 0, 0, 8, 1)
    schedule = plan_reading(the_order, np.arange(300), layout((200, 100)), images=False)
    assert schedule.runs(range(150, 300)) == [(0, 150, 200), (1, 0, 100)]
    assert schedule.runs(range(64, 128)) == [(0, 64, 128)]
    assert schedule.runs(range(0)) == []


def test_in_the_order_of_the_files_the_first_row_group_comes_in_slices_that_double() -> None:
    rows = (70, 20)
    the_order = Order(rows, (SIZE, SIZE), False, 0, 0, 8, 1)
    pieces = plan_reading(the_order, np.arange(90), layout(rows), images=True).pieces
    assert [(piece.group, piece.begin, piece.stop, piece.sliced) for piece in pieces] == [
        (0, 0, 8, True),
        (0, 8, 24, True),
        (0, 24, 56, True),
        (0, 56, 70, True),
        (1, 0, 20, False),
    ]
    assert len(plan_reading(the_order, np.arange(90), layout(rows), images=False).pieces) == 2


class Reader:
    """Gives pieces their own description."""

    def __init__(self) -> None:
        self.read_pieces: list[tuple[int, int, int]] = []
        self.back: list[Any] = []

    def read(self, group: int, begin: int, stop: int, growing: bool) -> Any:
        if group == 5:
            raise OSError("group 5")
        self.read_pieces.append((group, begin, stop))
        return (group, begin, stop)

    def give_back(self, rows: Any) -> None:
        self.back.append(rows)


class AtOnce(Executor):
    """Runs what is submitted in the same thread."""

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments, **options))
        except OSError as error:
            future.set_exception(error)
        return future


def loader(count: int, ahead: int) -> tuple[Loader, Reader]:
    pieces = tuple(Piece(number % 5, 0, 10, number * 10, 10, SIZE, False) for number in range(count))
    reader = Reader()
    return Loader(pieces, reader, AtOnce(), ahead), reader  # type: ignore[arg-type]


def test_nothing_is_read_ahead_before_something_was_used() -> None:
    loads, reader = loader(10, ahead=100 * SIZE)
    loads.want(1)
    assert len(reader.read_pieces) == 1
    loads.want(11)
    assert len(reader.read_pieces) == 2


def test_what_is_read_ahead_grows_with_what_was_used_up_to_the_limit() -> None:
    loads, reader = loader(30, ahead=3 * SIZE)
    read = []
    for number in range(8):
        loads.want(number * 10 + 1)
        loads.release(number, 10)
        read.append(len(reader.read_pieces) - number - 1)
    assert read == [1, 2, 3, 3, 3, 3, 3, 3]


def test_a_piece_is_given_back_after_its_last_sample() -> None:
    loads, reader = loader(2, ahead=SIZE)
    loads.want(1)
    loads.release(0, 4)
    assert reader.back == []
    loads.release(0, 6)
    assert reader.back == [(0, 0, 10)]


def test_what_fails_ahead_is_told_when_it_is_needed() -> None:
    pieces = (Piece(0, 0, 10, 0, 10, SIZE, False), Piece(5, 0, 10, 10, 10, SIZE, False))
    loads = Loader(pieces, Reader(), AtOnce(), 10 * SIZE)  # type: ignore[arg-type]
    loads.want(1)
    loads.release(0, 10)
    assert not loads.loaded(1)
    loads.want(11)
    with pytest.raises(OSError, match="group 5"):
        loads.get(1)
