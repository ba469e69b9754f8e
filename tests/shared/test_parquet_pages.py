from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2_shared.parquet_pages import PLAIN, Peek, read_pages

TABLE = pa.table(
    {
        "text": [f"value {i % 7}" * (i % 5) for i in range(3_000)],
        "number": pa.array([i if i % 3 else None for i in range(3_000)], pa.int64()),
        "list": [[i] * (i % 4) for i in range(3_000)],
    }
)


def peek_into(data: bytes) -> Peek:
    return lambda place, size: data[place : place + size]


def write(path: Path, **options: Any) -> tuple[bytes, pq.FileMetaData]:
    pq.write_table(TABLE, path, row_group_size=1_100, data_page_size=500, **options)
    return path.read_bytes(), pq.read_metadata(path)


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_are_those_that_the_column_holds(
    tmp_path: Path, version: str, dictionary: bool, statistics: bool
) -> None:
    options = {"data_page_version": version, "use_dictionary": dictionary, "write_statistics": statistics}
    data, footer = write(tmp_path / "a.parquet", compression="zstd", **options)
    several = 0
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for i in range(group.num_columns):
            column = group.column(i)
            pages = list(read_pages(peek_into(data), column))
            several += len(pages) > 1
            assert sum(page.values for page in pages) == column.num_values
            begin = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
            assert pages[0].offset == column.data_page_offset
            assert pages[-1].offset + pages[-1].bytes == begin + column.total_compressed_size
            assert all(one.offset + one.bytes == other.offset for one, other in itertools.pairwise(pages))
            assert {page.encoding == PLAIN for page in pages} == {not dictionary}
            assert all((page.levels is None) == (version == "1.0") for page in pages)
    assert several


def test_pages_are_read_one_by_one(tmp_path: Path) -> None:
    data, footer = write(tmp_path / "a.parquet")
    places: list[int] = []

    def peek(place: int, size: int) -> bytes:
        places.append(place)
        return data[place : place + size]

    pages = read_pages(peek, footer.row_group(0).column(1))
    assert places == []
    first, second = next(pages), next(pages)
    assert places == [first.offset, second.offset]


@pytest.mark.parametrize("damage", [b"", b"\0" * 100, b"\xff" * 100, b"no header at all, but text" * 10])
def test_what_is_no_header_is_told(tmp_path: Path, damage: bytes) -> None:
    _, footer = write(tmp_path / "a.parquet")
    column = footer.row_group(0).column(0)
    with pytest.raises(ValueError, match=r"no data page header at byte|unknown type|a page of"):
        list(read_pages(lambda place, size: damage[:size], column))
