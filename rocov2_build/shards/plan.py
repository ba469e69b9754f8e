"""Rows -> shards: the file, row group and position of each image. Pure: the same rows give the same plan."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pandas as pd

from rocov2 import LICENSE_GROUPS, LICENSES, SPLITS, shard_path
from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_count, format_size

TRAIN_SHARDS = 8
"""A licence group in train has a multiple of this many shards once it has several: nodes and workers get equal shares."""

MAX_SHARDS = 2_000
MAX_ROW_GROUPS = 20_000
"""In a repository, about: every reader lists all files and reads all footers first."""

SHUFFLED = ("train",)
"""Splits whose rows are in a fixed shuffled order; the others keep the order of the release."""


@dataclass(frozen=True)
class Layout:
    """Sizes in bytes of image data."""

    max_shard_size: int = 300_000_000
    row_group_size: int = 8_000_000


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
        The shards of each split in the order of their numbers. The two licence groups are interleaved in proportion, so that
        any prefix is a fair sample of the split. In train, every second, fourth or eighth shard from any start contains
        equal shares of each group (if both have several shards). No shard and no row group is empty.

    Raises:
        UserError: the sizes would make more shards or row groups than any reader wants.
    """
    total = int(rows["size"].sum())
    _require_few("max-shard-size", layout.max_shard_size, total, len(rows), MAX_SHARDS, "shards")
    _require_few("row-group-size", layout.row_group_size, total, len(rows), MAX_ROW_GROUPS, "row groups")
    commercial = rows["license"].map(LICENSES)
    sizes = rows["size"].tolist()
    ids = rows["image_id"].tolist()
    shards = []
    for split in SPLITS:
        groups: list[tuple[float, str, list[int]]] = []
        for name, allowed in LICENSE_GROUPS.items():
            members = commercial == allowed
            positions = [int(p) for p in ((rows["split"] == split) & members).to_numpy().nonzero()[0]]
            if split in SHUFFLED:
                positions.sort(key=lambda position: hashlib.sha256(ids[position].encode()).digest())
            parts = _cut_shards([sizes[position] for position in positions], layout, split)
            groups += [
                ((i + 0.5) / len(parts), name, [positions[p] for p in range(*part)]) for i, part in enumerate(parts)
            ]
        groups.sort(key=lambda group: group[:2])
        ordered = [group[1:] for group in groups]
        for index, (name, positions) in enumerate(_deal_evenly(ordered) if split in SHUFFLED else ordered):
            cuts = _cut_evenly([sizes[position] for position in positions], layout.row_group_size)
            shards.append(
                Shard(
                    path=shard_path(split, index, len(groups), name),
                    split=split,
                    row_groups=tuple(tuple(positions[start:end]) for start, end in cuts),
                )
            )
    return shards


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


def _deal_evenly(shards: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
    """Reorder shards (group, rows) so that every node gets equal shares of each group.

    The groups keep alternating in proportion, and the shards of a group keep their order.
    """
    names = [name for name, _ in shards]
    period = len(shards) // TRAIN_SHARDS
    if period % 2 or not period or any(names.count(name) % TRAIN_SHARDS for name in set(names)):
        return shards
    left = {name: iter([shard for shard in shards if shard[0] == name]) for name in names}
    return [next(left[name]) for name in min(_even_orders(names[:period]), key=_drift)]


def _even_orders(period: Sequence[str]) -> list[list[str]]:
    """Return the orders of group names in which every node gets each position of the period once.

    A node of W takes every W-th shard. If the shards are written in lines of `TRAIN_SHARDS`, it takes whole columns. There
    are as many lines as the period is long. Each line begins `step` positions of the period after the last one: if step and
    period have no common divisor, a column contains every position once.
    """
    length = len(period)
    return [
        [period[(line * step + column) % length] for line in range(length) for column in range(TRAIN_SHARDS)]
        for step in range(1, length)
        if math.gcd(step, length) == 1
    ]


def _drift(names: Sequence[str]) -> int:
    """Return how far the groups' shares of a prefix are apart, at worst."""
    first = next(iter(LICENSE_GROUPS))
    total = names.count(first)
    free = accumulate(name == first for name in names)
    return max(abs(seen * len(names) - total * length) for length, seen in enumerate(free, 1))


def _cut_shards(sizes: Sequence[int], layout: Layout, split: str) -> list[tuple[int, int]]:
    """Cut a licence group into shards of equal numbers of rows, each within the largest size if rows allow it."""
    if not sizes:
        return []
    step = TRAIN_SHARDS if split in SHUFFLED else 1
    most = len(sizes) // step * step or 1
    total = [0, *accumulate(sizes)]
    count = math.ceil(total[-1] / layout.max_shard_size) or 1
    while True:
        if count > 1:
            count = min(math.ceil(count / step) * step, most)
        cuts = [len(sizes) * i // count for i in range(count + 1)]
        largest = max(total[end] - total[start] for start, end in pairwise(cuts))
        if count >= most or largest <= 1.1 * layout.max_shard_size:
            return list(pairwise(cuts))
        count += 1


def _cut_evenly(sizes: Sequence[int], target: int) -> list[tuple[int, int]]:
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
