from __future__ import annotations

from collections.abc import Sequence

import pytest

from rocov2 import Repository
from rocov2_tasks.stream.blocks import Blocks
from rocov2_tasks.stream.layout import RowGroup, ShardFile, SplitLayout

SIZES = ((100, 100, 100, 100), (100, 50), (400,))
FOOTER = 30


def layout() -> SplitLayout:
    shards = tuple(ShardFile(str(number), 4 + sum(sizes) + FOOTER, FOOTER) for number, sizes in enumerate(SIZES))
    groups = tuple(
        RowGroup(shard, number, 10, size) for shard, sizes in enumerate(SIZES) for number, size in enumerate(sizes)
    )
    return SplitLayout(Repository("root", "", (), {}), shards, groups, "0")


def content(shard: int) -> bytes:
    return bytes((shard + i) % 251 for i in range(4 + sum(SIZES[shard]) + FOOTER))


def blocks(groups: Sequence[int], most: int) -> tuple[Blocks, list[tuple[int, int, int]]]:
    asked: list[tuple[int, int, int]] = []

    def fetch(shard: int, start: int, end: int) -> bytes:
        asked.append((shard, start, end))
        return content(shard)[start:end]

    return Blocks(layout(), groups, most, fetch), asked


@pytest.mark.parametrize(
    ("groups", "most", "expected"),
    [
        (range(7), 200, [(0, 104, 304), (0, 304, 404), (1, 0, 184), (2, 4, 404)]),  # a group may be larger than a block
        (range(7), 1_000, [(0, 104, 404), (1, 0, 184), (2, 0, 434)]),
        (range(7), 1, [(0, 104, 204), (0, 204, 304), (0, 304, 404), (1, 4, 104), (1, 104, 154), (2, 4, 404)]),
        ([2, 3, 5, 6], 1_000, [(0, 304, 404), (1, 104, 154), (2, 0, 434)]),  # of workers, some read only these
        ([0, 1, 3], 1_000, [(0, 104, 204), (0, 304, 404)]),
        ([0], 1_000, []),
    ],
)
def test_neighbours_are_fetched_once_and_together(
    groups: Sequence[int], most: int, expected: list[tuple[int, int, int]]
) -> None:
    plan, asked = blocks(groups, most)
    assert plan.take(groups[0]) is None
    offsets = [4 + sum(sizes[:number]) for sizes in SIZES for number in range(len(sizes))]
    for number in groups[1:]:
        held, group = plan.take(number), layout().groups[number]
        assert held is not None
        offset = offsets[number]
        assert held.read(offset, group.bytes) == content(group.shard)[offset : offset + group.bytes]
        assert plan.take(number) is None
    assert asked == expected
    assert plan._of_group == {}


def test_a_small_shard_comes_with_its_footer() -> None:
    plan, asked = blocks(range(7), 200)
    assert plan.footer(0, 404) is None
    assert plan.footer(1, 154) == content(1)[154:]
    assert plan.footer(1, 154) is None  # it is asked for once, and the shard is not kept for it
    assert plan.take(4) is not None
    assert plan.take(5) is not None
    assert asked == [(1, 0, 184)]
