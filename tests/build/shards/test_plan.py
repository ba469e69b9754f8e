"""Rows -> shards: what holds for every plan, and a small one written out."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2 import GROUPS, LICENSES, SPLITS
from rocov2_build.shards.plan import Layout, Shard, plan_shards
from rocov2_shared.errors import UserError
from tests.support.examples import examples

PATH = re.compile(r"data/(train|validation|test)-(\d{5})-of-(\d{5})-((?:non)?commercial-(?:apart|shared))\.parquet")

Row = tuple[str, str, str, int]
"""Split, image id, licence, size; an id that ends in `+` is of an article that another split has, too."""


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as the planner takes them."""
    table = pd.DataFrame(rows, columns=["split", "image_id", "license", "size"])
    return table.assign(article_in_other_split=[row[1].endswith("+") for row in rows])


def group_of(row: Row) -> str:
    """The name of the group of a row."""
    return f"{'' if LICENSES[row[2]] else 'non'}commercial-{'shared' if row[1].endswith('+') else 'apart'}"


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
        ends = st.sampled_from(draw(st.sampled_from([[""], ["+"], ["", "+"], ["", "", "", "+"]])))
        rows += [
            (split, f"{split}_{i:06}{draw(ends)}", draw(licenses), draw(st.integers(1, largest))) for i in range(count)
        ]
    total = sum(size for *_, size in rows) or 1
    layout = Layout(max(1, total // draw(st.integers(1, 100))), max(1, total // draw(st.integers(1, 200))))
    return rows, layout


@dataclass(frozen=True)
class Group:
    """The shards of one split and group, in order, with the positions of the group's rows."""

    split: str
    name: str
    shards: list[Shard]
    rows: list[int]


def name_of(shard: Shard) -> str:
    """The name of the group of a shard."""
    found = PATH.fullmatch(shard.path)
    assert found
    return found[4]


def groups_of(rows: Sequence[Row], shards: list[Shard]) -> list[Group]:
    """All groups that have rows."""
    found = []
    for split in SPLITS:
        for name in GROUPS:
            own = [shard for shard in shards if shard.split == split and name == name_of(shard)]
            members = [i for i, row in enumerate(rows) if row[0] == split and group_of(row) == name]
            if own or members:
                found.append(Group(split, name, own, members))
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
        assert {group_of(rows[row]) for row in shard.rows} == {name_of(shard)}


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
        row_groups = min(-(-sum(sizes) // layout.row_group_size), len(group.rows))
        if sum(sizes) <= layout.max_shard_size and (group.split != "train" or row_groups < 8):
            assert count == 1
        if group.split == "train" and row_groups >= 8:
            assert count % 8 == 0


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
def test_the_groups_alternate_in_proportion(release: tuple[list[Row], Layout]) -> None:
    rows, layout = release
    shards = plan_shards(frame(rows), layout)
    for split in SPLITS:
        names = [name_of(shard) for shard in shards if shard.split == split]
        if split == "train":  # its rounds have a test of their own
            continue
        for one, other in itertools.combinations(dict.fromkeys(names), 2):
            for length in range(len(names) + 1):
                seen, others = names[:length].count(one), names[:length].count(other)
                shares = seen / names.count(one), others / names.count(other)
                assert abs(shares[0] - shares[1]) <= 0.5 / names.count(one) + 0.5 / names.count(other) + 1e-9


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
        Shard("data/train-00000-of-00001-commercial-apart.parquet", "train", ((1,), (3,), (0,), (2,))),
        Shard("data/validation-00000-of-00003-commercial-apart.parquet", "validation", ((5,), (6,))),
        Shard("data/validation-00001-of-00003-noncommercial-apart.parquet", "validation", ((4,),)),
        Shard("data/validation-00002-of-00003-commercial-apart.parquet", "validation", ((7,), (8,))),
        Shard("data/test-00000-of-00001-noncommercial-apart.parquet", "test", ((9,),)),
    ]


def test_a_group_of_train_has_eight_shards_as_soon_as_it_has_eight_row_groups() -> None:
    rows: list[Row] = [("train", f"t{i}", "CC BY", 10) for i in range(64)]
    for row_group, count in ((80, 8), (81, 8), (90, 8), (92, 1), (640, 1)):
        assert len(plan_shards(frame(rows), Layout(10_000, row_group))) == count, row_group


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
    assert Layout() == Layout(max_shard_size=300_000_000, row_group_size=8_000_000, small=256)


def test_the_size_of_the_release() -> None:
    rows: list[Row] = [
        (split, f"{split}_{i:06}{'+' if i % 60 == 0 else ''}", "CC BY-NC" if i % 4 == 0 else "CC BY", 79_000)
        for split, count in (("train", 59_958), ("validation", 9_904))
        for i in range(count)
    ]
    shards = plan_shards(frame(rows), Layout())
    counts = Counter((shard.split, name_of(shard)) for shard in shards)
    assert counts == {
        ("train", "commercial-apart"): 16,
        ("train", "noncommercial-apart"): 8,
        ("train", "noncommercial-shared"): 8,
        ("validation", "commercial-apart"): 2,
        ("validation", "noncommercial-apart"): 1,
        ("validation", "noncommercial-shared"): 1,
    }
    assert max(len(shard.rows) for shard in shards) * 79_000 < 1.1 * 300_000_000
    groups = [len(group) * 79_000 for shard in shards for group in shard.row_groups]
    assert 4_000_000 < min(groups) <= max(groups) < 8_100_000


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
