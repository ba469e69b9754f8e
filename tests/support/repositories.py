"""Repositories made by a conversion, and read back by pyarrow and the file system alone."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.parquet as pq

from rocov2 import CONFIGS, DIRECTIONS, MODALITIES, REGIONS
from rocov2_build.convert import Conversion, convert
from rocov2_build.shards.plan import Layout
from rocov2_build.worker.task import AnyTask, FileFacts, ImageFault
from rocov2_build.worker.write import run_task

SMALL = Layout(max_shard_size=3_000, row_group_size=1_500)
LABELS = {"modality": list(MODALITIES), "region": list(REGIONS), "direction": list(DIRECTIONS)}

Rows = list[dict[str, Any]]


def run_here(
    tasks: Iterable[AnyTask], repository: Path, workers: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
    """The engine without processes: a fault of a worker is then a traceback of this process."""
    for task in tasks:
        yield task, run_task(task, str(repository))


def convert_here(conversion: Conversion) -> None:
    """Convert without workers, whose start takes longer than to write a small repository; the bytes are the same."""
    with patch("rocov2_build.convert.run_tasks", run_here):
        convert(conversion)


def run(raw: Path, output: Path, **options: Any) -> Path:
    """Convert in two processes, silently, into small shards; `options` are those of `Conversion`."""
    settings: dict[str, Any] = {"release": "any", "workers": 2, "layout": SMALL, "quiet": True}
    convert(Conversion(raw, output, **settings | options))
    return output


def all_rows(repository: Path) -> dict[str, dict[str, Rows]]:
    """Rows by configuration and split, in file order: labels by name, an image as its path and SHA-256."""
    found = {
        config: {
            split: [_readable(row) for file in files for row in pq.read_table(file).to_pylist()]
            for split in facts.splits
            if (files := sorted(repository.glob(facts.files(split))))
        }
        for config, facts in CONFIGS.items()
    }
    return {
        config: splits
        for config, splits in found.items()
        if splits and (config != "apart" or any(not row["article_in_other_split"] for row in splits.get("train", [])))
    }


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    labels = {name: names[row[name]] for name, names in LABELS.items() if row.get(name) is not None}
    image = row.get("image")
    shown = {"image": [image["path"], hashlib.sha256(image["bytes"]).hexdigest()]} if image else {}
    return row | labels | shown


def images_by_id(repository: Path) -> dict[str, bytes]:
    """Bytes of every image."""
    rows = [row for file in repository.glob("data/*") for row in pq.read_table(file, columns=["image"]).to_pylist()]
    return {row["image"]["path"].removesuffix(".jpg"): row["image"]["bytes"] for row in rows}


def files_of(folder: Path) -> dict[str, bytes]:
    """Content by path of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def tables_of(folder: Path) -> dict[str, bytes]:
    """Content by path of the Parquet files of a repository."""
    return {path: content for path, content in files_of(folder).items() if path.endswith(".parquet")}


def facts_of(output: Path) -> dict[str, Any]:
    """What a repository says of how it was made."""
    facts: dict[str, Any] = json.loads((output / "conversion.json").read_bytes())
    return facts


def counts_of(output: Path) -> dict[str, dict[str, int]]:
    """Rows by configuration and split that a repository states."""
    infos = json.loads((output / "dataset_infos.json").read_bytes())
    return {
        config: {name: split["num_examples"] for name, split in info["splits"].items()}
        for config, info in infos.items()
    }


def problems_of(output: Path) -> list[tuple[str, str, str]]:
    """Code, file and id of the listed problems."""
    with output.with_name(f"{output.name}.problems.csv").open(newline="", encoding="utf-8") as file:
        return [(row["code"], row["file"], row["id"]) for row in csv.DictReader(file)]


def left_beside(output: Path) -> set[str]:
    """Names in the folder of OUTPUT that a conversion may have made."""
    return {path.name for path in output.parent.iterdir() if path.name.startswith(output.name)}


def plain_rows(dataset: Any) -> list[dict[str, Any]]:
    """All rows, an image as its bytes and path."""
    tables = dataset.with_format("arrow").iter(7)
    return [row for table in tables for row in table.to_pylist()]
