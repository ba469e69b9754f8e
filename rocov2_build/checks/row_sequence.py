"""Rules of the rows of whole splits: every id once, in the fixed order, and the same rows in data, text, small and mini."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

import rocov2
from rocov2_build.checks.row_faults import name_rows, show_value
from rocov2_build.checks.violations import Check
from rocov2_build.shards.plan import SHUFFLED
from rocov2_build.worker.scale import scaled_size

_COMPARED_AT_ONCE = 4096

_SOURCES = {"text": "default", "small": "default", "mini": "small"}
"""Configurations that repeat rows, and of which one."""

_MEASURED = ("width", "height")
"""Columns that differ between a picture and the same one scaled down."""


class Part(NamedTuple):
    """One file: its path, and its rows without images."""

    file: str
    rows: pa.Table


Splits = Mapping[tuple[str, str], Sequence[Part]]
"""Files by configuration and split, in reading order."""


def check_sequence(check: Check, splits: Splits, complete: set[tuple[str, str]], side: int | None) -> None:
    """Check the ids, the order of the rows, and the rows of the configurations that repeat those of `default`.

    Args:
        check: collects the violations.
        splits: the files that could be read.
        complete: configurations and splits all of whose files could be read.
        side: shorter side of the pictures of `small` that `conversion.json` records, in pixels; None if it is unknown.
    """
    wrong = _check_unique(check, [part for split in rocov2.SPLITS for part in splits.get(("default", split), ())])
    wrong = wrong or any(violation.rule == "image-id" for violation in check.violations)
    for split in rocov2.SPLITS:
        data = splits.get(("default", split), ())
        if not wrong:  # the order of such ids means nothing
            _check_order(check, split, data)
        for config in ("text", "small", "mini"):
            source = _SOURCES[config]
            if {(config, split), (source, split)} <= complete:
                is_same = _compare(check, config, split, splits)
                if is_same and config == "small" and side is not None:
                    _check_scaled(check, data, splits.get((config, split), ()), side)


def _check_unique(check: Check, parts: Sequence[Part]) -> bool:
    """Check that no id occurs twice, in one split or in two; returns whether one does."""
    if not parts:
        return False
    ids = pa.concat_tables([part.rows.select(["image_id"]) for part in parts])["image_id"]
    counts = ids.drop_null().value_counts()
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    seen: set[str] = set()
    for part in parts if len(repeated) else ():
        here = part.rows["image_id"]
        again = []
        for image_id in here.filter(pc.is_in(here, repeated)).to_pylist():
            again += [image_id] if image_id in seen else []
            seen.add(image_id)
        if again:
            check.add(
                "duplicate-id", part.file, expected="every id once", found=f"again {name_rows(again[0], len(again))}"
            )
    return bool(len(repeated))


def _check_order(check: Check, split: str, parts: Sequence[Part]) -> None:
    for group in rocov2.GROUPS:
        rows = [
            (part.file, image_id)
            for part in parts
            if rocov2.shard_group(part.file) == group
            for image_id in part.rows["image_id"].to_pylist()
            if image_id is not None
        ]
        if split in SHUFFLED:
            keys: Iterable[bytes | str] = [sha256(image_id.encode()).digest() for _, image_id in rows]
            rule, order = "row-order", "SHA-256 of the image ids"
        else:
            keys, rule, order = [image_id for _, image_id in rows], "release-order", "image ids"
        late = [number for number, (one, next_one) in enumerate(pairwise(keys), 1) if one > next_one]  # type: ignore[operator]
        if late:
            file, image_id = rows[late[0]]
            found = f"{name_rows(image_id, len(late))} after {rows[late[0] - 1][1]}"
            check.add(rule, file, expected=f"ascending {order} in the {group} shards of {split}", found=found)


def _check_scaled(check: Check, data: Sequence[Part], small: Sequence[Part], side: int) -> None:
    """Compare the sizes of the pictures of `small` with those of `data`, whose rows are the same."""
    shown = [row for part in data for row in part.rows.select([*_MEASURED, "image_id"]).to_pylist()]
    found = [(part.file, *row) for part in small for row in zip(*(part.rows[side] for side in _MEASURED), strict=True)]
    for row, (file, *sides) in zip(shown, found, strict=True):
        size = tuple(each.as_py() for each in sides)
        if None not in (*size, row["width"], row["height"]):
            wanted = scaled_size(row["width"], row["height"], side)
            if size != wanted:
                expected = f"{wanted[0]} x {wanted[1]} for {row['image_id']}"
                check.add("scaled-size", file, expected=expected, found=f"{size[0]} x {size[1]}")
                return


def _compare(check: Check, config: str, split: str, splits: Splits) -> bool:
    """Compare the rows of a split with those that they repeat: all of them in order, or of `mini` some in order.

    Returns whether they are the same.
    """
    rule, source = f"{config}-order", _SOURCES[config]
    parts, originals = splits.get((config, split), ()), splits.get((source, split), ())
    where, repeated = (rocov2.CONFIGS[name].files(split) for name in (config, source))
    is_part = config == "mini"
    expected = f"{'rows' if is_part else 'the rows'} of {repeated} in their order"
    if bool(parts) != bool(originals):
        if config == "text" or splits.keys() & {(config, other) for other in rocov2.SPLITS}:  # others may be left out
            check.add(rule, where, expected=expected, found="a split without rows")
        return False
    if not parts:
        return False
    columns = [name for name in rocov2.TEXT_FEATURES if config != "small" or name not in _MEASURED]
    one, other = (pa.concat_tables([part.rows.select(columns) for part in each]) for each in (originals, parts))
    if is_part:
        one = one.filter(pc.is_in(one["image_id"], other["image_id"]))
    if len(one) != len(other):
        check.add(rule, where, expected=f"{expected}: {len(one):,}", found=f"{len(other):,} rows")
        return False
    for start in range(0, len(one), _COMPARED_AT_ONCE):
        right, found = one.slice(start, _COMPARED_AT_ONCE), other.slice(start, _COMPARED_AT_ONCE)
        if not right.equals(found):
            pairs = zip(right.to_pylist(), found.to_pylist(), strict=True)
            row, (wanted, given) = next((n, pair) for n, pair in enumerate(pairs, start) if pair[0] != pair[1])
            name = next(name for name in wanted if wanted[name] != given[name])
            at = f"{show_value(given[name])} in {name} of {wanted['image_id']} (row {row:,})"
            check.add(rule, where, expected=f"{expected}: {show_value(wanted[name])}", found=at)
            return False
    return True
