"""A repository that claims more than it has costs no memory: the claim is compared with the files first."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import pytest

from rocov2 import Repository
from rocov2_build.check import check_repository
from rocov2_shared.errors import UserError
from rocov2_tasks.export import export, make_plan
from rocov2_tasks.formats import ExportOptions
from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.stream.layout import read_layout
from tests.support.breaking import edit_conversion
from tests.support.streams import build

ROWS = 300_000
"""Of each file, claimed."""

MOST_MEMORY = 20_000_000
"""Bytes; the arrays of a million rows alone need more."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def _claim(built: Path, folder: Path, rows: int) -> Path:
    """A copy whose record claims so many rows in the first row group of each file."""
    root = Path(shutil.copytree(built, folder / "rocov2"))

    def change(conversion: dict[str, Any]) -> None:
        for file in conversion["files"].values():
            recorded = file["row_groups"]
            recorded["rows"][0] = rows
            file["rows"] = sum(file["row_groups"]["rows"])

    edit_conversion(root, change)
    return root


def _stream(root: Path, **options: Any) -> None:
    for _ in PretrainingStream(root, columns=["image_id"], **options):
        pass


def _export(root: Path) -> None:
    options = ExportOptions("webdataset", split="train")
    export(make_plan(str(root), options), root.parent / "tars", options)


READERS: dict[str, Callable[[Path], object]] = {
    "stream": _stream,
    "stream of text": lambda root: _stream(root, name="text"),
    "check": lambda root: check_repository(root, fast=True),
    "layout": lambda root: read_layout(Repository.open(root), "default", "train"),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_claim_costs_no_memory(built: Path, tmp_path: Path, reader: str) -> None:
    root = _claim(built, tmp_path, ROWS)
    tracemalloc.start()
    try:
        if reader == "check":
            assert READERS[reader](root)
        else:
            with pytest.raises(ValueError, match=r"too few for the .* rows that conversion\.json records: "):
                READERS[reader](root)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_what_only_counts_believes_the_files(built: Path, tmp_path: Path) -> None:
    root = _claim(built, tmp_path, ROWS)
    infos = json.loads((root / "dataset_infos.json").read_bytes())
    for config in infos.values():
        for split in config["splits"].values():
            split["num_examples"] = 10**15
    (root / "dataset_infos.json").write_text(json.dumps(infos))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"dataset_infos\.json records 1,000,000,000,000,000"):
            _export(root)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("rows", [10, ROWS])
def test_on_the_hub_large_claims_are_compared_with_the_listing(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    root = _claim(built, tmp_path, rows)
    repository = Repository.open(root)
    hub = Repository("hf://datasets/org/rocov2@0", "0", repository.files, repository.counts)
    asked: list[str] = []

    def ls(folder: str, detail: bool) -> list[dict[str, Any]]:
        asked.append(folder)
        return [{"name": f"{folder}/{path.name}", "size": path.stat().st_size} for path in (root / "data").iterdir()]

    monkeypatch.setattr(fsspec, "url_to_fs", lambda root: (SimpleNamespace(ls=ls), root))
    content = (root / "conversion.json").read_bytes()
    monkeypatch.setattr("rocov2_shared.conversion._read", lambda path: content)
    if rows == 10:
        assert read_layout(hub, "default", "train").rows > 0
        assert not asked
    else:
        with pytest.raises(ValueError, match=r"too few for the .* rows .*: report it to its publisher"):
            read_layout(hub, "default", "train")
        assert asked == ["hf://datasets/org/rocov2@0/data"]
