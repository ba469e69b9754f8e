"""Rules of the rows: every value is there and possible, every image opens, text follows data."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import rocov2
from rocov2_build.engine import default_workers
from rocov2_build.images import ImageFacts, inspect
from rocov2_build.members import BadImageError
from rocov2_build.plan import COMMERCIAL
from rocov2_build.violations import Check

_NULLABLE = {"region", "direction", "name"}


def check_rows(check: Check, readable: list[str]) -> None:
    """Read every file of `readable` once, row group by row group."""
    texts: dict[str, list[pa.Table]] = {}
    with ThreadPoolExecutor(default_workers()) as threads:  # the decoder releases the interpreter
        for file in readable:
            folder, _, name = file.partition("/")
            config = "default" if folder == "data" else folder
            split = name.partition(".")[0].partition("-")[0]
            for table in _row_groups(check, file):
                _check_values(check, file, table, rocov2.CONFIGS[config].features)
                if "image" in table.column_names:
                    _check_images(check, file, table, threads)
                    _check_licenses(check, file, table)
                    table = table.drop_columns(["image"])
                texts.setdefault(f"{config} {split}", []).append(table)
    _compare_texts(check, {name: pa.concat_tables(tables) for name, tables in texts.items()})


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


def _check_images(check: Check, file: str, table: pa.Table, threads: ThreadPoolExecutor) -> None:
    rows = table.select(["image", "image_id", "width", "height"]).to_pylist()

    def look(row: dict[str, Any]) -> ImageFacts | BadImageError:
        try:
            return inspect((row["image"] or {}).get("bytes") or b"")
        except BadImageError as error:
            return error

    for row, facts in zip(rows, threads.map(look, rows), strict=True):
        where = f"{file} {row['image_id']}"
        if isinstance(facts, BadImageError):
            check.add("image", where, expected=facts.expected, found=facts.found)
        elif (row["width"], row["height"]) != (facts.width, facts.height):
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
