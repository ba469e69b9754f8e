"""Row groups of a layout, from a folder or from the Hub: only the requested columns and rows. A changed shard is an error.

Images are copied from their pages in the file, which are PLAIN and uncompressed, into buffers that are reused: this saves a
copy, and fresh memory, for each. pyarrow reads all other columns.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_shared.parquet_footers import require_columns
from rocov2_shared.sizes import format_count, format_size
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.image_bytes import Buffers, LocalGroup, RemoteGroup, Spans
from rocov2_tasks.stream.layout import ShardFile, SplitLayout
from rocov2_tasks.stream.remote import Held, RemoteFiles, join_ranges

_IMAGE_BYTES = "image.bytes"
_TAIL = 8
"""Bytes after a footer: its length, and four letters."""

_OTHER_FILE = (
    "the epoch began with another file and would mix two orders. Restore the repository, or begin a new stream "
    "(rocov2 check reports what is wrong with it)"
)
_OTHER_IMAGES = (
    "an image is null, the file was changed in place, or another tool has written it. Build the repository again "
    "(rocov2 check reports what is wrong with it)"
)


class ChangedShardError(RuntimeError):
    """A shard has changed since the epoch began.

    Attributes:
        fact: the shard and what is wrong with it, for callers that have no epoch.
    """

    fact = ""


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a row group.

    Attributes:
        first: number in the row group of the first row whose image is in `buffer`.
        columns: values of all rows of the row group by column, without images.
        buffer: contains the bytes of the images.
        spans: where each image begins and ends in `buffer`.
    """

    first: int
    columns: dict[str, list[Any]]
    buffer: bytearray | bytes
    spans: Spans

    def image(self, row: int) -> memoryview:
        """Return the image of a row, by its number in the row group; valid until the rows are given back."""
        start, end = self.spans[row - self.first]
        return memoryview(self.buffer)[start:end]


class _Columns(dict[str, list[Any]]):
    """Values by column; unlike a plain dictionary it supports weak references."""


class GroupReader:
    """Reads row groups; its methods may be called from several threads.

    It reads the files that were there when it was made: a local shard that has another size or footer later raises an error,
    and a dataset on the Hub is read at one commit. Where only times or inode numbers changed, as after a copy or on the
    file systems of some networks and buckets, it reads on.

    Args:
        layout: the row groups of a split.
        columns: columns to read.
        patience: as for `RemoteFiles`.
        costs: counts what is read.

    Raises:
        ChangedShardError: a shard is missing, or its size differs from the one in `conversion.json`.
    """

    def __init__(
        self,
        layout: SplitLayout,
        columns: Sequence[str],
        patience: float | None = None,
        costs: Costs | None = None,
    ) -> None:
        self._layout = layout
        self._costs = costs or Costs()
        self._images = "image" in columns
        self._columns = [column for column in columns if column != "image"]
        self._remote = RemoteFiles(layout.repository, patience, self._costs)
        self._states = {} if layout.remote else {shard.path: self._state(shard) for shard in layout.shards}
        self._footers: dict[int, pq.FileMetaData] = {}
        self._hashes: dict[int, bytes] = {}
        self._buffers = Buffers()
        self._known: WeakValueDictionary[int, _Columns] = WeakValueDictionary()
        self._growing: dict[int, RemoteGroup] = {}
        self._group_locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._footer_locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def read(self, group: int, begin: int, stop: int, growing: bool = False) -> Rows:
        """Return rows `begin` to `stop` of a row group.

        Args:
            group: index of the row group in the layout.
            begin, stop: rows whose images are read; the other columns are read for the whole row group.
            growing: on the Hub, fetch the images as they are needed instead of the whole row group at once.
        """
        row_group = self._layout.groups[group]
        footer = self._footer(row_group.shard)
        with self._group_locks[group]:  # lanes that share a row group share its columns
            columns = self._known.get(group)
            if columns is not None and not self._images:
                return Rows(begin, columns, b"", [])
            opened = self._open(group, growing)
            if columns is None:
                columns = self._known[group] = self._read_columns(opened.source, footer, row_group.number)
        if not self._images:
            return Rows(begin, columns, b"", [])
        if stop == row_group.rows:
            self._growing.pop(group, None)
        images = next(
            (part for part in _chunks(footer.row_group(row_group.number)) if part.path_in_schema == _IMAGE_BYTES), None
        )
        if images is None:
            raise self._changed(self._layout.shards[row_group.shard], f"has no column {_IMAGE_BYTES}", _OTHER_IMAGES)
        try:
            return Rows(begin, columns, *opened.values(images, begin, stop, self._buffers))
        except ValueError as error:
            shard = self._layout.shards[row_group.shard]
            what = f"does not store images as this project does ({error})"
            raise self._changed(shard, what, _OTHER_IMAGES) from error

    def image_id(self, group: int, row: int) -> str:
        """Return the image id of a row, for a message."""
        named = GroupReader(self._layout, ["image_id"])
        return str(named.read(group, 0, 0).columns["image_id"][row])

    def progress(self) -> str:
        """Return the words for what was read so far."""
        shards = format_count(len(self._layout.shards), "footer")
        size = format_size(int(self._costs.total("bytes_read")))
        requests = format_count(int(self._costs.total("requests")), "request")
        return f"so far {len(self._footers)} of {shards} and {size}" + (f" in {requests}" * self._layout.remote)

    def give_back(self, rows: Rows) -> None:
        """Let the buffer of these rows be reused: their images are no longer needed."""
        if isinstance(rows.buffer, bytearray):
            self._buffers.give_back(rows.buffer)

    def _read_columns(self, source: Any, footer: pq.FileMetaData, number: int) -> _Columns:
        if not self._columns:
            return _Columns()
        with closing(pq.ParquetFile(source, metadata=footer)) as file:
            table = file.read_row_group(number, columns=self._columns, use_threads=False)
        if not self._layout.remote:
            self._costs.add(
                bytes_read=sum(end - start for start, end in map(_range, self._other_chunks(footer, number)))
            )
        return _Columns((name, table[name].to_pylist()) for name in self._columns)

    def _other_chunks(self, footer: pq.FileMetaData, number: int) -> list[pq.ColumnChunkMetaData]:
        chunks = _chunks(footer.row_group(number))
        return [chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in self._columns]

    def _open(self, group: int, growing: bool) -> LocalGroup | RemoteGroup:
        row_group = self._layout.groups[group]
        shard = self._layout.shards[row_group.shard]
        if not self._layout.remote:
            self._require_same(row_group.shard)
            return LocalGroup(os.path.join(self._layout.root, shard.path), self._costs)
        known = self._growing.get(group)
        if known is not None:
            return known
        footer = self._footer(row_group.shard)
        chunks = _chunks(footer.row_group(row_group.number))
        images = [_range(chunk) for chunk in chunks if self._images and chunk.path_in_schema == _IMAGE_BYTES]
        others = [_range(chunk) for chunk in self._other_chunks(footer, row_group.number)]
        ranges = [*images, *others]
        held = Held(partial(self._fetch, shard), max((end for _, end in ranges), default=0))
        for start, end in join_ranges(others if growing else ranges):
            held.hold(start, end)
        opened = RemoteGroup(held, shard.bytes)
        if growing:
            self._growing[group] = opened
        return opened

    def _fetch(self, shard: ShardFile, start: int, end: int) -> bytes:
        try:
            return self._remote.fetch(shard.path, start, end)
        except FileNotFoundError:
            raise self._changed(shard, "is missing") from None

    def _state(self, shard: ShardFile) -> tuple[int, ...]:
        try:
            stat = os.stat(os.path.join(self._layout.root, shard.path))
        except FileNotFoundError:
            raise self._changed(shard, "is missing") from None
        if stat.st_size != shard.bytes:
            raise self._changed(shard, f"has {stat.st_size:,} bytes, but {shard.bytes:,} in conversion.json")
        return stat.st_size, stat.st_mtime_ns, stat.st_ino

    def _require_same(self, number: int) -> None:
        """Raise ChangedShardError if a local shard, whose footer was read, has another size or footer now."""
        shard = self._layout.shards[number]
        state = self._state(shard)
        if state == self._states[shard.path]:
            return
        if hashlib.sha256(self._footer_bytes(shard)).digest() != self._hashes[number]:
            raise self._changed(shard, "has another footer since the stream was made")
        self._states[shard.path] = state

    def _changed(self, shard: ShardFile, what: str, meaning: str = _OTHER_FILE) -> ChangedShardError:
        fact = f"{self._layout.root}/{shard.path} {what}"
        error = ChangedShardError(f"{fact}: {meaning}")
        error.fact = fact
        return error

    def _footer(self, number: int) -> pq.FileMetaData:
        with self._footer_locks[number]:
            if number in self._footers:
                return self._footers[number]
            shard = self._layout.shards[number]
            content = self._footer_bytes(shard)
            try:
                footer = pq.read_metadata(io.BytesIO(b"PAR1" + content))
                require_columns(io.BytesIO(content), footer.schema)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise self._changed(
                    shard, f"has a damaged footer, or another one than conversion.json records ({error})"
                ) from error
            recorded = [(group.rows, group.bytes) for group in self._layout.groups if group.shard == number]
            if [_rows_and_bytes(footer.row_group(i)) for i in range(footer.num_row_groups)] != recorded:
                raise self._changed(shard, "has other row groups than conversion.json records")
            self._hashes[number] = hashlib.sha256(content).digest()
            self._footers[number] = footer
            return footer

    def _footer_bytes(self, shard: ShardFile) -> bytes:
        """Return the end of a shard, from its footer on."""
        if self._layout.remote:
            return self._fetch(shard, shard.bytes - shard.footer_bytes, shard.bytes)
        self._state(shard)  # a missing or cut shard gets its own message
        with open(os.path.join(self._layout.root, shard.path), "rb") as file:
            file.seek(shard.bytes - min(_TAIL, shard.bytes))
            length = int.from_bytes(file.read(_TAIL)[:4], "little") + _TAIL
            file.seek(shard.bytes - min(length, shard.bytes))
            content = file.read()
        self._costs.add(bytes_read=len(content))
        return content


def _chunks(group: pq.RowGroupMetaData) -> list[pq.ColumnChunkMetaData]:
    return [group.column(i) for i in range(group.num_columns)]


def _rows_and_bytes(group: pq.RowGroupMetaData) -> tuple[int, int]:
    return group.num_rows, sum(chunk.total_compressed_size for chunk in _chunks(group))


def _range(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    return start, start + chunk.total_compressed_size
