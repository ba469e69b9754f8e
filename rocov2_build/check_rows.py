"""Rules of the rows: every value is there and possible, every image opens, text follows data."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import rocov2
from rocov2_build.check_files import check_hash
from rocov2_build.engine import default_workers
from rocov2_build.images import inspect
from rocov2_build.members import BadImageError
from rocov2_build.plan import COMMERCIAL
from rocov2_build.shards import RowsHash
from rocov2_build.violations import Check

_NULLABLE = {"region", "direction", "name"}


def check_rows(check: Check, readable: list[str], decode: bool) -> None:
    """Read every Parquet file once: its bytes for their hash, then, of those in `readable`, row group by row group."""
    texts: dict[str, list[pa.Table]] = {}
    files = [file for file in check.files if file.endswith(".parquet")]
    with ThreadPoolExecutor(default_workers()) as threads:  # reading, hashing and decoding release the interpreter
        tables = threads.map(lambda file: _check_file(check, file, file in readable, decode), files)
        for file, table in zip(files, tables, strict=True):
            if table is not None:
                texts.setdefault(" ".join(_place(file)), []).append(table)
    _compare_texts(check, {name: pa.concat_tables(tables) for name, tables in texts.items()})


def _place(file: str) -> tuple[str, str]:
    """Configuration and split of a file."""
    folder, _, name = file.partition("/")
    return "default" if folder == "data" else folder, name.partition(".")[0].partition("-")[0]


def _check_file(check: Check, file: str, readable: bool, decode: bool) -> pa.Table | None:
    """Check one file; returns its rows without the images, None when it cannot be read."""
    check_hash(check, file)
    if not readable:
        return None
    stated = check.stated.get(file, {}).get("rows_sha256") if check.verified and not decode else None
    rows_hash, tables = RowsHash(), []
    for table in _row_groups(check, file):
        _check_values(check, file, table, rocov2.CONFIGS[_place(file)[0]].features)
        if "image" in table.column_names:
            _check_licenses(check, file, table)
            if stated is None:
                _check_images(check, file, table)
            else:
                rows_hash.add(table.drop_columns(["image"]), _digests(table))
            table = table.drop_columns(["image"])
        tables.append(table)
    if file.startswith("data/") and stated is not None and rows_hash.hexdigest() != stated:
        check.add("changed-file", file, expected=f"rows with the SHA-256 {stated}", found="another")
        for table in _row_groups(check, file):
            _check_images(check, file, table)
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


def _check_values(check: Check, file: str, table: pa.Table, features: datasets.Features) -> None:
    for name, feature in features.items():
        if name not in table.column_names:  # told by the schema
            continue
        column = table[name]
        parts = [column, pc.list_flatten(column)] if pa.types.is_list(column.type) else [column]
        missing = sum(part.null_count for part in parts)
        if missing and name not in _NULLABLE:
            check.add("null", file, expected=f"a value of {name} in every row", found=f"{missing} without")
        if isinstance(feature, datasets.ClassLabel):
            wrong = [
                label
                for label in pc.unique(column).to_pylist()
                if label is not None and not 0 <= label < feature.num_classes
            ]
            if wrong:
                check.add("label", file, expected=f"0 to {feature.num_classes - 1} in {name}", found=wrong[0])


def _check_images(check: Check, file: str, table: pa.Table) -> None:
    for row in table.select(["image", "image_id", "width", "height"]).to_pylist():
        where = f"{file} {row['image_id']}"
        try:
            facts = inspect((row["image"] or {}).get("bytes") or b"")
        except BadImageError as error:
            check.add("image", where, expected=error.expected, found=error.found)
            continue
        if (row["width"], row["height"]) != (facts.width, facts.height):
            check.add(
                "image-size",
                where,
                expected=f"{facts.width} x {facts.height}",
                found=f"{row['width']} x {row['height']}",
            )


def _check_licenses(check: Check, file: str, table: pa.Table) -> None:
    commercial = file.endswith(f"-{COMMERCIAL}.parquet")
    for license in pc.unique(table["license"]).to_pylist():
        if rocov2.LICENSES.get(license) is not commercial:
            kind = f"licences that {'allow' if commercial else 'do not allow'} commercial use"
            check.add("license", file, expected=kind, found=repr(license))


def _compare_texts(check: Check, texts: dict[str, pa.Table]) -> None:
    everywhere: set[str] = set()
    for split in rocov2.SPLITS:
        images, text = texts.get(f"default {split}"), texts.get(f"text {split}")
        if images is not None and "image_id" in images.column_names:
            ids = images["image_id"].to_pylist()
            twice = len(ids) - len(set(ids) - everywhere)
            if twice:
                check.add("duplicate-id", f"data/{split}-*", expected="every id once", found=f"{twice} again")
            everywhere.update(ids)
        if (images is None) != (text is None) or (images is not None and not images.equals(text)):
            pattern = rocov2.CONFIGS["text"].pattern.format(split=split)
            check.add("text-order", pattern, expected=f"the rows of data/{split}-* in their order", found="others")
