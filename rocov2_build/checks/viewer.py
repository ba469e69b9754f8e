"""Rules of the Hub's dataset viewer that need only footers, page headers and the card.

They follow https://github.com/huggingface/dataset-viewer as of August 2026; `viewer_values` has the rules that need rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import rocov2
from rocov2_build.checks.violations import Check
from rocov2_build.worker.parquet import CHUNKING, IMAGE_BYTES
from rocov2_shared.parquet_pages import Page, Peek, read_pages

MAX_SCAN = 300_000_000
"""Bytes that the viewer reads of one row group for a request of rows; above it, it fails with TooBigContentError."""

WINDOW = 100
"""Rows in one request."""

MAX_IMAGE_PAGE = 4 * CHUNKING["max_chunk_size"]
"""Bytes: the largest page that chunking makes, plus room for a large image at its end."""

MAX_INDEXED = 5_000_000_000
"""Bytes of a split, before compression, that search and statistics cover."""

MAX_COLUMNS, MAX_COLUMN_NAME = 1_000, 500

SAVED_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16")
"""Pillow modes that the viewer was observed to save as JPEG or PNG. Mode F ended in an error."""

MAX_PATTERN = 200
"""Characters; `fnmatch` takes hours for a long pattern of brackets, and no build writes one that is longer."""

_SPLIT_NAME = re.compile(r"\w+(\.\w+)*")
_SHOWN = 10
_HIDING_TAGS = ("not-for-all-audiences", "nsfw", "porn", "hentai", "inappropriate")


def check_columns(check: Check, file: str, schema: pa.Schema) -> None:
    """Check number, names and types of the columns of a file."""
    if len(schema.names) > MAX_COLUMNS or max(map(len, schema.names), default=0) > MAX_COLUMN_NAME:
        found = f"{len(schema.names):,} columns, the longest name of {max(map(len, schema.names)):,} characters"
        expected = f"at most {MAX_COLUMNS:,} columns with names of at most {MAX_COLUMN_NAME} characters"
        check.add("columns", file, expected=expected, found=found)
    if not any(_has_strings(field.type) for field in schema):
        check.add("columns", file, expected="a string column to search in", found="none")


def _has_strings(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_strings(field.type) for field in kind if field.name != "path")
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _has_strings(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def check_sizes(check: Check, uncompressed_bytes: dict[str, dict[str, int]]) -> None:
    """Check that search and statistics cover all rows of the splits without images.

    Args:
        check: collects the violations.
        uncompressed_bytes: bytes before compression by configuration and split.
    """
    for name, splits in uncompressed_bytes.items():
        config = rocov2.CONFIGS[name]
        for split, size in splits.items():
            if size > MAX_INDEXED and "image" not in config.columns:
                file = config.files(split)
                check.add("index-size", file, expected=f"at most {MAX_INDEXED:,} bytes", found=f"{size:,}")


def check_pages(check: Check, file: str, footer: pq.FileMetaData) -> None:
    """Check how many bytes of a file the viewer reads to show any page of rows."""
    with (check.root / file).open("rb") as data:

        def peek(offset: int, size: int) -> bytes:
            data.seek(offset)  # not os.pread, which Windows does not have
            return data.read(size)

        try:
            groups = list(_row_groups(peek, footer))
        except ValueError as error:
            check.add("unreadable", file, expected="page headers", found=error)
            return
    large = [page for pages, _ in groups for page in pages if page.values > 1 and page.bytes > MAX_IMAGE_PAGE]
    if large:
        most = max(large, key=lambda page: page.bytes)
        expected = f"pages of image bytes of at most {MAX_IMAGE_PAGE:,} bytes"
        check.add("image-pages", file, expected=expected, found=f"{most.bytes:,} for {most.values} images")
    scan = max((_largest_scan(pages, others) for pages, others in groups), default=0)
    if scan > MAX_SCAN:
        expected = f"at most {MAX_SCAN:,} bytes read of a row group for any {WINDOW} rows"
        check.add("scan-size", file, expected=expected, found=f"{scan:,}")


def _row_groups(peek: Peek, footer: pq.FileMetaData) -> Iterator[tuple[list[Page], int]]:
    """Yield for each row group its pages of image bytes, and the bytes of its other columns.

    A column without a page index counts as one page, since the viewer reads it whole.
    """
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        pages: list[Page] = []
        others = 0
        for i in range(group.num_columns):
            column = group.column(i)
            others += column.total_compressed_size
            if column.path_in_schema == IMAGE_BYTES:
                whole = Page(group.num_rows, offset=0, header=0, data=0, levels=None, encoding=None)
                pages = list(read_pages(peek, column)) if column.has_offset_index else [whole]
                others -= sum(page.bytes for page in pages)
        yield pages, others


def _largest_scan(pages: list[Page], others: int) -> int:
    """Return the most bytes that the viewer reads of a row group for any `WINDOW` consecutive rows.

    Args:
        pages: the pages of image bytes.
        others: bytes of the other columns, which are small and count as a whole.
    """
    ends = np.cumsum([page.values for page in pages], dtype=np.int64)
    before = np.cumsum([0, *(page.bytes for page in pages)], dtype=np.int64)
    # The most bytes are read if the first row is the last one of its page.
    last = np.searchsorted(ends, ends - 1 + WINDOW, side="left") + 1
    most = before[np.minimum(last, len(pages))] - before[:-1]
    return int(most.max(initial=0)) + others


def check_metadata(check: Check, metadata: Mapping[Any, Any]) -> set[str]:
    """Check what the card's YAML, whatever it contains, means for the viewer; returns the keys that break a rule."""
    told = set()
    listed = metadata.get("tags")
    tags = [tag for tag in _HIDING_TAGS if tag == listed or (isinstance(listed, list) and tag in listed)]
    if metadata.get("viewer") is False or tags:
        expected = f"no `viewer: false` and none of the tags {', '.join(_HIDING_TAGS)}"
        check.add("viewer-off", "README.md", expected=expected, found=", ".join(tags) or "viewer: false")
        told |= {"viewer", "tags"}
    language = metadata.get("language")
    languages = language if isinstance(language, list) else [language] if language else []
    if len(languages) != 1:
        found = ", ".join(map(str, languages[:_SHOWN])) or "none"
        check.add("language", "README.md", expected="one language", found=found)
        told.add("language")
    configs = metadata.get("configs")
    for config in configs if isinstance(configs, list) else []:
        if _check_config(check, config):
            told.add("configs")
    return told


def _check_config(check: Check, config: object) -> bool:
    """Check a configuration of the card; returns whether a name of it is wrong. Other forms are left to `check_card`."""
    is_wrong = False
    if not isinstance(config, dict) or not isinstance(config.get("data_files"), list):
        return is_wrong
    name = config.get("config_name")
    parts = [part for part in config["data_files"] if isinstance(part, dict)]
    splits = [part.get("split") for part in parts]
    for split, path in ((part.get("split"), part.get("path")) for part in parts):
        if not isinstance(split, str) or not _SPLIT_NAME.fullmatch(split):
            expected = "split names of words, optionally joined by dots"
            check.add("split-name", "README.md", expected=expected, found=f"{split} in {name}")
            is_wrong = True
        several = [pattern for pattern in (path if isinstance(path, list) else [path]) if isinstance(pattern, str)]
        short = [pattern for pattern in several if len(pattern) <= MAX_PATTERN]
        if len(several) != 1 or splits.count(split) > 1:
            expected = f"one pattern for {split} of {name}"
            check.add("one-pattern", "README.md", expected=expected, found=", ".join(several[:_SHOWN]) or "none")
        for file in check.files:
            if not file.endswith(".parquet") and any(fnmatch(file, pattern) for pattern in short):
                expected = f"only Parquet files for {split} of {name}"
                check.add("one-format", file, expected=expected, found=f"a file that {', '.join(several)} matches")
    return is_wrong
