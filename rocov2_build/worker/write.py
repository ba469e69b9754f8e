"""One task -> its Parquet files and their facts. Pure functions of a small specification, safe to run twice, anywhere.

This module is imported by the workers: no datasets, no pandas, so that they start fast.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_build.worker import parquet
from rocov2_build.worker.current import enter, leave
from rocov2_build.worker.jpeg import ImageFacts, inspect
from rocov2_build.worker.member import BadImageError, Member, MemberReader
from rocov2_build.worker.shard_file import Picture, RowsHash, ShardFile, open_shard, rows_to_json
from rocov2_build.worker.task import (
    IMAGE_DIGITS,
    CheckTask,
    FileFacts,
    ImageFault,
    MiniTask,
    ShardTask,
    Task,
    TextTask,
    deserialize,
)
from rocov2_build.worker.verification import Verification

SCALED_JOIN = 4
"""Row groups of a shard whose rows are one row group of the file with scaled pictures: they have a quarter of the bytes."""

_HANDFUL = 8
"""Images that a thread inspects in one go: the decoder, libdeflate and the hash work outside the interpreter's lock."""


def run_task(task: Task | CheckTask, repository: str, threads: int = 1) -> FileFacts | list[ImageFault]:
    """Write the files of `task` under the folder `repository`, and inspect its images in `threads` threads.

    Returns:
        Facts of the files, or the faults of its images: then no file is written. A check never writes one.
    """
    if isinstance(task, CheckTask):
        with MemberReader(Path(task.source)) as reader, ThreadPoolExecutor(threads) as pool:
            results = _inspect_rows(range(len(task.ids)), task.ids, reader, task, pool)
        return [result for result in results.values() if isinstance(result, ImageFault)]
    root = Path(repository)
    schema = pa.ipc.read_schema(pa.py_buffer(task.schema))
    if isinstance(task, ShardTask):
        # Without decoding, most of the time is spent inside the interpreter's lock, and threads would wait for each other.
        decodes = task.verify == Verification.STRICT or task.scaling
        return _write_shard(task, root, schema, threads if decodes else 1)
    if isinstance(task, MiniTask):
        tables = _mini_tables(task, root, schema)
    elif isinstance(task, TextTask):
        tables = _text_tables(task, root, schema)
    else:
        tables = iter([deserialize(task.rows)])
    return _write_tables(task.path, root, schema, tables)


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
    side = task.scaling.side if isinstance(task, ShardTask) and task.scaling else None
    slot = enter(image_id)
    try:
        data = reader.read(member)
        return data, inspect(data, task.verify, side)
    except BadImageError as error:
        return ImageFault(error.code, Path(task.source).name, image_id, error.expected, error.found)
    finally:
        leave(slot)


class _FaultyImagesError(Exception):
    """Ends the writing of a shard, so that no file is left."""


def _write_shard(task: ShardTask, repository: Path, schema: pa.Schema, threads: int) -> FileFacts | list[ImageFault]:
    rows = deserialize(task.rows)
    known = rows_to_json(rows)
    ids = rows["image_id"].to_pylist()
    images: list[ImageFacts] = []
    scaled: list[Picture] = []
    faults: list[ImageFault] = []
    start = 0
    try:
        with ExitStack() as files:
            reader = files.enter_context(MemberReader(Path(task.source)))
            pool = files.enter_context(ThreadPoolExecutor(threads))
            file = files.enter_context(open_shard(repository / task.path, schema, rows, known))
            scaled_file = _open_scaled(task, repository, schema, rows, known, files)
            for number, length in enumerate(task.row_groups, 1):
                group = range(start, start + length)
                start += length
                results = _inspect_rows(group, ids, reader, task, pool)
                faults += [result for result in results.values() if isinstance(result, ImageFault)]
                if faults:  # go on to find the others, but there will be no file
                    continue
                ordered = [result for row in group if not isinstance(result := results[row], ImageFault)]
                file.write([Picture(data, image.width, image.height) for data, image in ordered])
                if scaled_file is not None:
                    scaled += [Picture(*image.small) for _, image in ordered if image.small]
                    if number % SCALED_JOIN == 0 or number == len(task.row_groups):
                        scaled_file.write(scaled)
                        scaled.clear()
                images += [image._replace(small=None) for _, image in ordered]
            if faults:
                raise _FaultyImagesError
    except _FaultyImagesError:
        return faults
    facts = _file_facts(task.path, repository, file.content.hexdigest(), file.rows_hash.hexdigest())
    facts.modes = dict(sorted(Counter(image.mode for image in images).items()))
    facts.turned = [image_id for image_id, image in zip(ids, images, strict=True) if image.turned]
    facts.benign = {image_id: image.benign for image_id, image in zip(ids, images, strict=True) if image.benign}
    facts.images = "".join(digest[:IMAGE_DIGITS] for digest in file.digests)
    facts.perceptual = "".join(image.perceptual for image in images)
    if task.scaling and scaled_file:
        facts.scaled = _file_facts(
            task.scaling.path, repository, scaled_file.content.hexdigest(), scaled_file.rows_hash.hexdigest()
        )
        facts.scaled.kept = sum(one == other for one, other in zip(file.digests, scaled_file.digests, strict=True))
    return facts


def _open_scaled(
    task: ShardTask, repository: Path, schema: pa.Schema, rows: pa.Table, known: Sequence[str], files: ExitStack
) -> ShardFile | None:
    if task.scaling is None:
        return None
    return files.enter_context(open_shard(repository / task.scaling.path, schema, rows, known))


def _mini_tables(task: MiniTask, repository: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    taken = [table for path, _, numbers in task.shards for table in _take(repository / path, numbers)]
    rows = pa.concat_tables(taken).replace_schema_metadata(schema.metadata)
    start = 0
    for length in task.row_groups:
        yield rows.slice(start, length)
        start += length


def _take(path: Path, numbers: Sequence[int]) -> Iterator[pa.Table]:
    """Yield the rows of a file with these ascending numbers; a row group without any is not read."""
    with closing(pq.ParquetFile(path)) as file:
        start = 0
        for group in range(file.num_row_groups):
            end = start + file.metadata.row_group(group).num_rows
            here = numbers[bisect_left(numbers, start) : bisect_left(numbers, end)]
            if here:
                yield file.read_row_group(group).take([number - start for number in here])
            start = end


def _text_tables(task: TextTask, repository: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    for shard, _ in task.shards:
        with closing(pq.ParquetFile(repository / shard)) as file:
            yield file.read(columns=schema.names).replace_schema_metadata(schema.metadata)


def _write_tables(path: str, repository: Path, schema: pa.Schema, tables: Iterator[pa.Table]) -> FileFacts:
    rows_hash, content = RowsHash(), hashlib.sha256()
    with parquet.open_writer(repository / path, schema, content) as writer:
        for table in tables:
            parquet.write_row_group(writer, table.cast(schema))
            rows_hash.add(*_split_images(table))
    return _file_facts(path, repository, content.hexdigest(), rows_hash.hexdigest())


def _split_images(table: pa.Table) -> tuple[pa.Table, list[str] | None]:
    """Return the other columns, and the SHA-256 of each picture."""
    if "image" not in table.column_names:
        return table, None
    pictures = table["image"].combine_chunks().field("bytes")
    digests = [hashlib.sha256(picture.as_buffer()).hexdigest() for picture in pictures]
    return table.drop_columns(["image"]), digests


def _file_facts(path: str, repository: Path, sha256: str, rows_sha256: str) -> FileFacts:
    file = repository / path
    footer = pq.read_metadata(file)
    groups: list[Any] = [footer.row_group(i) for i in range(footer.num_row_groups)]
    return FileFacts(
        path=path,
        rows=footer.num_rows,
        bytes=file.stat().st_size,
        sha256=sha256,
        uncompressed=sum(group.total_byte_size for group in groups),
        rows_sha256=rows_sha256,
        layout=parquet.describe_layout(footer),
    )
