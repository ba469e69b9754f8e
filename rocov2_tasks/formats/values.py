"""The values that every format needs of a row: those of columns that `rocov2.COLUMNS` does not call nullable."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_ELSEWHERE = r"[/\\]|^\.*$|^[A-Za-z]:"
"""Of paths: what is not the name of a file."""


def find_fault(table: pa.Table) -> str | None:
    """Return what the first row without a value has instead, with its image id; None if all rows of a table are complete."""
    from rocov2 import COLUMNS, LABELS

    for name, facts in COLUMNS.items():
        column = table[name].combine_chunks()
        wrong = _first(pc.is_null(column)) if column.null_count and not facts.nullable else None
        if wrong is not None:
            return f"{_name(table, wrong)}: {name} is null"
        if name == "image":
            wrong = _first(pc.is_null(column.field("bytes")))
            if wrong is not None:
                return f"{_name(table, wrong)}: image has no bytes"
            path = column.field("path")
            wrong = _first(pc.fill_null(pc.match_substring_regex(path, _ELSEWHERE), False))
            if wrong is not None:  # tools open it, if they do not take the bytes
                return (
                    f"{_name(table, wrong)}: the path of image is {path[wrong].as_py()!r}, expected the name of a file"
                )
        if pa.types.is_list(column.type) and column.flatten().null_count:
            wrong = pc.list_parent_indices(column)[_first(pc.is_null(column.flatten()))].as_py()
            return f"{_name(table, wrong)}: {name} is a list with null"
        if name in LABELS:
            last = len(LABELS[name]) - 1
            wrong = _first(pc.fill_null(pc.or_(pc.less(column, 0), pc.greater(column, last)), False))
            if wrong is not None:
                return f"{_name(table, wrong)}: {name} is {column[wrong]}, expected 0 to {last}"
    return None


def _first(flags: pa.BooleanArray) -> int | None:
    found = pc.index(flags, True).as_py()
    return None if found < 0 else int(found)


def _name(table: pa.Table, row: int) -> str:
    return table["image_id"][row].as_py() or f"row {row + 1} of a row group"
