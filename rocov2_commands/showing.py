"""What `rocov2 show` prints of a row, and why a repository cannot be shown: damage ends in one line, never in a traceback."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2 import CONFIGS, Repository, label_name
from rocov2_shared.schemas import differing_columns

_LONGEST = 300
"""Characters of a reason that a message shows."""


def describe_row(row: pa.Table, features: datasets.Features) -> str:
    """Return one line for each column of a table with one row."""
    return "\n".join(f"    {name:<23}{_describe(row[name], features[name])}" for name in row.column_names)


def _describe(column: pa.ChunkedArray, feature: Any) -> str:
    try:
        value = column[0].as_py()
    except UnicodeDecodeError as error:
        return f"(damaged: {error})"
    if value is None:
        return "None"
    if isinstance(feature, datasets.Image):
        return _describe_image(value, feature)
    if isinstance(feature, datasets.ClassLabel):
        known = label_name(feature, value)
        return f"{value} ({known})" if 0 <= value < feature.num_classes else known
    return repr(value)


def _describe_image(value: dict[str, Any], feature: datasets.Image) -> str:
    if value.get("bytes") is None:
        return "(damaged: the image has no bytes)"
    try:
        image = feature.decode_example(value)
    except Exception as error:  # whatever damage makes Pillow raise
        return f"(damaged: the image does not decode: {_in_a_line(error)})"
    return f"{image.format} {image.mode} {image.width} x {image.height}"


def explain(repository: str, error: Exception) -> str:
    """Return why `load_dataset` does not load a repository, and what to do."""
    is_folder = os.path.isdir(repository)
    damage = _find_damage(repository) if is_folder else None
    found = damage or f'load_dataset("{repository}") fails ({_in_a_line(error.__cause__ or error)})'
    if not is_folder:
        return f"{found}: report it to its publisher, or download it and run `rocov2 check` on the folder"
    return (
        f"{found}: `rocov2 check {repository}` reports all that is wrong; download it again, or build it again with `rocov2 "
        f"convert RAW {repository} --overwrite`"
    )


def _find_damage(root: str) -> str | None:
    """Return which file of a repository cannot be read as its columns, and why; None if all can."""
    wanted = CONFIGS["default"].features.arrow_schema
    repository = Repository.open(root)
    for split in repository.counts.get("default", {}):
        for file in repository.shards("default", split):
            try:
                with closing(pq.ParquetFile(os.path.join(repository.root, file))) as parquet:
                    other = differing_columns(parquet.schema_arrow, wanted)
                    if other:
                        return f"{file} of {root} has other columns than it should ({', '.join(other[:5])})"
                    for group in range(parquet.num_row_groups):
                        parquet.read_row_group(group)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                return f"{file} of {root} cannot be read ({_in_a_line(error)})"
    return None


def _in_a_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_LONGEST].rstrip(".") or type(error).__name__
