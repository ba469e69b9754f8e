"""Schemas: which columns differ."""

from __future__ import annotations

import pyarrow as pa
import pytest

from rocov2_shared.schemas import differing_columns

WANTED = pa.schema([("a", pa.string()), ("b", pa.int32())])


@pytest.mark.parametrize(
    ("found", "other"),
    [
        (WANTED, []),
        (pa.schema([("a", pa.string())]), ["b"]),
        (pa.schema([*WANTED, ("c", pa.string())]), ["c"]),
        (pa.schema([("a", pa.string()), ("b", pa.int64())]), ["b"]),
        (pa.schema([*reversed(WANTED)]), ["b", "a"]),
        (pa.schema([*WANTED, ("b", pa.int32())]), ["b"]),
    ],
)
def test_columns_that_differ_are_named(found: pa.Schema, other: list[str]) -> None:
    assert differing_columns(found, WANTED) == other
