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


class Picture(NamedTuple):
    """A JPEG, and its size in pixels as `datasets` decodes it."""

    data: bytes
    width: int
    height: int


_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class RowsHash:
    """Hash over the values of rows in order, each as a line of JSON; an image counts by its SHA-256, the last value."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, table: pa.Table, images: list[str] | None = None) -> None:
        columns = [column.to_pylist() for column in table.columns] + ([images] if images else [])
        for values in zip(*columns, strict=True):
            self._hash.update(_to_json(values).encode() + b"\n")

    def add_pictures(self, known: Sequence[str], pictures: Sequence[Picture], digests: Sequence[str]) -> None:
        """Add rows as `add` does, from the JSON of their other columns, which a file and that of its small pictures share.

        Args:
            known: what `rows_to_json` returns for all columns but `width` and `height`.
            pictures: of each row.
            digests: SHA-256 of each picture.
        """
        self._hash.update(
            "".join(
                f'{values[:-1]},{picture.width},{picture.height},"{digest}"]\n'
                for values, picture, digest in zip(known, pictures, digests, strict=True)
            ).encode()
        )

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def rows_to_json(rows: pa.Table) -> list[str]:
    """Return each row as JSON: the array of its values."""
    return [_to_json(values) for values in zip(*(column.to_pylist() for column in rows.columns), strict=True)]


class ShardFile:
    """A file of images that is being written; see `open_shard`.

    Attributes:
        content: hash of the file, complete once it is closed.
        digests: SHA-256 of each picture so far.
        rows_hash: hash of the rows so far.
    """

    def __init__(
        self, writer: pq.ParquetWriter, schema: pa.Schema, rows: pa.Table, known: Sequence[str], content: hashlib._Hash
    ) -> None:
        self._writer, self._schema, self._rows, self._known = writer, schema, rows, known
        self._written = 0
        self.content = content
        self.digests: list[str] = []
        self.rows_hash = RowsHash()

    def write(self, pictures: Sequence[Picture]) -> None:
        """Write the next rows with their pictures as one row group."""
        start, stop = self._written, self._written + len(pictures)
        self._written = stop
        parquet.write_row_group(self._writer, _assemble(self._rows.slice(start, stop - start), pictures, self._schema))
        digests = [hashlib.sha256(picture.data).hexdigest() for picture in pictures]
        self.rows_hash.add_pictures(self._known[start:stop], pictures, digests)
        self.digests += digests


@contextmanager
def open_shard(path: Path, schema: pa.Schema, rows: pa.Table, known: Sequence[str]) -> Iterator[ShardFile]:
    """A file of images, which appears under `path` only whole; an exception leaves nothing behind.

    Args:
        path: of the file.
        schema: its schema; `width` and `height` come last.
        rows: all its rows in order, with the columns of the schema but `image`, `width` and `height`.
        known: what `rows_to_json` returns for them.
    """
    content = hashlib.sha256()
    with parquet.open_writer(path, schema, content) as writer:
        yield ShardFile(writer, schema, rows, known, content)


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
