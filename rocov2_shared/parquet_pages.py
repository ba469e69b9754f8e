"""The pages of a Parquet column, which pyarrow does not tell: the check needs their sizes, the stream reads images by them.

A page begins with a header in Thrift's compact protocol, from which its size and number of values are read here; the data
is passed over. https://parquet.apache.org/docs/file-format/data-pages/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow.parquet as pq

Peek = Callable[[int, int], bytes]
"""Gives so many bytes of a file from a place on; fewer where it ends."""

PLAIN = 0
"""The encoding of values one after the other, those of variable length each behind its length in four bytes."""

# Fields of PageHeader, of DataPageHeader and DataPageHeaderV2 alike, and of each of them.
_COMPRESSED_SIZE, _V1, _V2, _NUM_VALUES = 3, 5, 8, 1
_ENCODING, _LEVELS = {_V1: 2, _V2: 4}, (5, 6)

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LISTS, _STRUCT = 1, 2, 3, 7, 8, (9, 10), 12
_HEADER_BYTES = (1 << 10, 1 << 18)
"""Read for a header: nearly always enough, and enough for one that states the least and greatest of long values."""


class Page(NamedTuple):
    """One page of data.

    Attributes:
        values: their number.
        place: of its header in the file.
        header: bytes of the header.
        data: bytes behind it, as they lie in the file.
        levels: of these, bytes of the levels before the values; None where their length stands before them.
        encoding: of the values.
    """

    values: int
    place: int
    header: int
    data: int
    levels: int | None
    encoding: int | None

    @property
    def bytes(self) -> int:
        """All of its bytes in the file."""
        return self.header + self.data


def read_pages(peek: Peek, column: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """Data pages of a column of one row group, from their headers alone.

    Raises:
        ValueError: there are other bytes than the headers of pages.
    """
    place, left = column.data_page_offset, column.num_values
    while left > 0:
        page = _read_page(peek, place)
        if page.values <= 0 or page.values > left:
            raise ValueError(f"a page of {page.values} values where {left} are left")
        yield page
        place += page.bytes
        left -= page.values


def _read_page(peek: Peek, place: int) -> Page:
    for size in _HEADER_BYTES:
        try:
            header, length = _read_struct(peek(place, size), 0)
        except IndexError:
            continue
        kind = next((field for field in (_V1, _V2) if isinstance(header.get(field), dict)), None)
        if kind is None or not isinstance(header.get(_COMPRESSED_SIZE), int):
            break
        inner = header[kind]
        levels = sum(inner.get(field) or 0 for field in _LEVELS) if kind == _V2 else None
        data = max(header[_COMPRESSED_SIZE], 0)
        return Page(inner.get(_NUM_VALUES, 0), place, length, data, levels, inner.get(_ENCODING[kind]))
    raise ValueError(f"no header of a page of data at byte {place:,}")


def _read_struct(data: bytes, place: int) -> tuple[dict[int, Any], int]:
    """Fields by number, and the place after them; an IndexError when `data` ends before."""
    fields: dict[int, Any] = {}
    number = 0
    while True:
        byte = data[place]
        place += 1
        if not byte:
            return fields, place
        kind, step = byte & 15, byte >> 4
        if step:
            number += step
        else:
            number, place = _read_integer(data, place)
        fields[number], place = (kind == _TRUE, place) if kind in (_TRUE, _FALSE) else _read_value(data, place, kind)


def _read_value(data: bytes, place: int, kind: int) -> tuple[Any, int]:
    if kind == _STRUCT:
        return _read_struct(data, place)
    if kind == _BINARY:
        length, place = _read_unsigned(data, place)
        return None, place + length  # of no interest; when it ends after `data`, the next byte is missing
    if kind in (_BYTE, _DOUBLE):
        return None, place + (1 if kind == _BYTE else 8)
    if kind in _LISTS:
        size, kind = data[place] >> 4, data[place] & 15
        place += 1
        if size == 15:
            size, place = _read_unsigned(data, place)
        for _ in range(size):
            _, place = _read_value(data, place, _BYTE if kind in (_TRUE, _FALSE) else kind)
        return None, place
    if _FALSE < kind < _DOUBLE:
        return _read_integer(data, place)
    raise ValueError(f"an unknown kind of value ({kind}) in the header of a page")


def _read_unsigned(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
        shift += 7


def _read_integer(data: bytes, place: int) -> tuple[int, int]:
    value, place = _read_unsigned(data, place)
    return (value >> 1) ^ -(value & 1), place
