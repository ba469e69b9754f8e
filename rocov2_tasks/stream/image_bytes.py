"""Values of a column of variable length, copied from its pages in the file: a local one, or ranges from the Hub."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from functools import cache, partial
from io import FileIO
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from rocov2_shared.parquet_pages import PLAIN, Page, Peek, read_pages
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.remote import Held, HeldFile

Spans = list[tuple[int, int]]
"""Offsets at which values begin and end."""

_STEP = 1 << 20
"""Buffer sizes are multiples of this many bytes, so that a buffer fits more than once."""

_LENGTH = 4
"""Bytes of the length before a value."""

_PREAD = getattr(os, "pread", None)  # not on Windows
_ADVISE = getattr(os, "posix_fadvise", None)  # not on macOS and Windows

_MOST_KEPT = 31 << 20
"""Bytes of the largest block whose release changes how glibc keeps memory: its limit is 32 MiB, with its header."""


class Buffers:
    """Reuses memory: touching fresh memory takes longer than reading into it. May be used from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[memoryview] = []

    def take(self, size: int) -> memoryview:
        """Return a buffer of at least `size` bytes."""
        with self._lock:
            for index, buffer in enumerate(self._free):
                if len(buffer) >= size:
                    return self._free.pop(index)
        # Unlike a bytearray, NumPy does not fill memory with zeros first.
        return np.empty(-(-size // _STEP) * _STEP, np.uint8).data

    def give_back(self, buffer: memoryview) -> None:
        """Let a buffer be taken again: its content is no longer needed."""
        with self._lock:
            self._free.append(buffer)


@cache
def keep_freed_memory() -> None:
    """Let glibc keep the memory of a batch for the next one, for as long as the process runs; elsewhere change nothing.

    By default it returns freed memory to the system above 128 kB, and touching the pages of a batch of JPEGs anew takes twice
    as long as copying the JPEGs. The limit grows to twice the largest block that was freed, so that any program with
    large arrays raises it sooner or later: this does so before the first batch. The block itself is never touched.
    """
    np.empty(_MOST_KEPT, np.uint8)


class LocalGroup:
    """A row group of a local file.

    Args:
        path: the file.
        costs: counts the bytes that are read.

    Attributes:
        source: what pyarrow opens.
    """

    def __init__(self, path: str, costs: Costs | None = None) -> None:
        self.source: Any = path
        self._costs = costs or Costs()

    def values(
        self, column: pq.ColumnChunkMetaData, begin: int, stop: int, buffers: Buffers
    ) -> tuple[memoryview, Spans]:
        """Return values `begin` to `stop` of a column: a buffer, and the span of each in it. Others are not read.

        Raises:
            ValueError: the column is not stored as this project stores images.
        """
        with open(self.source, "rb", buffering=0) as file:
            if begin == 0 and stop == column.num_values:
                # All values: read the column in one go, then find them in memory.
                first, size = column.data_page_offset, column.total_compressed_size
                buffer = buffers.take(size)
                view = buffer[:size]
                _fill(file, view, first)
                self._costs.add(bytes_read=size)
                spans = find_values(lambda offset, size: bytes(view[offset - first :][:size]), column, begin, stop)
                return buffer, [(start - first, end - first) for start, end in spans]
            peeked: list[int] = []
            spans = find_values(partial(_read_at, file, peeked), column, begin, stop)
            buffer = buffers.take(sum(end - start for start, end in spans))
            within: Spans = []
            filled = 0
            for start, end in spans:
                _fill(file, buffer[filled : filled + end - start], start)
                within.append((filled, filled + end - start))
                filled += end - start
            self._costs.add(bytes_read=filled + sum(peeked))
            return buffer, within

    def find(self, column: pq.ColumnChunkMetaData, begin: int, stop: int) -> Spans:
        """Return the spans in the file of values `begin` to `stop` of a column, and let the system read them ahead.

        Raises:
            ValueError: the column is not stored as this project stores images.
        """
        with open(self.source, "rb", buffering=0) as file:
            if _ADVISE is not None:
                _ADVISE(file.fileno(), column.data_page_offset, column.total_compressed_size, os.POSIX_FADV_WILLNEED)
            peeked: list[int] = []
            spans: Spans = []
            for page, first in _pages_of(partial(_read_at, file, peeked), column, begin, stop):
                spans += _spans_in(file, page)[max(0, begin - first) : stop - first]
                peeked.append(_LENGTH * page.values)
            self._costs.add(bytes_read=sum(peeked))
            return spans


def read_at(file: FileIO, offset: int, size: int) -> bytes:
    """Return `size` bytes of a file from an offset on, fewer at its end."""
    if _PREAD is not None:
        data: bytes = _PREAD(file.fileno(), size, offset)
        return data
    file.seek(offset)
    return file.read(size)


def _read_at(file: FileIO, sizes: list[int], offset: int, size: int) -> bytes:
    """Read a part of a file, and append its size to `sizes`."""
    data = read_at(file, offset, size)
    sizes.append(len(data))
    return data


def _fill(file: FileIO, view: memoryview, offset: int) -> None:
    file.seek(offset)
    while len(view):
        count = file.readinto(view)
        if not count:
            raise ValueError(f"the file ends at byte {offset:,}")
        view, offset = view[count:], offset + count


class RemoteGroup:
    """A row group on the Hub, with the methods of `LocalGroup`: its ranges are in memory, or are fetched as they are read."""

    def __init__(self, held: Held, size: int) -> None:
        self._held, self._size = held, size

    @property
    def source(self) -> Any:
        """What pyarrow opens."""
        return HeldFile(self._held, self._size)

    def values(
        self, column: pq.ColumnChunkMetaData, begin: int, stop: int, buffers: Buffers
    ) -> tuple[memoryview, Spans]:
        spans = find_values(self._held.read, column, begin, stop)
        first, last = spans[0][0], spans[-1][1]
        return self._held.read(first, last - first), [(start - first, end - first) for start, end in spans]


def find_values(peek: Peek, column: pq.ColumnChunkMetaData, begin: int, stop: int) -> Spans:
    """Return the spans in the file of the values `begin` to `stop` of a column; pages without them are skipped.

    Raises:
        ValueError: the column is compressed, a page is not PLAIN, or a value is missing.
    """
    spans: Spans = []
    for page, first in _pages_of(peek, column, begin, stop):
        spans += list(_values_of(peek, page))[max(0, begin - first) : stop - first]
    return spans


def _pages_of(peek: Peek, column: pq.ColumnChunkMetaData, begin: int, stop: int) -> Iterator[tuple[Page, int]]:
    """Yield the pages that contain the values `begin` to `stop`, each with the number of its first value."""
    if column.compression != "UNCOMPRESSED":
        raise ValueError(f"compression {column.compression}")
    first = 0
    for page in read_pages(peek, column):
        if first >= stop:
            return
        if first + page.values > begin:
            if page.encoding != PLAIN:
                raise ValueError(f"encoding {page.encoding}")
            yield page, first
        first += page.values


def _values_of(peek: Peek, page: Page) -> Iterator[tuple[int, int]]:
    offset = page.offset + page.header
    end = offset + page.data
    offset += page.levels if page.levels is not None else _LENGTH + int.from_bytes(peek(offset, _LENGTH), "little")
    for _ in range(page.values):
        start = offset + _LENGTH
        offset = start + int.from_bytes(peek(offset, _LENGTH), "little")
        yield start, offset
    if offset != end:
        raise ValueError(f"the values of the page at byte {page.offset:,} end at {offset:,} instead of {end:,}")


def _spans_in(file: FileIO, page: Page) -> Spans:
    """Return the spans of the values of a page, with one call for each."""
    if _PREAD is None:
        return list(_values_of(partial(read_at, file), page))
    number, pread = file.fileno(), _PREAD
    return list(_values_of(lambda offset, size: pread(number, size, offset), page))
