"""The order of the shards of several groups: they alternate, and every node of a training gets equal shares of each group."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rocov2 import GROUPS


def interleave(counts: Mapping[str, int]) -> list[str]:
    """Return the name of each group as often as it has shards, the groups alternating in proportion.

    >>> interleave({"a": 4, "b": 2})
    ['a', 'b', 'a', 'a', 'b', 'a']
    """
    places = [((i + 0.5) / count, name) for name, count in counts.items() for i in range(count)]
    return [name for _, name in sorted(places)]


def deal_rounds(counts: Mapping[str, int], nodes: int) -> list[str]:
    """Return the groups of the shards in an order in which every node gets equal shares of each group.

    A node of `nodes`, or of a divisor of it, takes every `nodes`-th shard. What it gets has as many shards of a group as what
    any other node gets: of all groups, and of those of a configuration (all commercial ones, or all apart ones). The order
    consists of rounds; a group has `nodes` shards in a round or none, so whole rounds are a fair sample of the groups. Groups
    whose number of shards is not a multiple of `nodes` come at the end.

    Args:
        counts: number of shards by group of `rocov2.GROUPS`.
        nodes: the largest number of nodes.
    """
    rounds = {name: count // nodes for name, count in counts.items() if count % nodes == 0}
    most = max(rounds.values(), default=0)
    order: list[str] = []
    for number in range(most):
        # In proportion: a group with half as many shards as the largest is in every second round.
        names = [name for name, count in rounds.items() if (number + 1) * count // most > number * count // most]
        order += _find_round(tuple(names), nodes)
    return order + interleave({name: count for name, count in counts.items() if name not in rounds})


class _Place(NamedTuple):
    """The names of groups that are taken together by some configuration, and the place in their order."""

    together: frozenset[str]
    column: int


@functools.cache
def _find_round(names: Sequence[str], nodes: int) -> list[str]:
    """Return an order of `nodes` shards of each group in which each group has each place, modulo `nodes`, once.

    The same holds for the order that is left if only the commercial groups are kept, and only the apart ones.
    """
    every = [frozenset(names)]
    every += [frozenset(name for name in names if GROUPS[name].commercial)]
    every += [frozenset(name for name in names if GROUPS[name].apart)]
    sets = [each for each in dict.fromkeys(every) if each]
    order: list[str] = []
    taken: set[tuple[str, _Place]] = set()
    used = Counter[str]()

    def places(name: str) -> list[tuple[str, _Place]]:
        return [
            (name, _Place(together, sum(used[other] for other in together) % nodes))
            for together in sets
            if name in together
        ]

    def search() -> bool:
        if len(order) == nodes * len(names):
            return True
        for name in sorted(names, key=lambda name: used[name]):  # the one that is behind comes first
            new = places(name)
            if used[name] < nodes and taken.isdisjoint(new):
                order.append(name)
                taken.update(new)
                used[name] += 1
                if search():
                    return True
                used[name] -= 1
                taken.difference_update(new)
                order.pop()
        return False

    if not search():
        raise AssertionError(f"no order of {names} for {nodes} nodes")
    return order
