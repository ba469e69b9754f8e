"""One task -> one Parquet file and its facts. Pure functions of a small specification, safe to run twice, anywhere.

This module is imported by the workers: no datasets, no pandas, so that they start fast.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_build.worker import parquet
from rocov2_build.worker.current import enter, leave
from rocov2_build.worker.jpeg import ImageFacts, inspect
from rocov2_build.worker.member import BadImageError, Member, MemberReader
from rocov2_build.worker.task import CheckTask, FileFacts, ImageFault, ShardTask, Task, TextTask, deserialize
from rocov2_build.worker.verification import Verification
from rocov2_shared.files import file_sha256

_HANDFUL = 8
"""Images that a thread inspects in one go: the decoder, libdeflate and the hash work outside the interpreter's lock."""


def run_task(task: Task | CheckTask, repository: str, threads: int = 1) -> FileFacts | list[ImageFault]:
    """Write the file of `task` under the folder `repository`, and inspect its images in `threads` threads.

    Returns:
        Facts of the file, or the faults of its images: then no file is written. A check never writes one.
    """
    if isinstance(task, CheckTask):
        with MemberReader(Path(task.source)) as reader, ThreadPoolExecutor(threads) as pool:
            results = _inspect_rows(range(len(task.ids)), task.ids, reader, task, pool)
        return [result for result in results.values() if isinstance(result, ImageFault)]
    path = Path(repository, task.path)
    schema = pa.ipc.read_schema(pa.py_buffer(task.schema))
    if isinstance(task, ShardTask):
        # Without decoding, most of the time is spent inside the interpreter's lock, and threads would wait for each other.
        return _write_shard(task, path, schema, threads if task.verify == Verification.STRICT else 1)
    if isinstance(task, TextTask):
        return _write_tables(task.path, path, schema, _text_tables(task, Path(repository), schema))
    return _write_tables(task.path, path, schema, iter([deserialize(task.rows)]))


def _inspect_rows(
    rows: range, ids: Sequence[str], reader: MemberReader, task: ShardTask | CheckTask, pool: Executor
) -> dict[int, tuple[bytes, ImageFacts] | ImageFault]:
    """Read and inspect the images of some rows, in the order of their offsets."""
    order = sorted(rows, key=lambda row: task.members[row].offset)

    def inspect_some(some: list[int]) -> list[tuple[bytes, ImageFacts] | ImageFault]:
        return [_inspect_image(reader, ids[row], task.members[row], task) for row in some]

    handfuls = [order[start : start + _HANDFUL] for start in range(0, len(order), _HANDFUL)]
    return dict(zip(order, chain.from_iterable(pool.map(inspect_some, handfuls)), strict=True))


def _inspect_image(
    reader: MemberReader, image_id: str, member: Member, task: ShardTask | CheckTask
) -> tuple[bytes, ImageFacts] | ImageFault:
    slot = enter(image_id)
    try:
        data = reader.read(member)
        return data, inspect(data, task.verify)
    except BadImageError as error:
        return ImageFault(error.code, Path(task.source).name, image_id, error.expected, error.found)
    finally:
        leave(slot)


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


class _FaultyImagesError(Exception):
    """Ends the writing of a shard, so that no file is left."""


def _write_shard(task: ShardTask, path: Path, schema: pa.Schema, threads: int) -> FileFacts | list[ImageFault]:
    rows = deserialize(task.rows)
    ids = rows["image_id"].to_pylist()
    modes: Counter[str] = Counter()
    hashes: list[str] = []
    perceptual: list[str] = []
    faults: list[ImageFault] = []
    rows_hash = RowsHash()
    turned: list[str] = []
    benign: dict[str, str] = {}
    start = 0
    try:
        with (
            MemberReader(Path(task.source)) as reader,
            ThreadPoolExecutor(threads) as pool,
            parquet.open_writer(path, schema) as writer,
        ):
            for length in task.row_groups:
                group = range(start, start + length)
                start += length
                results = _inspect_rows(group, ids, reader, task, pool)
                faults += [result for result in results.values() if isinstance(result, ImageFault)]
                ordered = [result for row in group if not isinstance(result := results[row], ImageFault)]
                if faults:  # go on to find the others, but there will be no file
                    continue
                table = _assemble(rows, group, ordered, schema)
                parquet.write_row_group(writer, table)
                digests = [hashlib.sha256(data).hexdigest() for data, _ in ordered]
                rows_hash.add(table.drop_columns(["image"]), digests)
                hashes += [digest[:32] for digest in digests]
                perceptual += [image.perceptual for _, image in ordered if image.perceptual]
                modes.update(image.mode for _, image in ordered)
                known = [(ids[row], image) for row, (_, image) in zip(group, ordered, strict=True)]
                turned += [image_id for image_id, image in known if image.turned]
                benign |= {image_id: image.benign for image_id, image in known if image.benign}
            if faults:
                raise _FaultyImagesError
    except _FaultyImagesError:
        return faults
    facts = _file_facts(task.path, path, rows_hash.hexdigest())
    facts.modes, facts.turned, facts.benign = dict(sorted(modes.items())), turned, benign
    facts.images, facts.perceptual = hashes, perceptual
    return facts


def _assemble(rows: pa.Table, group: range, images: list[tuple[bytes, ImageFacts]], schema: pa.Schema) -> pa.Table:
    known = rows.slice(group.start, len(group))
    columns = dict(zip(known.column_names, known.columns, strict=True))
    paths = [f"{image_id}.jpg".encode() for image_id in columns["image_id"].to_pylist()]
    kind = schema.field("image").type
    columns["image"] = pa.StructArray.from_arrays(
        [
            _variable_array([data for data, _ in images], kind.field("bytes").type),
            _variable_array(paths, kind.field("path").type),
        ],
        fields=list(kind),
    )
    columns["width"] = _int32_array([image.width for _, image in images])
    columns["height"] = _int32_array([image.height for _, image in images])
    return pa.table([columns[name] for name in schema.names], schema=schema)


# pyarrow.array() would import pandas to see whether it is given something of it: a quarter of a second in every worker.


def _variable_array(values: list[bytes], kind: pa.DataType) -> pa.Array:
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))])


def _int32_array(values: list[int]) -> pa.Array:
    return pa.Array.from_buffers(pa.int32(), len(values), [None, pa.py_buffer(np.array(values, dtype=np.int32))])


def _text_tables(task: TextTask, repository: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    for shard, _ in task.shards:
        with closing(pq.ParquetFile(repository / shard)) as file:
            yield file.read(columns=schema.names).replace_schema_metadata(schema.metadata)


def _write_tables(relative: str, path: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> FileFacts:
    rows_hash = RowsHash()
    with parquet.open_writer(path, schema) as writer:
        for table in tables:
            parquet.write_row_group(writer, table.cast(schema))
            rows_hash.add(table)
    return _file_facts(relative, path, rows_hash.hexdigest())


def _file_facts(relative: str, path: Path, rows_sha256: str) -> FileFacts:
    footer = pq.read_metadata(path)
    groups: list[Any] = [footer.row_group(i) for i in range(footer.num_row_groups)]
    return FileFacts(
        path=relative,
        rows=footer.num_rows,
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
        uncompressed=sum(group.total_byte_size for group in groups),
        rows_sha256=rows_sha256,
        layout=parquet.describe_layout(footer),
    )
