"""The pages of a Parquet column: pyarrow says whether there is an index of them, but not how large they are.

A page begins with a header in Thrift's compact protocol, from which its size and number of values are read here; the data
is passed over. https://parquet.apache.org/docs/file-format/data-pages/
"""

from __future__ import annotations

from typing import Any, BinaryIO, NamedTuple

import pyarrow.parquet as pq

# Fields of PageHeader, and of DataPageHeader and DataPageHeaderV2 alike.
_COMPRESSED_SIZE, _HEADERS, _NUM_VALUES = 3, (5, 8), 1

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LISTS, _STRUCT = 1, 2, 3, 7, 8, (9, 10), 12
_HEADER_BYTES = (1 << 10, 1 << 18)
"""Read for a header: nearly always enough, and enough for one that states the least and greatest of long values."""


class Page(NamedTuple):
    """One page of data: its number of values, and its bytes in the file."""

    values: int
    bytes: int


def read_pages(file: BinaryIO, column: pq.ColumnChunkMetaData) -> list[Page]:
    """Data pages of a column of one row group, from their headers alone.

    Raises:
        ValueError: there are other bytes than the headers of pages.
    """
    pages: list[Page] = []
    place, left = column.data_page_offset, column.num_values
    while left > 0:
        page, place = _read_page(file, place)
        if page.values <= 0 or page.values > left:
            raise ValueError(f"a page of {page.values} values where {left} are left")
        pages.append(page)
        left -= page.values
    return pages


def _read_page(file: BinaryIO, place: int) -> tuple[Page, int]:
    """The page at `place`, and the place after it."""
    for size in _HEADER_BYTES:
        file.seek(place)
        try:
            header, length = _read_struct(file.read(size), 0)
        except IndexError:
            continue
        inner = next((header[field] for field in _HEADERS if field in header), None)
        if not isinstance(inner, dict) or not isinstance(header.get(_COMPRESSED_SIZE), int):
            break
        whole = length + max(header[_COMPRESSED_SIZE], 0)
        return Page(inner.get(_NUM_VALUES, 0), whole), place + whole
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
