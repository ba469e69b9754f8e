"""How far the first rows of a split differ from the whole: readers take the head of a stream for a sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from rocov2 import COLUMNS, LABELS
from rocov2_build.facts.columns import Columns, Numbers

PARTS = 10
"""The head is one of so many parts of a split."""

_COLUMNS = ("modality", "license", "article_in_other_split")
_DECIMALS = 4


def measure_head(columns: Columns) -> dict[str, dict[str, Any]]:
    """Return by split what the first tenth of its rows differs in.

    Returns:
        By split: `rows`, the number of rows of the head; and by column the `value` whose share differs most, with its share
        of the `head` and of the `split`.
    """
    values = {name: _read(columns, name) for name in _COLUMNS}
    return {split: _compare(values, rows) for split, rows in columns.splits.items()}


def _read(columns: Columns, name: str) -> tuple[Numbers, list[Any]]:
    """Return a column as codes, and the value of each code."""
    if name in LABELS:
        return columns.read_numbers(name), list(LABELS[name])
    if COLUMNS[name].feature.dtype == "bool":
        return columns.read_numbers(name).astype(np.int8), [False, True]
    codes, known = columns.read_codes(name)
    return codes, known.to_pylist()


def _compare(values: dict[str, tuple[Numbers, list[Any]]], rows: slice) -> dict[str, Any]:
    length = -(-(rows.stop - rows.start) // PARTS)
    compared: dict[str, Any] = {"rows": length}
    for name, (codes, known) in values.items():
        head, split = (
            np.bincount(codes[start:stop], minlength=len(known)) / (stop - start)
            for start, stop in ((rows.start, rows.start + length), (rows.start, rows.stop))
        )
        # Rounded before the comparison, so that the last bits of a quotient choose no value.
        most = int(np.argmax(np.round(abs(head - split), _DECIMALS)))
        compared[name] = {
            "value": known[most],
            "head": round(float(head[most]), _DECIMALS),
            "split": round(float(split[most]), _DECIMALS),
        }
    return compared
