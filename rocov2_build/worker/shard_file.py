"""A Parquet file of images while it is written, row group by row group. This module is imported by the workers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_build.worker import parquet

_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RowsHash:
    """Hash over the values of rows in order; an image counts by its SHA-256."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, table: pa.Table, images: list[str] | None = None) -> None:
        columns = [column.to_pylist() for column in table.columns] + ([images] if images else [])
        for values in zip(*columns, strict=True):
            self._hash.update(_to_json(values).encode() + b"\n")

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class Picture(NamedTuple):
    """A JPEG, and its size in pixels as `datasets` decodes it."""

    data: bytes
    width: int
    height: int


class ShardFile:
    """A file of images that is being written; see `open_shard`.

    Attributes:
        digests: SHA-256 of each picture so far.
        rows_hash: hash of the rows so far.
    """

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema, rows: pa.Table) -> None:
        self._writer, self._schema, self._rows = writer, schema, rows
        self._written = 0
        self.digests: list[str] = []
        self.rows_hash = RowsHash()

    def write(self, pictures: Sequence[Picture]) -> None:
        """Write the next rows with their pictures as one row group."""
        table = _assemble(self._rows.slice(self._written, len(pictures)), pictures, self._schema)
        self._written += len(pictures)
        parquet.write_row_group(self._writer, table)
        digests = [hashlib.sha256(picture.data).hexdigest() for picture in pictures]
        self.rows_hash.add(table.drop_columns(["image"]), digests)
        self.digests += digests


@contextmanager
def open_shard(path: Path, schema: pa.Schema, rows: pa.Table) -> Iterator[ShardFile]:
    """A file of images, which appears under `path` only whole; an exception leaves nothing behind.

    Args:
        path: of the file.
        schema: its schema.
        rows: all its rows in order, with the columns of the schema but `image`, `width` and `height`.
    """
    with parquet.open_writer(path, schema) as writer:
        yield ShardFile(writer, schema, rows)


def _assemble(rows: pa.Table, pictures: Sequence[Picture], schema: pa.Schema) -> pa.Table:
    columns = dict(zip(rows.column_names, rows.columns, strict=True))
    paths = [f"{image_id}.jpg".encode() for image_id in columns["image_id"].to_pylist()]
    kind = schema.field("image").type
    columns["image"] = pa.StructArray.from_arrays(
        [
            _variable_array([picture.data for picture in pictures], kind.field("bytes").type),
            _variable_array(paths, kind.field("path").type),
        ],
        fields=list(kind),
    )
    columns["width"] = _int32_array([picture.width for picture in pictures])
    columns["height"] = _int32_array([picture.height for picture in pictures])
    return pa.table([columns[name] for name in schema.names], schema=schema)


# pyarrow.array() would import pandas to see whether it is given something of it: a quarter of a second in every worker.


def _variable_array(values: list[bytes], kind: pa.DataType) -> pa.Array:
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))])


def _int32_array(values: list[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(np.array(values, dtype=np.int32))])
