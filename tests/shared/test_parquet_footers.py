"""Footers whose column chunks contradict the schema. The tests describe them as values: no such file is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2_shared.parquet_footers import find_fault, require_columns
from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.stream.reading import ChangedShardError
from tests.support.breaking import OTHER, SHARD, broken, build

METADATA, ENCRYPTED, SIZES = 3, 8, 16
TEXT_BYTES, REPETITIONS, DEFINITIONS = 1, 2, 3


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("footers"))


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pq.ColumnSchema]:
    """A text that is never null, a list of texts, and a number."""
    path = tmp_path_factory.mktemp("schema") / "table.parquet"
    schema = pa.schema(
        [pa.field("text", pa.string(), nullable=False), ("texts", pa.list_(pa.string())), ("number", pa.int32())]
    )
    pq.write_table(schema.empty_table(), path)
    return dict(zip(schema.names, pq.ParquetFile(path).schema, strict=True))


@pytest.mark.parametrize(
    ("column", "chunk", "fault"),
    [
        ("text", {}, None),
        ("text", {METADATA: {SIZES: {TEXT_BYTES: 40, REPETITIONS: [8], DEFINITIONS: [8]}}}, None),
        ("texts", {METADATA: {SIZES: {REPETITIONS: [8, 2], DEFINITIONS: [0, 1, 0, 9]}}}, None),
        ("number", {METADATA: {SIZES: {REPETITIONS: [], DEFINITIONS: [1, 7]}}}, None),
        ("text", {METADATA: {SIZES: {DEFINITIONS: [8, 0]}}}, "2 counts of levels, not 1,"),
        ("texts", {METADATA: {SIZES: {REPETITIONS: [8]}}}, "1 counts of levels, not 2,"),
        ("number", {METADATA: {SIZES: {TEXT_BYTES: 40}}}, "a number of bytes of texts"),
        ("number", {ENCRYPTED: {}}, "encrypted metadata"),
        ("number", {METADATA: [1]}, None),
    ],
)
def test_a_column_chunk_is_compared_with_the_schema(
    columns: dict[str, pq.ColumnSchema], column: str, chunk: dict[int, Any], fault: str | None
) -> None:
    assert find_fault(chunk, columns[column]) == fault


def test_the_columns_of_a_whole_file_are_accepted(built: Path) -> None:
    for file in built.rglob("*.parquet"):
        with file.open("rb") as data:
            require_columns(data, pq.ParquetFile(file).schema)


def test_a_check_reports_a_fault(built: Path) -> None:
    with patch("rocov2_shared.parquet_footers.find_fault", return_value="a fault"):
        found = broken(built, fast=True)
    assert ("unreadable", SHARD) in found
    assert {rule for rule, _ in found} == {"unreadable"}


def test_a_stream_raises_at_a_fault(built: Path) -> None:
    stream = PretrainingStream(built, "test", shuffle=False, rank=0, world_size=1)
    with (
        patch("rocov2_shared.parquet_footers.find_fault", return_value="a fault"),
        pytest.raises(ChangedShardError, match="a fault of image"),
    ):
        list(stream)


def test_columns_of_another_file_are_refused(built: Path) -> None:
    schema = pq.ParquetFile(built / "vocabulary/vocabulary.parquet").schema
    with (
        (built / OTHER).open("rb") as data,
        pytest.raises(ValueError, match="columns in row group 0, but 6 in the schema"),
    ):
        require_columns(data, schema)
