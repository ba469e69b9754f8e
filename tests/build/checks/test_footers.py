"""The metadata of a file: nothing in it may give a reader other columns."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2_build.worker import parquet
from tests.support.breaking import TEXT, broken, build, rehash


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return build(tmp_path)


def write_with_metadata(repository: Path, metadata: dict[str, str]) -> None:
    table: pa.Table = pq.read_table(repository / TEXT, partitioning=None)
    schema = table.schema.with_metadata(
        table.schema.metadata | {key.encode(): text.encode() for key, text in metadata.items()}
    )
    with parquet.open_writer(repository / TEXT, schema) as writer:
        parquet.write_row_group(writer, table.replace_schema_metadata(schema.metadata))
    rehash(repository, TEXT)


def test_metadata_that_makes_an_index_for_pandas_is_told(repository: Path) -> None:
    column = {
        "name": "image_id",
        "field_name": "image_id",
        "pandas_type": "unicode",
        "numpy_type": "object",
        "metadata": None,
    }
    index = {"index_columns": ["image_id"], "columns": [column], "column_indexes": []}
    write_with_metadata(repository, {"pandas": json.dumps(index)})
    assert "image_id" not in pd.read_parquet(repository / TEXT).columns
    assert broken(repository) == [("features", TEXT)]


def test_features_in_another_order_are_told(repository: Path) -> None:
    text = pq.read_schema(repository / TEXT).metadata[b"huggingface"].decode()
    first = text.index('"image_id"')
    second = text.index('"caption"')
    third = text.index('"cuis"')
    swapped = text[:first] + text[second:third] + text[first:second] + text[third:]
    write_with_metadata(repository, {"huggingface": swapped})
    assert broken(repository) == [("features", TEXT)]
