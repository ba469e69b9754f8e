"""The rows of `mini`: a few of each split, drawn at random, with every label that the split has."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from rocov2 import CONFIGS, LABELS, SPLITS, scaled_path
from rocov2_build.shards.plan import Layout, Shard, cut_evenly, shuffling_key
from rocov2_build.worker.write import SCALED_JOIN

ROWS = {"train": 2_000, "validation": 250, "test": 250}
"""Most rows of each split."""


class MiniPlan(NamedTuple):
    """The file of one split.

    Attributes:
        path: the file, relative to the repository.
        rows: by file of `small`, the numbers of its rows to take, in order.
        row_groups: number of rows of each row group.
    """

    path: str
    rows: dict[str, tuple[int, ...]]
    row_groups: tuple[int, ...]


def plan_mini(rows: pd.DataFrame, shards: list[Shard], layout: Layout) -> list[MiniPlan]:
    """Choose the rows of each split, in the order of `small`.

    Args:
        rows: columns `split`, `image_id`, `size` and the labels.
        shards: the plan of these rows.
        layout: sizes to aim at, of the pictures before they are scaled.
    """
    sizes = rows["size"].tolist()
    plans = []
    for split in SPLITS:
        of_split = [shard for shard in shards if shard.split == split]
        chosen = _choose(rows, [row for shard in of_split for row in shard.rows], ROWS[split])
        taken = {
            scaled_path(shard.path): tuple(number for number, row in enumerate(shard.rows) if row in chosen)
            for shard in of_split
        }
        in_order = [sizes[row] for shard in of_split for row in shard.rows if row in chosen]
        if in_order:
            cuts = cut_evenly(in_order, SCALED_JOIN * layout.row_group_size)
            plans.append(
                MiniPlan(
                    CONFIGS["mini"].files(split),
                    {path: numbers for path, numbers in taken.items() if numbers},
                    tuple(end - start for start, end in cuts),
                )
            )
    return plans


def _choose(rows: pd.DataFrame, positions: list[int], most: int) -> set[int]:
    """Choose rows of one split: the first ones by a hash of their ids, and of each label at least one.

    Args:
        rows: all rows.
        positions: those of the split.
        most: how many to choose, unless there are fewer.
    """
    ids = rows["image_id"].tolist()
    drawn = sorted(positions, key=lambda row: shuffling_key(ids[row]))
    labels = {column: (rows[column].tolist(), rows[column].notna().tolist()) for column in LABELS}
    first: dict[tuple[str, int], int] = {}
    for row in drawn:
        for column, (values, known) in labels.items():
            if known[row]:
                first.setdefault((column, int(values[row])), row)
    chosen = set(first.values())
    for row in drawn:
        if len(chosen) >= most:
            break
        chosen.add(row)
    return chosen
