"""The values of a column of variable length, taken from its pages as they lie in the file: from a folder, or held ranges."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pyarrow.parquet as pq

from rocov2_shared.parquet_pages import PLAIN, Page, Peek, read_pages
from rocov2_tasks.stream.remote import Held, HeldFile

Places = list[tuple[int, int]]
"""Where values begin and end."""

_STEP = 1 << 20
"""Buffers are made in steps of so many bytes, so that they fit more than once."""


class Buffers:
    """Memory that has been used already: touching fresh memory costs more than what is read into it."""

    def __init__(self) -> None:
        self._free: list[bytearray] = []

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes."""
        for buffer in tuple(self._free):
            if len(buffer) >= size:
                try:
                    self._free.remove(buffer)
                except ValueError:  # another thread was faster
                    continue
                return buffer
        return bytearray(-(-size // _STEP) * _STEP)

    def give_back(self, buffer: bytearray) -> None:
        """Say that nobody looks at it any more."""
        self._free.append(buffer)


class LocalGroup:
    """A row group of a local file.

    Attributes:
        source: what pyarrow opens.
    """

    def __init__(self, path: str) -> None:
        self.source: Any = path

    def values(
        self, column: pq.ColumnChunkMetaData, begin: int, stop: int, buffers: Buffers
    ) -> tuple[bytearray | bytes, Places]:
        """Values `begin` to `stop` of a column: a buffer, and where in it each lies. Others are not read.

        Raises:
            ValueError: the column is not stored as this project stores images.
        """
        with open(self.source, "rb", buffering=0) as opened:
            file = opened.fileno()
            if begin == 0 and stop == column.num_values:
                # All of them: in one go, and then they are found in memory.
                start, size = column.data_page_offset, column.total_compressed_size
                buffer = buffers.take(size)
                view = memoryview(buffer)[:size]
                _fill(file, view, start)
                places = find_values(lambda place, size: bytes(view[place - start :][:size]), column, begin, stop)
                return buffer, [(place - start, end - start) for place, end in places]
            places = find_values(lambda place, size: os.pread(file, size, place), column, begin, stop)
            buffer = buffers.take(sum(end - start for start, end in places))
            within: Places = []
            filled = 0
            for start, end in places:
                _fill(file, memoryview(buffer)[filled : filled + end - start], start)
                within.append((filled, filled + end - start))
                filled += end - start
            return buffer, within


def _fill(file: int, view: memoryview, place: int) -> None:
    while len(view):
        count = os.preadv(file, [view], place)
        if not count:
            raise ValueError(f"the file ends at byte {place:,}")
        view, place = view[count:], place + count


class RemoteGroup:
    """A row group of which the wanted ranges are held, or are fetched as they are read; as `LocalGroup`."""

    def __init__(self, held: Held, size: int) -> None:
        self._held, self._size = held, size

    @property
    def source(self) -> Any:
        """What pyarrow opens."""
        return HeldFile(self._held, self._size)

    def values(
        self, column: pq.ColumnChunkMetaData, begin: int, stop: int, buffers: Buffers
    ) -> tuple[bytearray | bytes, Places]:
        places = find_values(self._held.read, column, begin, stop)
        start, end = places[0][0], places[-1][1]
        return self._held.read(start, end - start), [(place - start, end - start) for place, end in places]


def find_values(peek: Peek, column: pq.ColumnChunkMetaData, begin: int, stop: int) -> Places:
    """Where in the file the values `begin` to `stop` of a column lie; pages without them are passed over.

    Raises:
        ValueError: the column is compressed, a page is not PLAIN, or a value is missing.
    """
    if column.compression != "UNCOMPRESSED":
        raise ValueError(f"compression {column.compression}")
    places: Places = []
    row = 0
    for page in read_pages(peek, column):
        if row >= stop:
            break
        if row + page.values > begin:
            places += list(_values_of(peek, page))[max(0, begin - row) : stop - row]
        row += page.values
    return places


def _values_of(peek: Peek, page: Page) -> Iterator[tuple[int, int]]:
    if page.encoding != PLAIN:
        raise ValueError(f"encoding {page.encoding}")
    place = page.place + page.header
    end = place + page.data
    place += page.levels if page.levels is not None else 4 + int.from_bytes(peek(place, 4), "little")
    for _ in range(page.values):
        start = place + 4
        place = start + int.from_bytes(peek(place, 4), "little")
        yield start, place
    if place != end:
        raise ValueError(f"the values of the page at byte {page.place:,} end at {place:,} instead of {end:,}")
