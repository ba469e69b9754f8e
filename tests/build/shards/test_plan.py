"""Rows -> shards: what holds for every plan, and a small one written out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2 import LICENSES, SPLITS
from rocov2_build.shards.plan import Layout, Shard, plan_shards
from rocov2_shared.errors import UserError
from tests.support.examples import examples

PATH = re.compile(r"data/(train|validation|test)-(\d{5})-of-(\d{5})-(commercial|noncommercial)\.parquet")

Row = tuple[str, str, str, int]
"""Split, image id, licence, size."""


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as the planner takes them."""
    return pd.DataFrame(rows, columns=["split", "image_id", "license", "size"])


@st.composite
def releases(draw: st.DrawFn) -> tuple[list[Row], Layout]:
    """Rows of a release by split, with a layout that makes anything from one to many shards of them."""
    rows = []
    largest = draw(st.sampled_from([1, 100, 10_000]))
    for split in SPLITS:
        licenses = st.sampled_from(
            draw(st.sampled_from([["CC BY"], ["CC BY-NC"], ["CC BY", "CC BY-NC"], list(LICENSES)]))
        )
        count = draw(st.integers(0, 60))
        rows += [(split, f"{split}_{i:06}", draw(licenses), draw(st.integers(1, largest))) for i in range(count)]
    total = sum(size for *_, size in rows) or 1
    layout = Layout(max(1, total // draw(st.integers(1, 100))), max(1, total // draw(st.integers(1, 200))))
    return rows, layout


@dataclass(frozen=True)
class Group:
    """The shards of one split and licence group, in order, with the positions of the group's rows."""

    split: str
    free: bool
    shards: list[Shard]
    rows: list[int]


def groups_of(rows: Sequence[Row], shards: list[Shard]) -> list[Group]:
    """All groups that have rows."""
    found = []
    for split in SPLITS:
        for free, name in ((True, "-commercial."), (False, "-noncommercial.")):
            own = [shard for shard in shards if shard.split == split and name in shard.path]
            members = [i for i, row in enumerate(rows) if row[0] == split and LICENSES[row[2]] == free]
            if own or members:
                found.append(Group(split, free, own, members))
    return found


EVERY_PLAN = examples(60)


@EVERY_PLAN
@given(releases())
def test_every_row_once_and_nothing_empty(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    shards = plan_shards(frame(rows), layout)
    assert sorted(row for shard in shards for row in shard.rows) == list(range(len(rows)))
    assert all(shard.row_groups for shard in shards)
    assert all(group for shard in shards for group in shard.row_groups)
    for shard in shards:
        assert {rows[row][0] for row in shard.rows} == {shard.split}
        assert {LICENSES[rows[row][2]] for row in shard.rows} == {"-commercial." in shard.path}


@EVERY_PLAN
@given(releases())
def test_numbers_and_order_of_shards(release: tuple[list[Row], Layout]) -> None:
    shards = plan_shards(frame(release[0]), release[1])
    assert list(dict.fromkeys(shard.split for shard in shards)) == [
        split for split in SPLITS if any(row[0] == split for row in release[0])
    ]
    for split in SPLITS:
        own = [shard.path for shard in shards if shard.split == split]
        parts = [found for path in own if (found := PATH.fullmatch(path))]
        assert len(parts) == len(own)
        assert [part[1] for part in parts] == [split] * len(own)
        assert [int(part[2]) for part in parts] == list(range(len(own)))
        assert {int(part[3]) for part in parts} <= {len(own)}


@EVERY_PLAN
@given(releases())
def test_order_of_rows(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    for group in groups_of(rows, plan_shards(frame(rows), layout)):
        order = [row for shard in group.shards for row in shard.rows]
        if group.split == "train":
            assert order == sorted(group.rows, key=lambda row: hashlib.sha256(rows[row][1].encode()).hexdigest())
        else:
            assert order == group.rows


@EVERY_PLAN
@given(releases())
def test_counts_and_sizes_of_shards(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    for group in groups_of(rows, plan_shards(frame(rows), layout)):
        count = len(group.shards)
        most = len(group.rows) // 8 * 8 or 1 if group.split == "train" else len(group.rows)
        if group.split == "train":
            assert count == 1 or count % 8 == 0
        assert 1 <= count <= most
        lengths = [len(shard.rows) for shard in group.shards]
        assert max(lengths) - min(lengths) <= 1
        sizes = [sum(rows[row][3] for row in shard.rows) for shard in group.shards]
        assert max(sizes) <= 1.1 * layout.max_shard_size or count == most
        if sum(sizes) <= layout.max_shard_size:
            assert count == 1


@EVERY_PLAN
@given(releases())
def test_sizes_of_row_groups(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    for shard in plan_shards(frame(rows), layout):
        total = sum(rows[row][3] for row in shard.rows)
        assert len(shard.row_groups) == min(-(-total // layout.row_group_size), len(shard.rows))
        for group in shard.row_groups:
            sizes = [rows[row][3] for row in group]
            # A row belongs to the group in which its middle lies, so a group ends at most half a row beyond its share.
            assert len(group) == 1 or sum(sizes) <= layout.row_group_size + (sizes[0] + sizes[-1]) / 2


@EVERY_PLAN
@given(releases())
def test_every_prefix_is_a_fair_sample(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    shards = plan_shards(frame(rows), layout)
    for split in SPLITS:
        own = [shard for shard in shards if shard.split == split]
        free = ["-commercial." in shard.path for shard in own]
        counts = free.count(True), free.count(False)
        if not all(counts):
            continue
        for length in range(len(own) + 1):
            taken = free[:length].count(True), free[:length].count(False)
            # The same part of both groups, to within half a shard of each; in train, where eight nodes get the same, one
            # and a half.
            most = 1.5 if split == "train" else 0.5
            assert abs(taken[0] / counts[0] - taken[1] / counts[1]) <= most / counts[0] + most / counts[1] + 1e-9


@EVERY_PLAN
@given(releases())
def test_the_same_rows_give_the_same_plan(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    renumbered = frame(rows).set_index(pd.Index(range(1000, 1000 + len(rows))))
    assert plan_shards(frame(rows), layout) == plan_shards(renumbered, layout)


def test_order_of_train_does_not_depend_on_the_order_of_the_release() -> None:
    rows: list[Row] = [("train", f"train_{i:06}", "CC BY", 10) for i in range(50)]
    layout = Layout(100, 30)
    forwards, backwards = (
        [[order[row][1] for row in shard.rows] for shard in plan_shards(frame(order), layout)]
        for order in (rows, rows[::-1])
    )
    assert forwards == backwards


def test_no_rows() -> None:
    assert plan_shards(frame([]), Layout()) == []


def test_a_small_plan() -> None:
    rows: list[Row] = [
        *(("train", f"train_{i}", "CC BY", 10) for i in range(4)),
        ("validation", "v0", "CC BY-NC", 40),
        ("validation", "v1", "CC BY", 10),
        ("validation", "v2", "CC BY", 10),
        ("validation", "v3", "MIT", 10),
        ("validation", "v4", "CC BY", 10),
        ("test", "x0", "CC BY-NC", 500),
    ]
    by_hash = sorted(range(4), key=lambda row: hashlib.sha256(rows[row][1].encode()).hexdigest())
    assert by_hash == [1, 3, 0, 2]
    assert plan_shards(frame(rows), Layout(max_shard_size=20, row_group_size=10)) == [
        # Four rows cannot fill eight shards: one, although it is larger.
        Shard("data/train-00000-of-00001-commercial.parquet", "train", ((1,), (3,), (0,), (2,))),
        Shard("data/validation-00000-of-00003-commercial.parquet", "validation", ((5,), (6,))),
        Shard("data/validation-00001-of-00003-noncommercial.parquet", "validation", ((4,),)),
        Shard("data/validation-00002-of-00003-commercial.parquet", "validation", ((7,), (8,))),
        Shard("data/test-00000-of-00001-noncommercial.parquet", "test", ((9,),)),
    ]


def test_shards_of_train_come_in_eights() -> None:
    rows: list[Row] = [("train", f"t{i}", "CC BY-NC" if i < 20 else "CC BY", 10) for i in range(100)]
    names = [shard.path.split("-")[-1] for shard in plan_shards(frame(rows), Layout(100, 50))]
    assert names == [
        *["commercial.parquet", "noncommercial.parquet"] * 4,
        *["noncommercial.parquet", "commercial.parquet"] * 4,
    ]


@pytest.mark.parametrize("groups", [(8, 8), (16, 8), (24, 8), (40, 24), (8, 56), (16, 16), (40, 0), (88, 40)])
@pytest.mark.parametrize("nodes", [2, 4, 8])
def test_nodes_get_equal_shares_of_both_groups(groups: tuple[int, int], nodes: int) -> None:
    rows: list[Row] = [
        ("train", f"{license}{i}", license, 10)
        for license, shards in zip(("CC BY", "CC BY-NC"), groups, strict=True)
        for i in range(shards * 2)
    ]
    paths = [shard.path for shard in plan_shards(frame(rows), Layout(20, 10))]
    for node in range(nodes):
        own = ["-commercial." in path for path in paths[node::nodes]]
        assert (own.count(True) * nodes, own.count(False) * nodes) == groups


@pytest.mark.parametrize(
    ("sizes", "target", "groups"),
    [
        ([10, 10, 10, 10], 20, ((0, 1), (2, 3))),
        ([10, 10, 10], 20, ((0, 1), (2,))),
        ([100, 1, 1], 20, ((0,), (1,), (2,))),
        ([1, 1, 100], 20, ((0,), (1,), (2,))),
        ([10, 10, 10, 10], 1000, ((0, 1, 2, 3),)),
        ([10, 10], 1, ((0,), (1,))),
    ],
)
def test_row_groups(sizes: list[int], target: int, groups: tuple[tuple[int, ...], ...]) -> None:
    rows: list[Row] = [("test", f"x{i}", "CC BY", size) for i, size in enumerate(sizes)]
    (shard,) = plan_shards(frame(rows), Layout(row_group_size=target))
    assert shard.row_groups == groups


def test_the_default_sizes() -> None:
    assert Layout() == Layout(max_shard_size=300_000_000, row_group_size=8_000_000)


def test_the_size_of_the_release() -> None:
    rows: list[Row] = [
        *(("train", f"train_{i:06}", "CC BY-NC" if i % 5 == 0 else "CC BY", 79_000) for i in range(59_958)),
        *(("validation", f"valid_{i:06}", "CC BY-NC" if i % 5 == 0 else "CC BY", 79_000) for i in range(9_904)),
    ]
    shards = plan_shards(frame(rows), Layout())
    counts = {
        (split, name): sum(shard.split == split and shard.path.endswith(f"-{name}.parquet") for shard in shards)
        for split in ("train", "validation")
        for name in ("commercial", "noncommercial")
    }
    assert counts == {
        ("train", "commercial"): 16,
        ("train", "noncommercial"): 8,
        ("validation", "commercial"): 3,
        ("validation", "noncommercial"): 1,
    }
    assert max(len(shard.rows) for shard in shards) * 79_000 < 1.1 * 300_000_000
    groups = [len(group) * 79_000 for shard in shards for group in shard.row_groups]
    assert 7_000_000 < min(groups) <= max(groups) < 8_100_000


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (
            Layout(max_shard_size=1_000, row_group_size=1_000),
            "--max-shard-size 1.0 kB makes 2,500 shards of 2,500 images (10 MB), about 2,000 are allowed: "
            "use 5KB or more",
        ),
        (
            Layout(max_shard_size=4_999, row_group_size=1_000),
            "--max-shard-size 5.0 kB makes 2,001 shards of 2,500 images (10 MB), about 2,000 are allowed: "
            "use 5KB or more",
        ),
        (Layout(max_shard_size=5_000, row_group_size=1_000), None),
    ],
)
def test_sizes_that_make_thousands_of_files_are_refused(layout: Layout, message: str | None) -> None:
    rows = [("test", f"test_{i:06}", "CC BY", 4_000) for i in range(2_500)]
    if message is None:
        assert len(plan_shards(frame(rows), layout)) == 2_500  # two images of 4 kB do not fit into 5 kB
        return
    with pytest.raises(UserError) as caught:
        plan_shards(frame(rows), layout)
    assert str(caught.value) == message


def test_sizes_that_make_too_many_row_groups_are_refused() -> None:
    rows = [("test", f"test_{i:06}", "CC BY", 100_000_000) for i in range(20_001)]
    with pytest.raises(UserError, match=r"--row-group-size 8\.0 MB makes 20,001 row groups of .*: use 101MB or more"):
        plan_shards(frame(rows), Layout(max_shard_size=50_000_000_000))
