"""Rules of the footers of Parquet files, and what they count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

import rocov2
from rocov2_build.checks.names import find_files
from rocov2_build.checks.row_faults import show_value
from rocov2_build.checks.viewer import check_columns, check_pages
from rocov2_build.checks.violations import Check
from rocov2_build.worker.parquet import (
    CHUNKING,
    CHUNKING_KEYS,
    IMAGE_BYTES,
    NEARLY_UNIQUE,
    describe_layout,
    portable_features,
)
from rocov2_shared.json_values import parse_json
from rocov2_shared.parquet_footers import require_columns

_SHOWN = 300
_MAGIC = b"PAR1"
_KEYS = ("huggingface", *CHUNKING_KEYS)

MAX_ROW_GROUP = 100_000_000
"""Bytes on disk: the Hub's viewer reads at most three times as many for a page."""


UNREADABLE = (
    *(pa.ArrowException, OSError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError, RecursionError),
)
"""What pyarrow raises for a damaged file: names may not be UTF-8, numbers out of range, types nested deeply."""


class FileSize(NamedTuple):
    """Number of rows of a file, and bytes of its columns before compression."""

    rows: int
    uncompressed: int


@dataclass(frozen=True)
class Footers:
    """What the footers of all readable Parquet files contain.

    Attributes:
        sizes: rows and bytes by file; its keys are the readable files.
        layouts: row groups by file.
        sound: readable files that have the schema of their configuration.
    """

    sizes: dict[str, FileSize] = field(default_factory=dict)
    layouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)

    def uncompressed_bytes(self) -> dict[str, dict[str, int]]:
        """Return the bytes before compression by configuration and split."""
        totals: dict[str, dict[str, int]] = {}
        for config, splits in rocov2.files_by_config(self.sizes).items():
            totals[config] = {
                split: sum(self.sizes[file].uncompressed for file in files) for split, files in splits.items()
            }
        return totals


def check_footers(check: Check) -> Footers:
    """Check footers, schemas and page headers of all files of the configurations; returns what the footers contain."""
    footers = Footers()
    for name, config in rocov2.CONFIGS.items():
        for split in config.splits:
            for file in find_files(check.files, name, split):
                if rocov2.owner_of(file) == (name, split):  # not a file of a configuration before it
                    try:
                        _check_file(check, file, config.features, footers)
                    except UNREADABLE as error:
                        found = " ".join(str(error).split()) or type(error).__name__
                        check.add("unreadable", file, expected="a Parquet file", found=found[:_SHOWN])
    return footers


def _read_names(footer: pq.FileMetaData) -> None:
    """Read the name of every column of every row group.

    Raises:
        UnicodeDecodeError: one is not UTF-8.
    """
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        for i in range(group.num_columns):
            group.column(i).path_in_schema  # noqa: B018 - reads it


def _check_file(check: Check, file: str, features: datasets.Features, footers: Footers) -> None:
    with (check.root / file).open("rb") as data:
        magic = data.read(len(_MAGIC))
    if magic != _MAGIC:  # pyarrow looks only at the end, fastparquet at both
        check.add("unreadable", file, expected="PAR1 at the beginning", found=show_value(magic))
    with closing(pq.ParquetFile(check.root / file)) as parquet:
        footer, schema = parquet.metadata, parquet.schema_arrow
    with (check.root / file).open("rb") as data:
        require_columns(data, footer.schema)
    _read_names(footer)
    layout = describe_layout(footer)
    uncompressed = sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
    is_sound = _check_schema(check, file, schema, features)
    _check_metadata(check, file, [schema.metadata or {}, footer.metadata or {}], features)
    _check_footer(check, file, footer)
    check_columns(check, file, schema)
    check_pages(check, file, footer)
    footers.layouts[file], footers.sizes[file] = layout, FileSize(footer.num_rows, uncompressed)
    if is_sound:
        footers.sound.add(file)


def _check_schema(check: Check, file: str, schema: pa.Schema, features: datasets.Features) -> bool:
    """Check the schema and the features of a file; returns whether its columns are the right ones."""
    is_sound: bool = schema.equals(features.arrow_schema)
    if not is_sound:
        check.add("schema", file, expected=_one_line(features.arrow_schema), found=_one_line(schema))
    return is_sound


def _check_metadata(check: Check, file: str, places: Sequence[dict[bytes, bytes]], features: datasets.Features) -> None:
    """Check the two copies of the metadata: readers take that of the Arrow schema or that of the file."""
    wanted = {"info": {"features": portable_features(features.to_dict())}}
    keys = [("huggingface", "features", wanted), *((key, "page-index", CHUNKING) for key in CHUNKING_KEYS)]
    for key, rule, expected in keys:
        texts = [metadata.get(key.encode(), b"null") for metadata in places]
        wrong = [text for text in texts if not _means(text, expected)]
        if wrong:
            found = show_value(wrong[0].decode(errors="backslashreplace")) if wrong[0] != b"null" else "none"
            check.add(rule, file, expected=f"{key} in the metadata: {json.dumps(expected)[:200]}", found=found)
    # pandas, for one, makes columns an index if the key `pandas` says so.
    known = {key.encode() for key in _KEYS}
    others = {key for metadata in places for key in metadata if key not in known and not key.startswith(b"ARROW:")}
    if others:
        only = f"no keys in the metadata but {', '.join(_KEYS)}"
        check.add("features", file, expected=only, found=show_value(min(others)))


def _means(text: bytes, expected: object) -> bool:
    try:
        return json.dumps(parse_json(text)) == json.dumps(expected)  # with the same order of keys
    except ValueError:
        return False


def _check_footer(check: Check, file: str, footer: pq.FileMetaData) -> None:
    if not footer.num_rows:
        check.add("empty", file, expected="rows", found="none")
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        if not group.num_rows:
            check.add("empty", file, expected="rows in every row group", found=f"none in row group {number}")
            continue
        columns = [group.column(i) for i in range(group.num_columns)]
        size = sum(column.total_compressed_size for column in columns)
        if size > MAX_ROW_GROUP:
            found = f"{size:,} in row group {number}"
            check.add("row-group-size", file, expected=f"at most {MAX_ROW_GROUP:,} bytes", found=found)
        unindexed = [column.path_in_schema for column in columns if not column.has_offset_index]
        if unindexed:
            found = f"none for {', '.join(unindexed)} in row group {number}"
            check.add("page-index", file, expected="a page index", found=found)
        for column in columns:
            if column.path_in_schema == IMAGE_BYTES and (
                column.compression != "UNCOMPRESSED" or "PLAIN" not in column.encodings or column.has_dictionary_page
            ):
                found = f"{column.compression} {' '.join(column.encodings)} in row group {number}"
                check.add("image-storage", file, expected="UNCOMPRESSED PLAIN, no dictionary", found=found)
        indexed = [column.path_in_schema for column in columns if column.has_dictionary_page]
        if unwanted := [name for name in indexed if name in NEARLY_UNIQUE]:
            found = f"one for {', '.join(unwanted)} in row group {number}"
            check.add("text-storage", file, expected="no dictionary", found=found)


def _one_line(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)
