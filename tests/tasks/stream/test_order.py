from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2_tasks.stream.order import Order, _permutation
from tests.support.examples import examples

Row = tuple[int, int]


@st.composite
def orders(draw: st.DrawFn, shuffle: bool = True) -> Order:
    rows = draw(st.lists(st.integers(1, 12), min_size=1, max_size=12))
    return Order(
        rows=tuple(rows),
        bytes=tuple(draw(st.integers(1, 100)) for _ in rows),
        shuffle=shuffle,
        seed=draw(st.integers(0, 5)),
        epoch=draw(st.integers(0, 5)),
        lanes=draw(st.integers(1, 10)),
        window=draw(st.integers(1, 600)),
    )


def everything(order: Order) -> list[Row]:
    _, groups, rows = order.locate(np.arange(order.total))
    return list(zip(groups.tolist(), rows.tolist(), strict=True))


def model(order: Order) -> list[Row]:
    """The order once more, row by row: lanes are cut from the permuted row groups, and deal one row each in turn."""
    groups = _permutation(len(order.rows), order.seed, order.epoch, 0).tolist()
    sequence = [(group, row) for group in groups for row in range(order.rows[group])]
    numbers, lanes = count(), []
    for lane in range(order.lanes):
        length = len(range(lane, order.total, order.lanes))
        part, sequence = sequence[:length], sequence[length:]
        lanes.append([row for window in cut(order, part) for row in shuffled(order, window, next(numbers))])
    return [lanes[place % order.lanes][place // order.lanes] for place in range(order.total)]


def cut(order: Order, lane: list[Row]) -> Iterator[list[Row]]:
    window: list[Row] = []
    for row in lane:
        touched = {group for group, _ in window} | {row[0]}
        if len(touched) > 1 and sum(order.bytes[group] for group in touched) > order.window / order.lanes:
            yield window
            window = []
        window.append(row)
    if window:
        yield window


def shuffled(order: Order, window: list[Row], number: int) -> list[Row]:
    return [window[place] for place in _permutation(len(window), order.seed, order.epoch, 1, number)]


@examples(300)
@given(orders())
def test_the_order_is_that_of_the_model(order: Order) -> None:
    assert everything(order) == model(order)


@examples(300)
@given(orders())
def test_every_row_stands_at_one_position(order: Order) -> None:
    assert sorted(everything(order)) == [(group, row) for group, rows in enumerate(order.rows) for row in range(rows)]


@given(orders(shuffle=False))
def test_without_shuffling_it_is_the_order_of_the_files(order: Order) -> None:
    assert everything(order) == [(group, row) for group, rows in enumerate(order.rows) for row in range(rows)]


@given(orders(), st.data())
def test_what_stands_at_a_position_does_not_depend_on_who_asks(order: Order, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.integers(0, order.total - 1), unique=True))
    _, groups, rows = order.locate(np.array(some, dtype=np.int64))
    whole = everything(order)
    assert list(zip(groups.tolist(), rows.tolist(), strict=True)) == [whole[position] for position in some]


@given(orders())
def test_the_open_windows_hold_no_more_than_the_window_or_a_row_group_each(order: Order) -> None:
    windows, groups, _ = order.locate(np.arange(order.total))
    for number in np.unique(windows):
        inside = np.unique(groups[windows == number])
        assert len(inside) == 1 or sum(order.bytes[group] for group in inside) <= order.window / order.lanes


def big(**changes: int) -> Order:
    settings = {"shuffle": True, "seed": 0, "epoch": 0, "lanes": 8, "window": 64_000_000}
    return Order(rows=tuple(90 + i % 40 for i in range(120)), bytes=(8_000_000,) * 120, **settings | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"seed": 1}, {"epoch": 1}])
def test_another_seed_or_epoch_is_another_order(change: dict[str, int]) -> None:
    one, other = everything(big()), everything(big(**change))
    assert sorted(one) == sorted(other)
    assert sum(a == b for a, b in zip(one, other, strict=True)) < len(one) / 50


def test_rows_that_stand_together_in_a_file_do_not_in_the_order() -> None:
    rows = everything(big())
    neighbours = sum(one[0] == other[0] for one, other in pairwise(rows))
    assert neighbours == 0  # eight lanes, and no row group is in two of them at the same time


@pytest.mark.parametrize("ranks", [1, 2, 4, 8])
def test_ranks_together_read_hardly_more_than_the_split(ranks: int) -> None:
    order = big()
    read = sum(len(np.unique(order.locate(np.arange(rank, order.total, ranks))[1])) for rank in range(ranks))
    assert read <= len(order.rows) + order.lanes - 1
    assert read <= 1.1 * len(order.rows)


@pytest.mark.parametrize("ranks", [2, 4, 8])
def test_ranks_read_equal_shares(ranks: int) -> None:
    order = big()
    rows = [len(np.arange(rank, order.total, ranks)) for rank in range(ranks)]
    groups = [len(np.unique(order.locate(np.arange(rank, order.total, ranks))[1])) for rank in range(ranks)]
    assert max(rows) - min(rows) <= 1
    assert max(groups) - min(groups) <= 2 * order.lanes // ranks + 2


def test_the_order_stays_as_it_is() -> None:
    # A state that was saved by an older version goes on in this order: a change of it is a new STATE_VERSION.
    digest = hashlib.sha256(str(everything(big())).encode()).hexdigest()
    assert digest[:16] == "13776ec1d304ab0d"
