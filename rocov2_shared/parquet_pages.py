"""The pages of a Parquet column, which pyarrow does not list: the check needs their sizes, the stream their offsets.

A page begins with a header in Thrift's compact protocol, which contains its size and number of values. Only headers are
read here. https://parquet.apache.org/docs/file-format/data-pages/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow.parquet as pq

Peek = Callable[[int, int], bytes | memoryview]
"""Takes an offset in a file and a size; returns that many bytes, fewer at the end of the file."""

PLAIN = 0
"""The encoding of plain values, one after another; those of variable length follow their length in four bytes."""

# Fields of PageHeader, of DataPageHeader and DataPageHeaderV2 alike, and of each of them.
_COMPRESSED_SIZE, _V1, _V2, _NUM_VALUES = 3, 5, 8, 1
_ENCODING, _LEVELS = {_V1: 2, _V2: 4}, (5, 6)

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LISTS, _STRUCT = 1, 2, 3, 7, 8, (9, 10), 12
_HEADER_BYTES = (1 << 10, 1 << 18)
"""Bytes to read for a header: first a size that is nearly always enough, then one for headers with long statistics."""


class Page(NamedTuple):
    """One data page.

    Attributes:
        values: number of values.
        offset: offset of its header in the file.
        header: size of the header in bytes.
        data: size of the data after it, as stored in the file.
        levels: size of the levels at the beginning of the data; None if their length is stored before them.
        encoding: encoding of the values.
    """

    values: int
    offset: int
    header: int
    data: int
    levels: int | None
    encoding: int | None

    @property
    def bytes(self) -> int:
        """Size of header and data in the file."""
        return self.header + self.data


def read_pages(peek: Peek, column: pq.ColumnChunkMetaData) -> Iterator[Page]:
    """Yield the data pages of one column chunk, from their headers alone.

    Raises:
        ValueError: a page header is missing or damaged.
    """
    offset, left = column.data_page_offset, column.num_values
    while left > 0:
        page = _read_page(peek, offset)
        if page.values <= 0 or page.values > left:
            raise ValueError(f"a page of {page.values} values, but {left} are left in the column chunk")
        yield page
        offset += page.bytes
        left -= page.values


def read_struct(data: bytes) -> dict[int, Any]:
    """Return the fields of a structure in Thrift's compact protocol by number; texts are None.

    Raises:
        ValueError: `data` is not one, or ends before its end.
    """
    try:
        return _read_struct(data, 0)[0]
    except (IndexError, RecursionError) as error:
        raise ValueError("a structure without end") from error


def _read_page(peek: Peek, offset: int) -> Page:
    for size in _HEADER_BYTES:
        try:
            header, length = _read_struct(peek(offset, size), 0)
        except IndexError:
            continue
        kind = next((field for field in (_V1, _V2) if isinstance(header.get(field), dict)), None)
        if kind is None or not isinstance(header.get(_COMPRESSED_SIZE), int):
            break
        inner = header[kind]
        levels = sum(inner.get(field) or 0 for field in _LEVELS) if kind == _V2 else None
        data = max(header[_COMPRESSED_SIZE], 0)
        return Page(inner.get(_NUM_VALUES, 0), offset, length, data, levels, inner.get(_ENCODING[kind]))
    raise ValueError(f"no data page header at byte {offset:,}")


def _read_struct(data: bytes | memoryview, offset: int) -> tuple[dict[int, Any], int]:
    """Return the fields by number, and the offset after them; raise IndexError if `data` ends before."""
    fields: dict[int, Any] = {}
    number = 0
    while True:
        byte = data[offset]
        offset += 1
        if not byte:
            return fields, offset
        kind = byte & 15
        if byte > 15:
            number += byte >> 4
        else:
            number, offset = _read_integer(data, offset)
        if _BYTE < kind < _DOUBLE:
            # Integers are most of all fields, and most of them have one byte: no call for these.
            value = data[offset]
            if value < 128:
                offset += 1
            else:
                value, offset = _read_unsigned(data, offset)
            fields[number] = (value >> 1) ^ -(value & 1)
        elif kind == _STRUCT:
            fields[number], offset = _read_struct(data, offset)
        elif kind in (_TRUE, _FALSE):
            fields[number] = kind == _TRUE
        else:
            fields[number], offset = _read_value(data, offset, kind)


def _read_value(data: bytes | memoryview, offset: int, kind: int) -> tuple[Any, int]:
    if kind == _STRUCT:
        return _read_struct(data, offset)
    if kind == _BINARY:
        length, offset = _read_unsigned(data, offset)
        return None, offset + length  # not needed; if it ends after `data`, reading the next byte fails
    if kind in (_BYTE, _DOUBLE):
        return None, offset + (1 if kind == _BYTE else 8)
    if kind in _LISTS:
        size, kind = data[offset] >> 4, data[offset] & 15
        offset += 1
        if size == 15:
            size, offset = _read_unsigned(data, offset)
        values = []
        for _ in range(size):
            value, offset = _read_value(data, offset, _BYTE if kind in (_TRUE, _FALSE) else kind)
            values.append(value)
        return values, offset
    if _FALSE < kind < _DOUBLE:
        return _read_integer(data, offset)
    raise ValueError(f"unknown type {kind} in a page header")


def _read_unsigned(data: bytes | memoryview, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, offset
        shift += 7


def _read_integer(data: bytes | memoryview, offset: int) -> tuple[int, int]:
    value, offset = _read_unsigned(data, offset)
    return (value >> 1) ^ -(value & 1), offset
