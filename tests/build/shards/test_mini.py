"""The rows of `mini`."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from rocov2_build.shards.mini import ROWS, plan_mini
from rocov2_build.shards.plan import Layout, Shard, plan_shards


def release(count: int, split: str = "train") -> pd.DataFrame:
    """Rows of one split; one of them alone has region 3, another one direction 2."""
    return pd.DataFrame(
        {
            "split": split,
            "image_id": [f"{split}_{i:06}" for i in range(count)],
            "license": ["CC BY-NC" if i % 3 == 0 else "CC BY" for i in range(count)],
            "article_in_other_split": [i % 5 == 0 for i in range(count)],
            "size": 1_000,
            "modality": [i % 7 for i in range(count)],
            "region": [3 if i == 77 else None for i in range(count)],
            "direction": pd.Series([2 if i == 99 else 1 for i in range(count)], dtype=object),
        }
    )


def by_hash(rows: pd.DataFrame) -> list[int]:
    """Positions in the order of the hashes of the ids."""
    return sorted(rows.index, key=lambda row: hashlib.sha256(rows["image_id"][row].encode()).hexdigest())


def taken(rows: pd.DataFrame, layout: Layout) -> tuple[list[int], tuple[int, ...]]:
    """Positions of the chosen rows in the order of the file, and its row groups."""
    shards = {shard.path.replace("data/", "small/"): shard for shard in plan_shards(rows, layout)}
    (plan,) = plan_mini(rows, list(shards.values()), layout)
    assert plan.path == f"mini/{rows['split'][0]}.parquet"
    assert list(plan.rows) == [path for path in shards if path in plan.rows]
    return [shards[path].rows[number] for path, numbers in plan.rows.items() for number in numbers], plan.row_groups


@pytest.mark.parametrize(("split", "most"), ROWS.items())
def test_rows_are_drawn_by_a_hash_and_every_label_is_among_them(split: str, most: int) -> None:
    rows = release(3_000, split)
    layout = Layout(100_000, 10_000)
    chosen, row_groups = taken(rows, layout)
    assert len(chosen) == len(set(chosen)) == most == sum(row_groups)
    assert {77, 99} <= set(chosen)
    assert len(set(by_hash(rows)[:most]) - set(chosen)) <= 2
    order = [row for shard in plan_shards(rows, layout) for row in shard.rows if row in set(chosen)]
    assert chosen == order
    assert max(row_groups) <= 41


def test_all_rows_where_there_are_fewer() -> None:
    rows = release(120, "test")
    assert sorted(taken(rows, Layout())[0]) == list(range(120))


def test_shares_are_those_of_the_split() -> None:
    rows = release(30_000)
    chosen = rows.iloc[taken(rows, Layout(1_000_000, 100_000))[0]]
    assert abs((chosen["license"] == "CC BY-NC").mean() - 1 / 3) < 0.03
    assert abs(chosen["article_in_other_split"].mean() - 0.2) < 0.03


def test_a_split_without_rows_has_no_file() -> None:
    assert plan_mini(release(0), [], Layout()) == []


def test_a_file_without_chosen_rows_is_not_named() -> None:
    rows = release(600, "test")
    shards = [Shard("data/test-00000-of-00002-commercial-apart.parquet", "test", (tuple(by_hash(rows)[:300]),))]
    shards += [Shard("data/test-00001-of-00002-commercial-shared.parquet", "test", (tuple(by_hash(rows)[500:]),))]
    rows["region"], rows["direction"], rows["modality"] = None, None, 0
    (plan,) = plan_mini(rows, shards, Layout())
    assert list(plan.rows) == ["small/test-00000-of-00002-commercial-apart.parquet"]
