"""The rule of statistics in footers: tools skip row groups whose minimum and maximum leave no row of a filter."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rocov2_build.checks.row_faults import show_value


def find_wrong_statistics(group: pq.RowGroupMetaData, rows: pa.Table) -> list[tuple[str, str]]:
    """Return what was expected and what was found in each column whose statistics are not those of its values.

    Args:
        group: of the footer.
        rows: all of its rows.
    """
    leaves = _leaves(rows)
    return [
        fault
        for number in range(group.num_columns)
        for column in [group.column(number)]
        if column.is_stats_set and column.path_in_schema in leaves
        for fault in _compare(column.path_in_schema, column.statistics, leaves[column.path_in_schema])
    ]


def _leaves(rows: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Return the values of the Parquet columns by their path; the bytes of images have no statistics."""
    leaves: dict[str, pa.ChunkedArray] = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if pa.types.is_struct(column.type):
            leaves |= {f"{name}.{part.name}": pc.struct_field(column, part.name) for part in column.type}
        elif pa.types.is_list(column.type):
            leaves[f"{name}.list.element"] = pc.list_flatten(column)
        else:
            leaves[name] = column
    return leaves


def _compare(path: str, statistics: pq.Statistics, values: pa.ChunkedArray) -> list[tuple[str, str]]:
    faults = []
    # Parquet counts an empty list as a null.
    if statistics.has_null_count and not path.endswith(".element") and statistics.null_count != values.null_count:
        faults.append((f"{values.null_count:,} nulls in {path}", f"{statistics.null_count:,}"))
    if statistics.has_min_max:
        wanted: dict[str, Any] = pc.min_max(values).as_py()
        try:
            found: dict[str, Any] = {"min": statistics.min, "max": statistics.max}
        except (UnicodeDecodeError, OverflowError, ValueError) as error:
            found = {"min": None, "max": str(error)}
        if found != wanted:
            faults.append((f"{_show(wanted)} in {path}", _show(found)))
    return faults


def _show(ends: dict[str, Any]) -> str:
    return f"{show_value(ends['min'])} to {show_value(ends['max'])}"
