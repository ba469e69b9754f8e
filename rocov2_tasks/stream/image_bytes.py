"""Values of a column of variable length, copied from its pages in the file: a local one, or ranges from the Hub."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from io import FileIO
from typing import Any

import pyarrow.parquet as pq

from rocov2_shared.parquet_pages import PLAIN, Page, Peek, read_pages
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.remote import Held, HeldFile

Spans = list[tuple[int, int]]
"""Offsets at which values begin and end."""

_STEP = 1 << 20
"""Buffer sizes are multiples of this many bytes, so that a buffer fits more than once."""


class Buffers:
    """Reuses memory: touching fresh memory takes longer than reading into it."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """Return a buffer of at least `size` bytes."""
        for buffer in tuple(self._free):
            if len(buffer) >= size:
                try:
                    self._free.remove(buffer)
                except ValueError:  # another thread was faster
                    continue
                return buffer
        return bytearray(-(-size // _STEP) * _STEP)

    def give_back(self, buffer: bytearray) -> None:
        """Let a buffer be taken again: its content is no longer needed."""
        self._free.append(buffer)


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
    ) -> tuple[bytearray | bytes, Spans]:
        """Return values `begin` to `stop` of a column: a buffer, and the span of each in it. Others are not read.

        Raises:
            ValueError: the column is not stored as this project stores images.
        """
        # By seek and read, not os.pread: Windows does not have it.
        with open(self.source, "rb", buffering=0) as file:
            if begin == 0 and stop == column.num_values:
                # All values: read the column in one go, then find them in memory.
                first, size = column.data_page_offset, column.total_compressed_size
                buffer = buffers.take(size)
                view = memoryview(buffer)[:size]
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
                _fill(file, memoryview(buffer)[filled : filled + end - start], start)
                within.append((filled, filled + end - start))
                filled += end - start
            self._costs.add(bytes_read=filled + sum(peeked))
            return buffer, within


def _read_at(file: FileIO, sizes: list[int], offset: int, size: int) -> bytes:
    """Read a part of a file, and append its size to `sizes`."""
    file.seek(offset)
    data = file.read(size)
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
    ) -> tuple[bytearray | bytes, Spans]:
        spans = find_values(self._held.read, column, begin, stop)
        first, last = spans[0][0], spans[-1][1]
        return self._held.read(first, last - first), [(start - first, end - first) for start, end in spans]


def find_values(peek: Peek, column: pq.ColumnChunkMetaData, begin: int, stop: int) -> Spans:
    """Return the spans in the file of the values `begin` to `stop` of a column; pages without them are skipped.

    Raises:
        ValueError: the column is compressed, a page is not PLAIN, or a value is missing.
    """
    if column.compression != "UNCOMPRESSED":
        raise ValueError(f"compression {column.compression}")
    spans: Spans = []
    row = 0
    for page in read_pages(peek, column):
        if row >= stop:
            break
        if row + page.values > begin:
            spans += list(_values_of(peek, page))[max(0, begin - row) : stop - row]
        row += page.values
    return spans


def _values_of(peek: Peek, page: Page) -> Iterator[tuple[int, int]]:
    if page.encoding != PLAIN:
        raise ValueError(f"encoding {page.encoding}")
    offset = page.offset + page.header
    end = offset + page.data
    offset += page.levels if page.levels is not None else 4 + int.from_bytes(peek(offset, 4), "little")
    for _ in range(page.values):
        start = offset + 4
        offset = start + int.from_bytes(peek(offset, 4), "little")
        yield start, offset
    if offset != end:
        raise ValueError(f"the values of the page at byte {page.offset:,} end at {offset:,} instead of {end:,}")
