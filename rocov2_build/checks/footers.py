"""Rules of names, footers and hashes: what can be said of the files without looking at their rows."""

from __future__ import annotations

import json
from contextlib import closing

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

import rocov2
from rocov2_build.checks.viewer import check_columns, check_pages
from rocov2_build.checks.violations import Check
from rocov2_build.worker.parquet import CHUNKING_KEY, IMAGE_BYTES, describe_layout, portable_features
from rocov2_shared.files import file_sha256

MAX_ROW_GROUP = 100_000_000
"""Bytes on disk: the Hub's viewer reads at most three times as much for a page."""

_REQUIRED = ("README.md", "LICENSE.md", "dataset_infos.json", "croissant.json", "facts.json", "conversion.json")


def check_names(check: Check) -> None:
    """Check which files there are, and how the shards are numbered."""
    for file in check.files:
        if file.endswith(".py"):
            check.add("script", file, expected="no Python file", found="one")
    for name in _REQUIRED:
        if name not in check.files:
            check.add("missing-file", name, expected="the file", found="none")
    known = {
        file
        for config, facts in rocov2.CONFIGS.items()
        for split in facts.splits
        for file in check.matching(config, split)
    }
    for file in check.files:
        if file.endswith(".parquet") and file not in known:
            check.add("stray-file", file, expected="a file of a configuration", found="none that it belongs to")
    for split in rocov2.SPLITS:
        shards = check.matching("default", split)
        numbers = [file.split("-")[1:4] for file in shards]
        wanted = [[f"{i:05d}", "of", f"{len(shards):05d}"] for i in range(len(shards))]
        if numbers != wanted:
            found = " ".join("-".join(number) for number in numbers)
            check.add("numbering", f"data/{split}-*", expected=f"{len(shards)} shards, 0 to N-1 of N", found=found)


def check_footers(check: Check) -> list[str]:
    """Check footers, schemas and headers of pages, count rows and bytes; returns the files that can be read."""
    readable = []
    for config, facts in rocov2.CONFIGS.items():
        for split in facts.splits:
            for file in check.matching(config, split):
                try:
                    with closing(pq.ParquetFile(check.root / file)) as parquet:
                        footer, schema = parquet.metadata, parquet.schema_arrow
                except (pa.ArrowException, OSError) as error:
                    if file not in readable and config != "commercial":
                        check.add("unreadable", file, expected="a Parquet file", found=error)
                    continue
                rows = check.rows.setdefault(config, {})
                rows[split] = rows.get(split, 0) + footer.num_rows
                sizes = check.uncompressed.setdefault(config, {})
                sizes[split] = sizes.get(split, 0) + sum(
                    footer.row_group(number).total_byte_size for number in range(footer.num_row_groups)
                )
                if config != "commercial":  # its shards are default's
                    readable.append(file)
                    _check_footer(check, file, footer, schema, facts.features)
                    check.layouts[file] = describe_layout(footer)
                    check_columns(check, file, schema)
                    check_pages(check, file, footer)
    return readable


def _check_footer(
    check: Check, file: str, footer: pq.FileMetaData, schema: pa.Schema, features: datasets.Features
) -> None:
    if not schema.equals(features.arrow_schema):
        check.add("schema", file, expected=_one_line(features.arrow_schema), found=_one_line(schema))
    metadata = schema.metadata or {}
    expected = {"info": {"features": portable_features(features.to_dict())}}
    found = json.loads(metadata.get(b"huggingface", b"null"))
    if found != expected:
        check.add("features", file, expected=json.dumps(expected)[:200], found=json.dumps(found)[:200])
    if not footer.num_rows:
        check.add("empty", file, expected="rows", found="none")
    if CHUNKING_KEY.encode() not in metadata:
        check.add("page-index", file, expected=f"the metadata key {CHUNKING_KEY}", found="none")
    for number in range(footer.num_row_groups):
        group = footer.row_group(number)
        if not group.num_rows:
            check.add("empty", file, expected="rows in every row group", found=f"none in row group {number}")
            continue
        columns = [group.column(i) for i in range(group.num_columns)]
        size = sum(column.total_compressed_size for column in columns)
        if size > MAX_ROW_GROUP:
            check.add(
                "row-group-size", file, expected=f"at most {MAX_ROW_GROUP:,} bytes", found=f"{size:,} in {number}"
            )
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


def _one_line(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def check_records(check: Check) -> None:
    """Hold the names, sizes and row groups of all files against `conversion.json`."""
    for file in sorted(check.stated.keys() | {file for file in check.files if file.endswith(".parquet")}):
        if file not in check.files:
            check.add("changed-file", file, expected="the file", found="none")
        elif file not in check.stated:
            check.add("changed-file", file, expected="an entry in conversion.json", found="none")
        else:
            stated, found = check.stated[file].get("bytes"), (check.root / file).stat().st_size
            if stated != found:
                check.add("changed-file", file, expected=f"{stated:,} bytes", found=f"{found:,}")
            elif any(check.stated[file].get(key) != value for key, value in check.layouts.get(file, {}).items()):
                check.add("row-groups", file, expected="those of the footer", found="others in conversion.json")


def check_hash(check: Check, file: str) -> None:
    """Hold the bytes of a file against `conversion.json`."""
    stated = check.stated.get(file, {})
    if (check.root / file).stat().st_size == stated.get("bytes") and file_sha256(check.root / file) != stated["sha256"]:
        check.add("changed-file", file, expected=f"SHA-256 {stated['sha256']}", found="another")
