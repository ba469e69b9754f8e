"""Schemas of Parquet files, compared column by column."""

from __future__ import annotations

import pyarrow as pa


def differing_columns(found: pa.Schema, wanted: pa.Schema) -> list[str]:
    """Return the names of the columns that are missing, are not wanted, or have another type or place."""
    if found.equals(wanted):
        return []
    names = dict.fromkeys([*wanted.names, *found.names])
    other = [name for name in names if _type(found, name) != _type(wanted, name)]
    return other or [one for one, other_one in zip(found.names, wanted.names, strict=True) if one != other_one]


def _type(schema: pa.Schema, name: str) -> pa.DataType | None:
    return schema.field(name).type if schema.names.count(name) == 1 else None
