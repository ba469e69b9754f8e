"""Rows -> shards: the file, row group and position of each image. Pure: the same rows give the same plan."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pandas as pd

from rocov2 import GROUPS, LICENSES, SPLITS, shard_path
from rocov2_build.shards.rounds import deal_rounds, interleave
from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_count, format_size

TRAIN_SHARDS = 8
"""A group in train has a multiple of this many shards once it has as many row groups: nodes get equal shares of it."""

MAX_SHARDS = 2_000
MAX_ROW_GROUPS = 20_000
"""In a repository, about: every reader lists all files and reads all footers first."""

SHUFFLED = ("train",)
"""Splits whose rows are in a fixed shuffled order; the others keep the order of the release."""


@dataclass(frozen=True)
class Layout:
    """How the files are cut, and what is in them.

    Attributes:
        max_shard_size, row_group_size: in bytes of image data.
        small: shorter side of the pictures of `small` and `mini` in pixels; None for neither of them.
    """

    max_shard_size: int = 300_000_000
    row_group_size: int = 8_000_000
    small: int | None = 256


@dataclass(frozen=True)
class Shard:
    """One file: its path in the repository and, by row group, the positions of its rows in the table of rows."""

    path: str
    split: str
    row_groups: tuple[tuple[int, ...], ...]

    @property
    def rows(self) -> list[int]:
        """Positions of all rows, in file order."""
        return [row for group in self.row_groups for row in group]


def plan_shards(rows: pd.DataFrame, layout: Layout) -> list[Shard]:
    """Lay out all rows.

    Args:
        rows: columns `split`, `image_id`, `license` and `size` (bytes of the image), in the order of the release.
        layout: sizes to aim at.

    Returns:
        The shards of each split in the order of their numbers. A shard contains images of one group, and the groups alternate
        in proportion to their numbers of shards. In train, a node that takes every second, fourth or eighth shard gets an
        equal share of each group, in every configuration (`rounds`). No shard and no row group is empty.

    Raises:
        UserError: the sizes would make more shards or row groups than any reader wants.
    """
    total = int(rows["size"].sum())
    _require_few("max-shard-size", layout.max_shard_size, total, len(rows), MAX_SHARDS, "shards")
    _require_few("row-group-size", layout.row_group_size, total, len(rows), MAX_ROW_GROUPS, "row groups")
    commercial, shared = rows["license"].map(LICENSES), rows["article_in_other_split"]
    sizes = rows["size"].tolist()
    ids = rows["image_id"].tolist()
    shards = []
    for split in SPLITS:
        parts: dict[str, list[list[int]]] = {}
        for name, group in GROUPS.items():
            members = (rows["split"] == split) & (commercial == group.commercial) & (shared != group.apart)
            positions = [int(p) for p in members.to_numpy().nonzero()[0]]
            if split in SHUFFLED:
                positions.sort(key=lambda position: shuffling_key(ids[position]))
            cuts = _cut_shards([sizes[position] for position in positions], layout, split)
            parts[name] = [positions[start:end] for start, end in cuts]
        counts = {name: len(each) for name, each in parts.items() if each}
        order = deal_rounds(counts, TRAIN_SHARDS) if split in SHUFFLED else interleave(counts)
        left = {name: iter(each) for name, each in parts.items()}
        for index, name in enumerate(order):
            positions = next(left[name])
            cuts = cut_evenly([sizes[position] for position in positions], layout.row_group_size)
            shards.append(
                Shard(
                    path=shard_path(split, index, len(order), name),
                    split=split,
                    row_groups=tuple(tuple(positions[start:end]) for start, end in cuts),
                )
            )
    return shards


def shuffling_key(image_id: str) -> bytes:
    """Return what the shuffled splits are sorted by: as good as random, and the same in every build."""
    return hashlib.sha256(image_id.encode()).digest()


def _require_few(option: str, size: int, total: int, rows: int, most: int, parts: str) -> None:
    """Require that parts of `size` bytes are not more than `most`; a part contains at least one image."""
    count = min(math.ceil(total / size), rows)
    if count <= most:
        return
    unit, bytes_ = ("MB", 10**6) if total >= most * 10**6 else ("KB", 10**3)
    raise UserError(
        f"--{option} {format_size(size)} makes {count:,} {parts} of {format_count(rows, 'image')} "
        f"({format_size(total)}), about {most:,} are allowed: use {math.ceil(total / most / bytes_)}{unit} or more"
    )


def describe_plan(shards: list[Shard], rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return a line for each shard and one for the whole plan, as step and text."""
    lines = []
    for shard in shards:
        part = rows.iloc[shard.rows]
        images, groups = format_count(len(part), "image"), format_count(len(shard.row_groups), "row group")
        lines.append(("", f"{shard.path}  {images}, {groups}, {format_size(int(part['size'].sum()))}"))
    total = f"{format_count(len(shards), 'shard')}, {format_size(int(rows['size'].sum()))}"
    return [*lines, ("Dry run", f"{total}; nothing was written.")]


def _cut_shards(sizes: Sequence[int], layout: Layout, split: str) -> list[tuple[int, int]]:
    """Cut a group into shards of equal numbers of rows, each within the largest size if rows allow it."""
    if not sizes:
        return []
    step = TRAIN_SHARDS if split in SHUFFLED else 1
    most = len(sizes) // step * step or 1
    total = [0, *accumulate(sizes)]
    count = math.ceil(total[-1] / layout.max_shard_size) or 1
    if len(cut_evenly(sizes, layout.row_group_size)) >= step:
        count = max(count, step)  # the nodes of a training get equal shares of it, too
    while True:
        if count > 1:
            count = min(math.ceil(count / step) * step, most)
        cuts = [len(sizes) * i // count for i in range(count + 1)]
        largest = max(total[end] - total[start] for start, end in pairwise(cuts))
        if count >= most or largest <= 1.1 * layout.max_shard_size:
            return list(pairwise(cuts))
        count += 1


def cut_evenly(sizes: Sequence[int], target: int) -> list[tuple[int, int]]:
    """Cut a sequence into runs of about equal bytes, none much larger than `target` bytes and none empty."""
    count = min(math.ceil(sum(sizes) / target) or 1, len(sizes))
    step = sum(sizes) / count
    cuts = [0]
    middle = 0.0
    for position, size in enumerate(sizes):
        left = count - len(cuts)
        # A run ends when its share is reached, or when every remaining row is needed for a run of its own.
        if left and position > cuts[-1] and (middle + size / 2 > len(cuts) * step or len(sizes) - position <= left):
            cuts.append(position)
        middle += size
    return list(pairwise([*cuts, len(sizes)]))
