"""Rules of the rows of whole splits: every id once, in the fixed order, and text the same rows as data."""

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

_COMPARED_AT_ONCE = 4096


class Part(NamedTuple):
    """One file: its path, and its rows without images."""

    file: str
    rows: pa.Table


Splits = Mapping[tuple[str, str], Sequence[Part]]
"""Files by configuration and split, in reading order."""


def check_sequence(check: Check, splits: Splits, complete: set[tuple[str, str]]) -> None:
    """Check the ids, the order of the rows, and the rows of `text`.

    Args:
        check: collects the violations.
        splits: the files that could be read.
        complete: configurations and splits all of whose files could be read.
    """
    wrong = _check_unique(check, [part for split in rocov2.SPLITS for part in splits.get(("default", split), ())])
    wrong = wrong or any(violation.rule == "image-id" for violation in check.violations)
    for split in rocov2.SPLITS:
        data, text = splits.get(("default", split), ()), splits.get(("text", split), ())
        if not wrong:  # the order of such ids means nothing
            _check_order(check, split, data)
        if {("default", split), ("text", split)} <= complete:
            _compare_text(check, split, data, text)


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
    for group in rocov2.LICENSE_GROUPS:
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


def _compare_text(check: Check, split: str, data: Sequence[Part], text: Sequence[Part]) -> None:
    """Compare the rows of `text` with those of `data`."""
    if not data and not text:
        return
    file = rocov2.CONFIGS["text"].files(split)
    expected = f"the rows of data/{split}-* in their order"
    if not data or not text:
        check.add("text-order", file, expected=expected, found="a split without rows")
        return
    one, other = (pa.concat_tables([part.rows for part in parts]) for parts in (data, text))
    if len(one) != len(other):
        check.add("text-order", file, expected=f"{expected}: {len(one):,}", found=f"{len(other):,} rows")
        return
    for start in range(0, len(one), _COMPARED_AT_ONCE):
        right, found = one.slice(start, _COMPARED_AT_ONCE), other.slice(start, _COMPARED_AT_ONCE)
        if not right.equals(found):
            pairs = zip(right.to_pylist(), found.to_pylist(), strict=True)
            row, (wanted, given) = next((n, pair) for n, pair in enumerate(pairs, start) if pair[0] != pair[1])
            name = next(name for name in wanted if wanted[name] != given[name])
            where = f"{show_value(given[name])} in {name} of {wanted['image_id']} (row {row:,})"
            check.add("text-order", file, expected=f"{expected}: {show_value(wanted[name])}", found=where)
            return
