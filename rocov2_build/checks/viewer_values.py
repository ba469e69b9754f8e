"""Rules of the Hub's dataset viewer that need the rows: its histograms, and the size of its first page."""

from __future__ import annotations

import json
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc

import rocov2
from rocov2_build.checks.viewer import WINDOW
from rocov2_build.checks.violations import Check

MAX_FIRST_ROWS = 200_000
"""Bytes of the viewer's answer in JSON; above this limit the first page leaves out rows, then truncates cells."""

_ASSETS = "https://datasets-server.huggingface.co/assets"
_NAME = "n" * 40
"""A name on the Hub, which is part of the address of each image: a longer one is rare."""

_LABELS, _MANY_LABELS, _LABELS_SHARE = 10, 1_000, 0.2
"""Strings are shown as labels if they have at most 10 distinct values, or at most 1,000 and a fifth of the rows."""


def check_values(check: Check, config: str, split: str, table: pa.Table) -> None:
    """Check one split of a configuration; `table` contains its rows without the images."""
    where = rocov2.CONFIGS[config].files(split)
    narrow = [
        f"{name} {least} to {most}"
        for name, feature in rocov2.CONFIGS[config].features.items()
        if name in table.column_names
        for least, most in [_range(table[name], feature)]
        if least is not None and most == least + 1
    ]
    if narrow:
        expected = "no range of exactly 1 in numbers and lengths"
        check.add("range-one", where, expected=expected, found=", ".join(narrow))
    rows = table.slice(0, WINDOW).to_pylist()
    size = measure_first_rows(config, split, rows)
    if size >= MAX_FIRST_ROWS:
        expected = f"less than {MAX_FIRST_ROWS:,} bytes for {len(rows)} rows"
        check.add("first-rows", where, expected=expected, found=f"{size:,}")


def measure_first_rows(config: str, split: str, rows: list[dict[str, Any]]) -> int:
    """Return the bytes of the viewer's answer with the first rows of a split, which are given without their images."""
    features = rocov2.CONFIGS[config].features
    listed = [
        {"feature_idx": number, "name": name, "type": kind}
        for number, (name, kind) in enumerate(features.to_dict().items())
    ]
    items = []
    for number, row in enumerate(rows):
        if "image" in features:
            path = f"{_NAME}/--/{{dataset_git_revision}}/--/{config}/{split}/{number}/image/image.jpg"
            row = {"image": {"src": f"{_ASSETS}/{path}", "height": row["height"], "width": row["width"]}, **row}
        items.append({"row_idx": number, "row": row, "truncated_cells": []})
    answer = {"dataset": _NAME, "config": config, "split": split, "features": listed, "rows": items, "truncated": False}
    return len(json.dumps(answer, ensure_ascii=False, separators=(",", ":"), default=str).encode())


def _range(column: pa.ChunkedArray, feature: object) -> tuple[int | None, int | None]:
    """Return the range of the histogram of a column (numbers, lengths of lists or of free text); None without one."""
    kind = column.type
    if isinstance(feature, datasets.ClassLabel) or not len(column):
        return None, None
    if pa.types.is_list(kind):
        column = pc.list_value_length(column)
    elif pa.types.is_string(kind):
        different = pc.count_distinct(column, mode="all").as_py()
        if different <= _LABELS or (different <= _MANY_LABELS and different <= _LABELS_SHARE * len(column)):
            return None, None
        column = pc.utf8_length(column)
    elif not pa.types.is_integer(kind):
        return None, None
    ends = pc.min_max(column).as_py()
    return ends["min"], ends["max"]
