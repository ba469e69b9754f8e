"""Row groups of a layout, from a folder or from the Hub: only the columns and rows asked for, and of no changed shard.

Images are taken from the pages as they lie in the file, PLAIN and uncompressed, into buffers that are used again: that
spares a copy, and fresh memory, for each. All other columns are read by pyarrow.
"""

from __future__ import annotations

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

import pyarrow.parquet as pq

from rocov2_tasks.stream.image_bytes import Buffers, LocalGroup, Places, RemoteGroup
from rocov2_tasks.stream.layout import Layout, Shard
from rocov2_tasks.stream.remote import Held, RemoteFiles, join_ranges

_IMAGE_BYTES = "image.bytes"


class ChangedShardError(RuntimeError):
    """A shard is no longer the one that the epoch began with.

    Attributes:
        fact: which, and what is wrong with it, for those who have no epoch.
    """

    fact = ""


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
    places: Places

    def image(self, row: int) -> memoryview:
        """Bytes of the image of a row, by its number in the row group; good until the rows are given back."""
        start, end = self.places[row - self.first]
        return memoryview(self.buffer)[start:end]


class _Columns(dict[str, list[Any]]):
    """Values by column; others than a plain dictionary's can be referred to weakly."""


class GroupReader:
    """Reads row groups; its methods may be called from several threads.

    What was there when it was made is what it reads: a local shard that was written since raises an error, and a dataset
    on the Hub is read at one commit.

    Args:
        layout: where the row groups lie.
        columns: those that are read.
        patience: of the Hub, as `RemoteFiles` has it.

    Raises:
        ChangedShardError: a shard is missing, or has another size than `conversion.json` states.
    """

    def __init__(self, layout: Layout, columns: Sequence[str], patience: float | None = None) -> None:
        self._layout = layout
        self._images = "image" in columns
        self._columns = [column for column in columns if column != "image"]
        self._remote = RemoteFiles(layout.root, patience)
        self._states = {} if layout.remote else {shard.path: self._state(shard) for shard in layout.shards}
        self._footers: dict[int, pq.FileMetaData] = {}
        self._buffers = Buffers()
        self._known: WeakValueDictionary[int, _Columns] = WeakValueDictionary()
        self._growing: dict[int, RemoteGroup] = {}
        self._group_locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)
        self._footer_locks: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)

    def read(self, group: int, begin: int, stop: int, growing: bool = False) -> Rows:
        """Rows `begin` to `stop` of a row group.

        Args:
            group: its number in the layout.
            begin, stop: rows; the columns beside the images are read of all.
            growing: of a file on the Hub, fetch the images as they are needed, instead of all of the row group at once.
        """
        place = self._layout.groups[group]
        footer = self._footer(place.shard)
        with self._group_locks[group]:  # lanes that share a row group share its columns
            columns = self._known.get(group)
            if columns is not None and not self._images:
                return Rows(begin, columns, b"", [])
            opened = self._open(group, growing)
            if columns is None:
                columns = self._known[group] = self._read_columns(opened.source, footer, place.number)
        if not self._images:
            return Rows(begin, columns, b"", [])
        if stop == place.rows:
            self._growing.pop(group, None)
        images = next(part for part in _chunks(footer.row_group(place.number)) if part.path_in_schema == _IMAGE_BYTES)
        try:
            return Rows(begin, columns, *opened.values(images, begin, stop, self._buffers))
        except ValueError as error:
            shard = self._layout.shards[place.shard]
            raise self._changed(shard, f"does not hold images as this project stores them ({error})") from error

    def image_id(self, group: int, row: int) -> str:
        """The id of a row, for a message."""
        named = GroupReader(self._layout, ["image_id"])
        return str(named.read(group, 0, 0).columns["image_id"][row])

    def give_back(self, rows: Rows) -> None:
        """Say that the images of these rows are of no use any more."""
        if isinstance(rows.buffer, bytearray):
            self._buffers.give_back(rows.buffer)

    def _read_columns(self, source: Any, footer: pq.FileMetaData, number: int) -> _Columns:
        if not self._columns:
            return _Columns()
        with closing(pq.ParquetFile(source, metadata=footer)) as file:
            table = file.read_row_group(number, columns=self._columns, use_threads=False)
        return _Columns((name, table[name].to_pylist()) for name in self._columns)

    def _open(self, group: int, growing: bool) -> LocalGroup | RemoteGroup:
        place = self._layout.groups[group]
        shard = self._layout.shards[place.shard]
        if not self._layout.remote:
            if self._state(shard) != self._states[shard.path]:
                raise self._changed(shard, "was written since")
            return LocalGroup(os.path.join(self._layout.root, shard.path))
        known = self._growing.get(group)
        if known is not None:
            return known
        chunks = _chunks(self._footer(place.shard).row_group(place.number))
        images = [_range(chunk) for chunk in chunks if self._images and chunk.path_in_schema == _IMAGE_BYTES]
        others = [_range(chunk) for chunk in chunks if chunk.path_in_schema.partition(".")[0] in self._columns]
        ranges = [*images, *others]
        held = Held(partial(self._fetch, shard), max((end for _, end in ranges), default=0))
        for start, end in join_ranges(others if growing else ranges):
            held.hold(start, end)
        opened = RemoteGroup(held, shard.bytes)
        if growing:
            self._growing[group] = opened
        return opened

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
        fact = f"{self._layout.root}/{shard.path} {what}"
        error = ChangedShardError(
            f"{fact}: the epoch began with another file, and would mix two orders. Put the repository back as it was, or "
            "begin a new stream (check_repository.py tells what is wrong with it)"
        )
        error.fact = fact
        return error

    def _footer(self, number: int) -> pq.FileMetaData:
        with self._footer_locks[number]:
            if number in self._footers:
                return self._footers[number]
            shard = self._layout.shards[number]
            source: Any = os.path.join(self._layout.root, shard.path)
            if self._layout.remote:
                source = io.BytesIO(b"PAR1" + self._fetch(shard, shard.bytes - shard.footer_bytes, shard.bytes))
            else:
                self._state(shard)  # one that is gone is told of as such
            footer = pq.read_metadata(source)
            stated = [(group.rows, group.bytes) for group in self._layout.groups if group.shard == number]
            found = [footer.row_group(i) for i in range(footer.num_row_groups)]
            if [
                (facts.num_rows, sum(part.total_compressed_size for part in _chunks(facts))) for facts in found
            ] != stated:
                raise self._changed(shard, "has other row groups than conversion.json states")
            self._footers[number] = footer
            return footer


def _chunks(group: pq.RowGroupMetaData) -> list[pq.ColumnChunkMetaData]:
    return [group.column(i) for i in range(group.num_columns)]


def _range(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    start = chunk.dictionary_page_offset if chunk.has_dictionary_page else chunk.data_page_offset
    return start, start + chunk.total_compressed_size
