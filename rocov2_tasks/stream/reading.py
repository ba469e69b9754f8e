"""Row groups of a layout, from a folder or from the Hub: only the requested columns and rows. A changed shard is an error.

Images are copied from their pages in the file, which are PLAIN and uncompressed, into buffers that are reused: this saves a
copy, and fresh memory, for each. pyarrow reads all other columns.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from io import FileIO
from typing import Any
from weakref import WeakValueDictionary

import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_shared.parquet_footers import require_columns
from rocov2_shared.sizes import format_count, format_size
from rocov2_tasks.stream.blocks import Blocks
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.image_bytes import Buffers, LocalGroup, RemoteGroup, read_at
from rocov2_tasks.stream.layout import Footer, RowGroup, ShardFile, SplitLayout
from rocov2_tasks.stream.remote import Held, RemoteFiles, join_ranges
from rocov2_tasks.stream.rows import Columns, Rows

_IMAGE_BYTES = "image.bytes"
_TAIL = 8
"""Bytes after a footer: its length, and four letters."""

_OPEN_FILES = 16
"""Local shards that are kept open for pyarrow, at most: opening one takes as long as reading a column of a row group."""

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
        in_order: if row groups are read in their order, each once: these, and the bytes of those that are fetched together
            from the Hub, at most.
        whole: the images are returned as they are, by `jpegs`: of local files their places are found first.

    Raises:
        ChangedShardError: a shard is missing, or its size differs from the one in `conversion.json`.
    """

    def __init__(
        self,
        layout: SplitLayout,
        columns: Sequence[str],
        patience: float | None = None,
        costs: Costs | None = None,
        whole: bool = False,
        in_order: tuple[Sequence[int], int] | None = None,
    ) -> None:
        self._layout, self._whole = layout, whole
        self._blocks: Blocks | None = None
        if in_order is not None and layout.remote:
            groups, most = in_order
            self._blocks = Blocks(layout, groups, most, lambda number, *ends: self._fetch(layout.shards[number], *ends))
        self._costs = costs or Costs()
        self._images = "image" in columns
        self._columns = [column for column in columns if column != "image"]
        self._remote = RemoteFiles(layout.repository, patience, self._costs)
        self._states = {} if layout.remote else {shard.path: self._state(shard) for shard in layout.shards}
        self._footers: dict[int, pq.FileMetaData] = {}
        self._hashes: dict[int, bytes] = {}
        self._buffers = Buffers()
        self._tables: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        self._known: WeakValueDictionary[int, Columns] = WeakValueDictionary()
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
                columns = self._known[group] = self._read_columns(opened.source, footer, row_group)
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
            if self._whole and isinstance(opened, LocalGroup):
                return Rows(begin, columns, b"", opened.find(images, begin, stop), row_group.shard)
            return Rows(begin, columns, *opened.values(images, begin, stop, self._buffers))
        except ValueError as error:
            shard = self._layout.shards[row_group.shard]
            what = f"does not store images as this project does ({error})"
            raise self._changed(shard, what, _OTHER_IMAGES) from error

    def jpegs(self, places: Iterable[tuple[Rows, int]]) -> list[bytes]:
        """Return the images of rows, by their numbers in their row groups, each as an object of its own.

        Images that are still in a local file are read now: into the memory that the images before them have left, which
        takes half as long as into a window of other memory.

        Raises:
            ChangedShardError: a shard has changed.
        """
        with ExitStack() as opened:
            files: dict[int, FileIO] = {}
            images = []
            read = 0
            for rows, row in places:
                start, end = rows.spans[row - rows.first]
                if rows.shard is None:
                    images.append(bytes(rows.image(row)))
                    continue
                file = files.get(rows.shard)
                if file is None:
                    file = files[rows.shard] = opened.enter_context(self._open_shard(rows.shard))
                images.append(read_at(file, start, end - start))
                read += end - start
                if len(images[-1]) < end - start:
                    raise self._changed(self._layout.shards[rows.shard], f"ends before byte {end:,}")
            self._costs.add(bytes_read=read)
            return images

    def _open_shard(self, number: int) -> FileIO:
        self._require_same(number)
        return open(os.path.join(self._layout.root, self._layout.shards[number].path), "rb", buffering=0)

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
        if isinstance(rows.buffer, memoryview) and not self._layout.remote:
            self._buffers.give_back(rows.buffer)

    def _read_columns(self, source: Any, footer: pq.FileMetaData, group: RowGroup) -> Columns:
        if not self._columns:
            return Columns({})
        if self._layout.remote:
            with closing(pq.ParquetFile(source, metadata=footer)) as file:
                table = file.read_row_group(group.number, columns=self._columns, use_threads=False)
        else:
            # Taken out while it is used, since pyarrow does not promise that threads may share it.
            file = self._tables.pop(group.shard, None) or pq.ParquetFile(source, metadata=footer)
            table = file.read_row_group(group.number, columns=self._columns, use_threads=False)
            self._tables[group.shard] = file
            while len(self._tables) > _OPEN_FILES:
                self._tables.popitem(last=False)[1].close()
            ranges = map(_range, self._other_chunks(footer, group.number))
            self._costs.add(bytes_read=sum(end - start for start, end in ranges))
        return Columns({name: _as_one(table[name]) for name in self._columns})

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
        block = self._blocks.take(group) if self._blocks is not None and not growing else None
        if block is not None:
            return RemoteGroup(block, shard.bytes)
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
        self._tables.pop(number, None)

    def _changed(self, shard: ShardFile, what: str, meaning: str = _OTHER_FILE) -> ChangedShardError:
        fact = f"{self._layout.root}/{shard.path} {what}"
        error = ChangedShardError(f"{fact}: {meaning}")
        error.fact = fact
        return error

    def _footer(self, number: int) -> pq.FileMetaData:
        with self._footer_locks[number]:
            if number in self._footers:
                return self._footers[number]
            content = self._footer_bytes(self._layout.shards[number], number)
            digest = hashlib.sha256(content).digest()
            known = self._layout.footers.get(number)
            if known is None or known.hash != digest:
                known = self._layout.footers[number] = Footer(digest, self._parse_footer(number, content))
            self._hashes[number], self._footers[number] = known
            return known.metadata

    def _parse_footer(self, number: int, content: bytes) -> pq.FileMetaData:
        shard = self._layout.shards[number]
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
        return footer

    def _footer_bytes(self, shard: ShardFile, number: int = -1) -> bytes:
        """Return the end of a shard, from its footer on."""
        if self._layout.remote:
            start = shard.bytes - shard.footer_bytes
            held = self._blocks.footer(number, start) if self._blocks is not None else None
            return self._fetch(shard, start, shard.bytes) if held is None else held
        self._state(shard)  # a missing or cut shard gets its own message
        with open(os.path.join(self._layout.root, shard.path), "rb") as file:
            file.seek(shard.bytes - min(_TAIL, shard.bytes))
            length = int.from_bytes(file.read(_TAIL)[:4], "little") + _TAIL
            file.seek(shard.bytes - min(length, shard.bytes))
            content = file.read()
        self._costs.add(bytes_read=len(content))
        return content


def _as_one(column: pa.ChunkedArray) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column


def _chunks(group: pq.RowGroupMetaData) -> list[pq.ColumnChunkMetaData]:
    return [group.column(i) for i in range(group.num_columns)]


def _rows_and_bytes(group: pq.RowGroupMetaData) -> tuple[int, int]:
    return group.num_rows, sum(chunk.total_compressed_size for chunk in _chunks(group))


def _range(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    return start, start + chunk.total_compressed_size
