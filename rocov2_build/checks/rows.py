"""Rules of the rows: no value is missing or out of range, every image opens, and text has the rows of data."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import rocov2
from rocov2_build.checks.images import decode_images
from rocov2_build.checks.records import Records, check_hash
from rocov2_build.checks.viewer_values import check_values
from rocov2_build.checks.violations import Check
from rocov2_build.worker.write import RowsHash
from rocov2_shared.processors import usable_processors


def check_rows(check: Check, readable: Collection[str], records: Records, decode: bool) -> None:
    """Read every Parquet file once: its bytes for their hash, then its row groups.

    Args:
        check: collects the violations.
        readable: files with a footer that can be read; of the others only the bytes are read.
        records: what `conversion.json` records. Images of a file with the recorded rows are not decoded again.
        decode: decode every image nevertheless.
    """
    texts: dict[tuple[str, str], list[pa.Table]] = {}
    files = [file for file in check.files if file.endswith(".parquet")]
    with ThreadPoolExecutor(usable_processors()) as threads:  # reading, hashing and decoding release the GIL
        tables = threads.map(lambda file: _check_file(check, file, file in readable, records, decode), files)
        for file, table in zip(files, tables, strict=True):
            if table is not None:
                for key in rocov2.splits_of(file).items():
                    texts.setdefault(key, []).append(table)
    whole = {
        key: pa.concat_tables(tables)
        for key, tables in texts.items()
        if all(table.schema.equals(tables[0].schema) for table in tables)  # others are reported as `schema`
    }
    _compare_texts(check, whole)
    for (config, split), table in whole.items():
        check_values(check, config, split, table)


def _check_file(check: Check, file: str, is_readable: bool, records: Records, decode: bool) -> pa.Table | None:
    """Check one file; returns its rows without the images, None if it cannot be read."""
    recorded = records.files.get(file, {})
    check_hash(check, file, recorded)
    owner = rocov2.owner_of(file)
    if owner is None or not is_readable:
        return None
    rows_sha256 = recorded.get("rows_sha256") if records.is_verified and not decode else None
    rows_hash, tables = RowsHash(), []
    for table in _row_groups(check, file):
        _check_values(check, file, table, rocov2.CONFIGS[owner[0]].columns)
        if "image" in table.column_names:
            _check_licenses(check, file, table)
            if rows_sha256 is None:
                decode_images(check, file, table)
            else:
                rows_hash.add(table.drop_columns(["image"]), _digests(table))
            table = table.drop_columns(["image"])
        tables.append(table)
    if rocov2.shard_group(file) and rows_sha256 is not None and rows_hash.hexdigest() != rows_sha256:
        check.add("changed-file", file, expected=f"rows with the SHA-256 {rows_sha256}", found="another")
        for table in _row_groups(check, file):
            decode_images(check, file, table)
    return pa.concat_tables(tables) if tables else None


def _digests(table: pa.Table) -> list[str]:
    return [sha256((image or {}).get("bytes") or b"").hexdigest() for image in table["image"].to_pylist()]


def _row_groups(check: Check, file: str) -> Iterator[pa.Table]:
    try:
        with closing(pq.ParquetFile(check.root / file)) as parquet:
            for group in range(parquet.num_row_groups):
                yield parquet.read_row_group(group)
    except (pa.ArrowException, OSError) as error:
        check.add("unreadable", file, expected="readable pages", found=error)


def _check_values(check: Check, file: str, table: pa.Table, columns: Mapping[str, rocov2.Column]) -> None:
    for name, known in columns.items():
        feature = known.feature
        if name not in table.column_names:  # reported as `schema`
            continue
        column = table[name]
        parts = [column, pc.list_flatten(column)] if pa.types.is_list(column.type) else [column]
        missing = sum(part.null_count for part in parts)
        if missing and not known.nullable:
            check.add("null", file, expected=f"a value of {name} in every row", found=f"{missing} without")
        if isinstance(feature, datasets.ClassLabel):
            wrong = [
                label
                for label in pc.unique(column).to_pylist()
                if label is not None and not 0 <= label < feature.num_classes
            ]
            if wrong:
                check.add("label", file, expected=f"0 to {feature.num_classes - 1} in {name}", found=wrong[0])


def _check_licenses(check: Check, file: str, table: pa.Table) -> None:
    commercial = rocov2.LICENSE_GROUPS.get(rocov2.shard_group(file) or "")
    for license in pc.unique(table["license"]).to_pylist():
        if rocov2.LICENSES.get(license) is not commercial:
            kind = f"licences that {'allow' if commercial else 'do not allow'} commercial use"
            check.add("license", file, expected=kind, found=repr(license))


def _compare_texts(check: Check, texts: dict[tuple[str, str], pa.Table]) -> None:
    everywhere: set[str] = set()
    for split in rocov2.SPLITS:
        images, text = texts.get(("default", split)), texts.get(("text", split))
        if images is not None and "image_id" in images.column_names:
            ids = images["image_id"].to_pylist()
            twice = len(ids) - len(set(ids) - everywhere)
            if twice:
                check.add("duplicate-id", f"data/{split}-*", expected="every id once", found=f"{twice} again")
            everywhere.update(ids)
        if (images is None) != (text is None) or (images is not None and not images.equals(text)):
            pattern = rocov2.CONFIGS["text"].files(split)
            check.add("text-order", pattern, expected=f"the rows of data/{split}-* in their order", found="others")
