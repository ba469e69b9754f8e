"""Random changes of documents and footers: each is found, at the file where it is, and none ends in an exception."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from rocov2_build.check import check_repository
from rocov2_build.checks.violations import Violation, blocking, describe_violations
from tests.conftest import Seeds
from tests.support.breaking import build, edit_card, seal
from tests.support.mutations import ASSET, MAKERS, STRUCTURED, Mutation, mutations

HARMLESS = {
    "conversion.json": "other line ends or blanks between the same values",
    ".gitattributes": "Parquet files and pictures are still stored outside git",
}
"""Files with changes that are not found, and why no reader is hurt."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = build(tmp_path_factory.mktemp("mutations"))
    (root / ASSET).parent.mkdir()
    (root / ASSET).write_bytes(b"the bytes of a picture")
    seal(root)
    return root


def check_mutated(built: Path, folder: Path, mutation: Mutation) -> tuple[str, list[Violation]]:
    """Return what was done, and the violations, causes first."""
    root = Path(shutil.copytree(built, folder / "rocov2", dirs_exist_ok=True))
    try:
        done = mutation(root)
        violations = check_repository(root, fast=not mutation.kind.endswith(".parquet"))
    finally:
        shutil.rmtree(root)
    "\n".join(describe_violations(violations)).encode()
    json.dumps([asdict(violation) for violation in violations]).encode()
    return done, violations


@pytest.mark.parametrize("kind", MAKERS)
def test_a_mutated_file_is_found_and_is_the_first_to_be_named(
    built: Path, tmp_path: Path, seeds: Seeds, kind: str
) -> None:
    for mutation in mutations(kind, seeds(6)):
        done, violations = check_mutated(built, tmp_path, mutation)
        if not violations and kind in HARMLESS:
            continue
        assert blocking(violations), (mutation, done)
        first = violations[0]
        beside = first.file.rpartition("/")[0] in (
            kind,
            kind.rpartition("/")[0],
        )  # in a folder of that name, or a new file
        assert first.file == kind or beside, (mutation, done, first)


@pytest.mark.parametrize("kind", STRUCTURED)
def test_a_mutated_value_is_found_though_its_hash_is_recorded(
    built: Path, tmp_path: Path, seeds: Seeds, kind: str
) -> None:
    for mutation in mutations(kind, seeds(6), sealed=True):
        done, violations = check_mutated(built, tmp_path, mutation)
        assert {violation.file for violation in blocking(violations)} == {kind}, (mutation, done)


def test_a_seed_makes_one_mutation(built: Path, tmp_path: Path) -> None:
    for mutation in mutations("facts.json", range(3)):
        assert check_mutated(built, tmp_path, mutation) == check_mutated(built, tmp_path, mutation)


def test_a_long_pattern_takes_no_time(built: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(built, tmp_path / "rocov2"))
    edit_card(root, lambda metadata: metadata["configs"][0]["data_files"][0].update(path="[" * 100_000))  # type: ignore[index]
    assert {violation.key for violation in check_repository(root, fast=True)} == {"configs[0].data_files[0].path"}
