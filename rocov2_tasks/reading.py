"""Row groups of a layout, from a folder or from the Hub: only the columns and rows asked for, and of no changed shard.

Images are taken from the pages as they lie in the file, PLAIN and uncompressed, into buffers that are used again: that
spares a copy, and fresh memory, for each. All other columns are read by pyarrow.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from rocov2_pages import PLAIN, Page, Peek, read_pages
from rocov2_tasks.layout import Layout, Shard
from rocov2_tasks.remote import Held, RemoteFiles, join_ranges

_IMAGE_BYTES = "image.bytes"
_ROUND = 1 << 20
"""Buffers are made in steps of so many bytes, so that they fit more than once."""


class ChangedShardError(RuntimeError):
    """A shard is no longer the one that the epoch began with."""


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a row group.

    Attributes:
        first: number in the row group of the first of them that has an image here.
        columns: values of all rows of the row group by column, without images.
        buffer: the bytes of the images lie in it.
        places: where in `buffer` each image begins and ends.
    """

    first: int
    columns: dict[str, list[Any]]
    buffer: bytearray | bytes
    places: list[tuple[int, int]]

    def image(self, row: int) -> memoryview:
        """Bytes of the image of a row, by its number in the row group; good until the rows are given back."""
        start, end = self.places[row - self.first]
        return memoryview(self.buffer)[start:end]


class _Buffers:
    """Memory that has been used already: touching fresh memory costs more than what is read into it."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        for buffer in tuple(self._free):
            if len(buffer) >= size:
                try:
                    self._free.remove(buffer)
                except ValueError:  # another thread was faster
                    continue
                return buffer
        return bytearray(-(-size // _ROUND) * _ROUND)

    def give_back(self, buffer: bytearray) -> None:
        self._free.append(buffer)


class GroupReader:
    """Reads row groups; its methods may be called from several threads.

    What was there when it was made is what it reads: a local shard that was written since raises an error, and a dataset
    on the Hub is read at one commit.

    Raises:
        ChangedShardError: a shard is missing, or has another size than `conversion.json` states.
    """

    def __init__(self, layout: Layout, columns: Sequence[str]) -> None:
        self._layout = layout
        self._images = "image" in columns
        self._columns = [column for column in columns if column != "image"]
        self._footers: dict[int, pq.FileMetaData] = {}
        self._buffers = _Buffers()
        self._remote = RemoteFiles(layout.root)
        self._states = {} if layout.remote else {shard.path: self._state(shard) for shard in layout.shards}
        self._growing: dict[int, Held] = {}

    def read(self, group: int, begin: int, stop: int, growing: bool = False) -> Rows:
        """Rows `begin` to `stop` of a row group.

        Args:
            group: its number in the layout.
            begin, stop: rows; the columns beside the images are read of all.
            growing: of a file on the Hub, fetch the images as they are needed, instead of all of the row group at once.
        """
        place = self._layout.groups[group]
        shard = self._layout.shards[place.shard]
        footer = self._footer(place.shard)
        facts = footer.row_group(place.number)
        images = next((column for column in _columns(facts) if column.path_in_schema == _IMAGE_BYTES), None)
        if not self._images:
            images = None
        if self._layout.remote:
            held = self._hold(group, facts, growing)
            source: Any = _HeldFile(held, shard.bytes)
            rows = self._read_columns(source, footer, place.number)
            if images is None:
                return Rows(begin, rows, b"", [])
            return self._from_memory(held.read, images, begin, stop, rows, shard)
        path = os.path.join(self._layout.root, shard.path)
        if self._state(shard) != self._states[shard.path]:
            raise self._changed(shard, "was written since")
        rows = self._read_columns(path, footer, place.number)
        if images is None:
            return Rows(begin, rows, b"", [])
        with open(path, "rb", buffering=0) as file:
            return self._from_file(file.fileno(), images, begin, stop, rows, shard)

    def image_id(self, group: int, row: int) -> str:
        """The id of a row, for a message."""
        place = self._layout.groups[group]
        named = GroupReader(self._layout, ["image_id"])
        return str(named.read(group, 0, place.rows).columns["image_id"][row])

    def give_back(self, rows: Rows) -> None:
        """Say that the images of these rows are of no use any more."""
        if isinstance(rows.buffer, bytearray):
            self._buffers.give_back(rows.buffer)

    def _read_columns(self, source: Any, footer: pq.FileMetaData, number: int) -> dict[str, list[Any]]:
        if not self._columns:
            return {}
        with closing(pq.ParquetFile(source, metadata=footer)) as file:
            table = file.read_row_group(number, columns=self._columns, use_threads=False)
        return {name: table[name].to_pylist() for name in self._columns}

    def _from_file(
        self, file: int, column: pq.ColumnChunkMetaData, begin: int, stop: int, rows: dict[str, list[Any]], shard: Shard
    ) -> Rows:
        def peek(place: int, size: int) -> bytes:
            return os.pread(file, size, place)

        if begin == 0 and stop == column.num_values:
            # All of it: in one go, and then the values are found in memory.
            start, size = column.data_page_offset, column.total_compressed_size
            buffer = self._buffers.take(size)
            view = memoryview(buffer)[:size]
            if os.preadv(file, [view], start) != size:
                raise self._changed(shard, "has become shorter")
            places = self._find(lambda place, size: bytes(view[place - start :][:size]), column, begin, stop, shard)
            return Rows(begin, rows, buffer, [(place - start, end - start) for place, end in places])
        places = self._find(peek, column, begin, stop, shard)
        buffer = self._buffers.take(sum(end - start for start, end in places))
        within: list[tuple[int, int]] = []
        filled = 0
        for start, end in places:
            if os.preadv(file, [memoryview(buffer)[filled : filled + end - start]], start) != end - start:
                raise self._changed(shard, "has become shorter")
            within.append((filled, filled + end - start))
            filled += end - start
        return Rows(begin, rows, buffer, within)

    def _from_memory(
        self,
        peek: Peek,
        column: pq.ColumnChunkMetaData,
        begin: int,
        stop: int,
        rows: dict[str, list[Any]],
        shard: Shard,
    ) -> Rows:
        places = self._find(peek, column, begin, stop, shard)
        start, end = places[0][0], places[-1][1]
        return Rows(begin, rows, peek(start, end - start), [(place - start, end - start) for place, end in places])

    def _find(
        self, peek: Peek, column: pq.ColumnChunkMetaData, begin: int, stop: int, shard: Shard
    ) -> list[tuple[int, int]]:
        """Where in the file the images of some rows begin and end."""
        try:
            if column.compression != "UNCOMPRESSED":
                raise ValueError(f"images are stored with compression {column.compression}")
            return _find_values(peek, column, begin, stop)
        except (ValueError, IndexError) as error:
            raise self._changed(shard, f"does not hold images as this project stores them ({error})") from error

    def _hold(self, group: int, facts: pq.RowGroupMetaData, growing: bool) -> Held:
        """The wanted columns of a row group on the Hub; the images of a growing one are fetched while it is read."""
        if growing and group in self._growing:
            return self._growing[group]
        shard = self._layout.shards[self._layout.groups[group].shard]
        images, others = [], []
        for column in _columns(facts):
            if column.path_in_schema == _IMAGE_BYTES:
                images += [_range(column)] if self._images else []
            elif column.path_in_schema.partition(".")[0] in self._columns:
                others.append(_range(column))
        ranges = [*images, *others]
        held = Held(
            lambda start, end: self._fetch(shard, start, end),
            min((start for start, _ in ranges), default=0),
            max((end for _, end in ranges), default=0),
        )
        for start, end in join_ranges(others if growing else ranges):
            held.hold(start, end)
        if growing:
            self._growing[group] = held
        return held

    def _fetch(self, shard: Shard, start: int, end: int) -> bytes:
        try:
            return self._remote.fetch(shard.path, start, end)
        except FileNotFoundError:
            raise self._changed(shard, "is gone") from None

    def _state(self, shard: Shard) -> tuple[int, ...]:
        try:
            facts = os.stat(os.path.join(self._layout.root, shard.path))
        except FileNotFoundError:
            raise self._changed(shard, "is gone") from None
        if facts.st_size != shard.bytes:
            raise self._changed(shard, f"has {facts.st_size:,} bytes, {shard.bytes:,} are stated in conversion.json")
        return facts.st_size, facts.st_mtime_ns, facts.st_ino

    def _changed(self, shard: Shard, what: str) -> ChangedShardError:
        return ChangedShardError(
            f"{self._layout.root}/{shard.path} {what}: the epoch began with another file, and would mix two orders. Put the "
            "repository back as it was, or begin a new stream (check_repository.py tells what is wrong with it)"
        )

    def _footer(self, number: int) -> pq.FileMetaData:
        footer = self._footers.get(number)
        if footer is None:
            shard = self._layout.shards[number]
            if self._layout.remote:
                tail = self._fetch(shard, shard.bytes - shard.footer_bytes, shard.bytes)
                source: Any = io.BytesIO(b"PAR1" + tail)
            else:
                source = os.path.join(self._layout.root, shard.path)
            footer = pq.read_metadata(source)
            stated = [(group.rows, group.bytes) for group in self._layout.groups if group.shard == number]
            found = [footer.row_group(i) for i in range(footer.num_row_groups)]
            if [(facts.num_rows, sum(c.total_compressed_size for c in _columns(facts))) for facts in found] != stated:
                raise self._changed(shard, "has other row groups than conversion.json states")
            self._footers[number] = footer
        return footer


def _columns(group: pq.RowGroupMetaData) -> list[pq.ColumnChunkMetaData]:
    return [group.column(i) for i in range(group.num_columns)]


def _range(column: pq.ColumnChunkMetaData) -> tuple[int, int]:
    start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
    return start, start + column.total_compressed_size


def _find_values(peek: Peek, column: pq.ColumnChunkMetaData, begin: int, stop: int) -> list[tuple[int, int]]:
    """Where the values `begin` to `stop` of a column of variable length lie; pages without them are passed over.

    Raises:
        ValueError: a page is not PLAIN, or a value is missing.
    """
    places: list[tuple[int, int]] = []
    row = 0
    for page in read_pages(peek, column):
        if row >= stop:
            break
        if row + page.values > begin:
            places += _values_of(peek, page)[max(0, begin - row) : stop - row]
        row += page.values
    return places


def _values_of(peek: Peek, page: Page) -> list[tuple[int, int]]:
    if page.encoding != PLAIN:
        raise ValueError(f"encoding {page.encoding}")
    place = page.place + page.header
    end = place + page.data
    place += page.levels if page.levels is not None else 4 + int.from_bytes(peek(place, 4), "little")
    values = []
    for _ in range(page.values):
        start = place + 4
        place = start + int.from_bytes(peek(place, 4), "little")
        values.append((start, place))
    if place != end:
        raise ValueError(f"the values of the page at byte {page.place:,} end at {place:,} instead of {end:,}")
    return values


class _HeldFile(io.RawIOBase):
    """Held ranges as a file, for pyarrow."""

    def __init__(self, held: Held, size: int) -> None:
        super().__init__()
        self._held, self._size, self._at = held, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        data = self._held.read(self._at, size if size >= 0 else self._size - self._at)
        self._at += len(data)
        return data
