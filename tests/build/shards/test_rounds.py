"""The order of the shards of several groups."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from rocov2 import GROUPS, Group
from rocov2_build.shards.rounds import deal_rounds, interleave

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
def test_a_round_has_eight_shards_of_each_group_and_they_alternate(groups: tuple[str, ...]) -> None:
    order = deal_rounds(dict.fromkeys(groups, 16), 8)
    length = 8 * len(groups)
    assert order[:length] == order[length:]
    assert {order[:length].count(name) for name in groups} == {8}
    for end in range(length):
        seen = [order[:end].count(name) for name in groups]
        assert max(seen) - min(seen) <= 3


def test_a_smaller_group_is_in_fewer_rounds() -> None:
    order = deal_rounds({"commercial-apart": 32, "commercial-shared": 8}, 8)
    assert [order[start : start + 8].count("commercial-shared") for start in range(0, 40, 8)] == [0, 0, 0, 4, 4]


def test_groups_that_cannot_be_dealt_come_at_the_end() -> None:
    counts = {"commercial-apart": 8, "commercial-shared": 1, "noncommercial-apart": 1}
    assert deal_rounds(counts, 8)[8:] == ["commercial-shared", "noncommercial-apart"]
    assert deal_rounds({"commercial-apart": 1}, 8) == ["commercial-apart"]
    assert deal_rounds({}, 8) == []


def test_interleaving_is_in_proportion() -> None:
    assert interleave({"a": 4, "b": 2}) == ["a", "b", "a", "a", "b", "a"]
