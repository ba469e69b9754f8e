"""The order of the shards of several groups."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from rocov2 import GROUPS, Group
from rocov2_build.shards.rounds import _search, deal_rounds, interleave

SETS = [groups for count in range(1, 5) for groups in itertools.combinations(GROUPS, count)]
TAKEN: dict[str, Callable[[Group], bool]] = {
    "all": lambda _: True,
    "commercial": lambda group: group.commercial,
    "apart": lambda group: group.apart,
}
"""The groups that a configuration takes."""


@pytest.mark.parametrize("taken", TAKEN)
@pytest.mark.parametrize("nodes", [2, 4, 8])
@pytest.mark.parametrize("groups", SETS, ids="+".join)
def test_nodes_get_equal_shares_of_each_group(groups: tuple[str, ...], nodes: int, taken: str) -> None:
    for sizes in ((8, 8, 8, 8), (8, 16, 24, 32), (40, 8, 24, 8), (16, 8, 8, 8), (8, 8, 48, 8)):
        counts = dict(zip(groups, sizes, strict=False))
        order = deal_rounds(counts, 8)
        assert {name: order.count(name) for name in order} == counts
        read = [name for name in order if TAKEN[taken](GROUPS[name])]
        for node in range(nodes):
            own = read[node::nodes]
            assert [own.count(name) * nodes for name in counts] == [read.count(name) for name in counts]


@pytest.mark.parametrize("groups", SETS, ids="+".join)
@pytest.mark.parametrize("sizes", [(8, 8, 8, 8), (24, 8, 8, 8), (40, 16, 16, 8)])
def test_the_groups_alternate_about_in_proportion(groups: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    counts = dict(zip(groups, sizes, strict=False))
    order = deal_rounds(counts, 8)
    for end in range(len(order)):
        for name, count in counts.items():
            assert abs(order[:end].count(name) - end * count / len(order)) <= 2.5


def test_the_order_of_the_release_begins_with_every_group() -> None:
    counts = dict(zip(GROUPS, (24, 8, 8, 8), strict=True))
    assert set(deal_rounds(counts, 8)[:8]) == set(GROUPS)


def test_numbers_for_which_the_search_ends_without_an_order_are_dealt_in_halves() -> None:
    counts = dict(zip(GROUPS, (24, 24, 8, 16), strict=True))
    assert _search({name: count // 8 for name, count in counts.items()}, 8) is None
    order = deal_rounds(counts, 8)
    for node in range(8):
        assert Counter(order[node::8]) == {name: count // 8 for name, count in counts.items()}


def test_groups_that_cannot_be_dealt_come_at_the_end() -> None:
    counts = {"commercial-apart": 8, "commercial-shared": 1, "noncommercial-apart": 1}
    assert deal_rounds(counts, 8)[8:] == ["commercial-shared", "noncommercial-apart"]
    assert deal_rounds({"commercial-apart": 1}, 8) == ["commercial-apart"]
    assert deal_rounds({}, 8) == []


def test_interleaving_is_in_proportion() -> None:
    assert interleave({"a": 4, "b": 2}) == ["a", "b", "a", "a", "b", "a"]
