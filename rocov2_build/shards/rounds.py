"""The order of the shards of several groups: they alternate, and every node of a training gets equal shares of each group."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from rocov2 import GROUPS

_MOST_STEPS = 50_000
"""Steps of a search, less than half a second, after which the shards are ordered in two halves."""


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
    any other node gets: of all groups, and of those of a configuration (all commercial ones, or all apart ones). The groups
    alternate, about in proportion to their numbers of shards. Groups whose number of shards is not a multiple of `nodes`
    come at the end.

    Args:
        counts: number of shards by group of `rocov2.GROUPS`.
        nodes: the largest number of nodes.
    """
    rounds = {name: count // nodes for name, count in counts.items() if count and count % nodes == 0}
    rest = {name: count for name, count in counts.items() if name not in rounds and count}
    return [*_deal(rounds, nodes), *interleave(rest)]


def _deal(rounds: Mapping[str, int], nodes: int) -> list[str]:
    """Order the shards of groups, each with a multiple of `nodes`, which is given."""
    if not rounds:
        return []
    times = math.gcd(*rounds.values())
    least = {name: count // times for name, count in rounds.items()}
    order = _search(least, nodes)
    if order is None:
        half = {name: count // 2 for name, count in least.items() if count > 1}
        other = {name: count - half.get(name, 0) for name, count in least.items()}
        order = _deal(half, nodes) + _deal(other, nodes)
    return order * times


def _search(rounds: Mapping[str, int], nodes: int) -> list[str] | None:
    """Return the first order found in which each group has each place, modulo `nodes`, equally often; None after a while.

    The same holds for the order that is left if only the commercial groups are kept, and only the apart ones.
    """
    every = [
        frozenset(rounds),
        frozenset(name for name in rounds if GROUPS[name].commercial),
        frozenset(name for name in rounds if GROUPS[name].apart),
    ]
    taken: Counter[tuple[str, frozenset[str], int]] = Counter()
    used: Counter[str] = Counter()

    def places(name: str) -> list[tuple[str, frozenset[str], int]]:
        """Return the place that the next shard of a group would have, in the order of each set of groups."""
        return [(name, groups, sum(used[other] for other in groups) % nodes) for groups in set(every) if name in groups]

    def candidates() -> Iterator[str]:
        return iter(sorted(rounds, key=lambda name: (used[name] + 0.5) / rounds[name]))  # the most behind comes first

    order: list[str] = []
    left = [candidates()]
    for _ in range(_MOST_STEPS):
        for name in left[-1]:
            new = places(name)
            if used[name] < nodes * rounds[name] and all(taken[place] < rounds[name] for place in new):
                taken.update(new)
                used[name] += 1
                order.append(name)
                left.append(candidates())
                break
        else:  # none fits: take the last one back
            left.pop()
            if not order:
                return None
            name = order.pop()
            used[name] -= 1
            taken.subtract(places(name))
        if len(order) == nodes * sum(rounds.values()):
            return order
    return None
