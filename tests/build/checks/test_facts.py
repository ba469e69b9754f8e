"""The numbers of duplicates in facts.json; the others are tested with the rows that they count."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.breaking import broken, build, edit_facts


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("facts"))


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


@pytest.mark.parametrize(
    "change",
    [
        lambda duplicates: duplicates["exact"].update(groups=1),
        lambda duplicates: duplicates["exact"]["listed"].append(["ROCOv2_2023_test_000001"]),
        lambda duplicates: duplicates["near"].update(images=28),
        lambda duplicates: duplicates["near"]["within"].pop("test"),
        lambda duplicates: duplicates["near"]["listed"].append(["more"]),
        lambda duplicates: duplicates.update(near=None),
        lambda duplicates: duplicates.pop("near"),
    ],
)
def test_wrong_numbers_of_duplicates_are_told(repository: Path, change: Callable[[dict[str, Any]], object]) -> None:
    edit_facts(repository, lambda facts: change(facts["duplicates"]))
    assert broken(repository) == [("facts", "facts.json")]
