"""Footers of Parquet files whose column chunks contradict the schema.

pyarrow checks them only as it returns the metadata of a column chunk, and not in every place, so they are compared before, in
the footer's own bytes.
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

import pyarrow.parquet as pq

from rocov2_shared.parquet_pages import read_struct

# Numbers of fields: of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData and SizeStatistics.
_ROW_GROUPS, _COLUMNS, _METADATA, _ENCRYPTED, _SIZES = 4, 1, 3, 8, 16
_TEXT_BYTES, _REPETITIONS, _DEFINITIONS = 1, 2, 3
_TAIL = 8


class Described(NamedTuple):
    """What the schema says of a column. pyarrow makes a new object for each column that it is asked for."""

    path: str
    physical_type: str
    max_repetition_level: int
    max_definition_level: int


def require_columns(file: BinaryIO, schema: pq.ParquetSchema) -> None:
    """Raise ValueError if a column chunk of a file contradicts the schema, or its metadata cannot be read without a key.

    Args:
        file: the file, open for reading.
        schema: its Parquet schema.
    """
    file.seek(-_TAIL, 2)
    size = int.from_bytes(file.read(4), "little")
    file.seek(-_TAIL - size, 2)
    fields = read_struct(file.read(size))
    described_columns = [
        Described(column.path, column.physical_type, column.max_repetition_level, column.max_definition_level)
        for column in schema
    ]
    for number, group in enumerate(_structures(fields.get(_ROW_GROUPS))):
        columns = _structures(group.get(_COLUMNS))
        if len(columns) != len(described_columns):
            raise ValueError(
                f"{len(columns):,} columns in row group {number}, but {len(described_columns):,} in the schema"
            )
        for column, described in zip(columns, described_columns, strict=True):
            fault = find_fault(column, described)
            if fault:
                raise ValueError(f"{fault} of {described.path} in row group {number}")


def _structures(value: Any) -> list[dict[int, Any]]:
    return [part if isinstance(part, dict) else {} for part in value] if isinstance(value, list) else []


def _structure(value: Any) -> dict[int, Any]:
    return value if isinstance(value, dict) else {}


def find_fault(column: dict[int, Any], described: Described | pq.ColumnSchema) -> str | None:
    """Return what of a column chunk contradicts its column, as fields by number; None if nothing does."""
    if _ENCRYPTED in column:
        return "encrypted metadata"
    sizes = _structure(_structure(column.get(_METADATA)).get(_SIZES))
    if _TEXT_BYTES in sizes and described.physical_type != "BYTE_ARRAY":
        return "a number of bytes of texts"
    for field, most in (
        (_REPETITIONS, described.max_repetition_level),
        (_DEFINITIONS, described.max_definition_level),
    ):
        levels = sizes.get(field)
        if isinstance(levels, list) and len(levels) not in (0, most + 1):
            return f"{len(levels)} counts of levels, not {most + 1},"
    return None
