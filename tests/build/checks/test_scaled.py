"""What the checks say of `small` and `mini`, and of shards that contain rows of another group."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from tests.support.breaking import broken, edit_conversion, rewrite, set_value
from tests.support.raw import jpeg, make_raw

SMALL = "small/test-00000-of-00002-commercial-shared.parquet"
MINI = "mini/test.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = make_raw(train=9, valid=9, test=9, side=100)
    return raw.build(tmp_path_factory.mktemp("scaled") / "rocov2", row_group=3000, small=40)


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


def test_a_build_passes(built: Path) -> None:
    assert [rule for rule, _ in broken(built, decode=True)] == []


def swap(table: pa.Table) -> pa.Table:
    """The rows in another order."""
    return table.take([1, 0, *range(2, len(table))])


def other_picture(table: pa.Table) -> pa.Table:
    """Another picture, and its size, in the first row."""
    image = {"bytes": jpeg(70, 50), "path": table["image"][0].as_py()["path"]}
    for column, value in (("image", image), ("width", 70), ("height", 50)):
        table = set_value(column, 0, value)(table)
    return table


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        (SMALL, swap, {("small-order", "small/test-*")}),
        (SMALL, lambda table: table.slice(1), {("conversion", "conversion.json")}),
        (SMALL, set_value("caption", 1, "another"), {("small-order", "small/test-*"), ("mini-order", MINI)}),
        (SMALL, other_picture, {("scaled-size", SMALL)}),
        (SMALL, set_value("width", 0, 9), {("image-size", f"{SMALL} "), ("scaled-size", SMALL)}),
        (MINI, swap, {("mini-order", MINI)}),
        (MINI, set_value("caption", 1, "another"), {("mini-order", MINI)}),
    ],
)
def test_a_fault_of_a_scaled_file_is_found(
    repository: Path, file: str, change: Callable[[pa.Table], pa.Table], expected: set[tuple[str, str]]
) -> None:
    rewrite(repository, file, change)
    found = {(rule, where if rule != "image-size" else where[: len(file) + 1]) for rule, where in broken(repository)}
    assert expected <= found
    assert not found & {("text-order", "text/test.parquet")}


def test_scaled_files_that_the_options_leave_out_are_a_contradiction(repository: Path) -> None:
    edit_conversion(repository, lambda conversion: conversion["plan"].update(small=None))
    assert ("conversion", "conversion.json") in broken(repository)


@pytest.mark.parametrize("folder", ["data", "small"])
def test_a_row_of_another_group_is_found(repository: Path, folder: str) -> None:
    file = SMALL.replace("small", folder)
    rewrite(repository, file, set_value("article_in_other_split", 0, False))
    assert ("article", file) in broken(repository)


@pytest.mark.parametrize("change", ["missing", "renamed"])
def test_a_missing_scaled_file_is_found(repository: Path, change: str) -> None:
    path = repository / SMALL
    if change == "missing":
        path.unlink()
    else:
        path.rename(path.with_name(path.name.replace("00000-of", "00007-of")))
    assert ("changed-file", SMALL) in broken(repository)
