"""The documents of a repository: each says what a build would write, and is the one that conversion.json records."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rocov2
from rocov2_build import FORMAT_VERSION
from rocov2_build.check import check_repository
from rocov2_build.checks.rules import RULES
from tests.support.breaking import broken, build, claim_release, edit_card, edit_conversion, edit_infos, listed
from tests.support.repositories import facts_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("documents"))


def test_an_older_format_is_told_alone(repository: Path) -> None:
    conversion = facts_of(repository)
    del conversion["documents"], conversion["content_sha256"]
    conversion["plan"]["format"] = FORMAT_VERSION - 1
    (repository / "conversion.json").write_text(json.dumps(conversion))
    (repository / "facts.json").write_text("{}")
    (violation,) = check_repository(repository)
    assert (violation.rule, violation.file, violation.key) == ("format", "conversion.json", "plan.format")
    assert violation.found == f"{FORMAT_VERSION - 1}, built by rocov2-hub {rocov2.__version__}"
    assert "build it again with `rocov2 convert RAW --overwrite`" in RULES["format"].remedy


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda conversion: conversion.update(release="2.0.1"), "release"),
        (lambda conversion: conversion.update(partial=True), "partial"),
        (lambda conversion: conversion.update(part="--limit 1"), "part"),
        (lambda conversion: conversion["rows_sha256"].update(text="0" * 64), "rows_sha256.text"),
        (lambda conversion: conversion["versions"].update(pyarrow="0"), "versions.pyarrow"),
        (lambda conversion: conversion["documents"].pop("facts.json"), 'documents["facts.json"]'),
        (lambda conversion: conversion["image_modes"].update(RGB=1), "image_modes"),
        (lambda conversion: conversion["warnings"].update(none=1), "key of warnings"),
        (lambda conversion: conversion["plan"]["inputs"]["test_images.zip"].update(images=10), "files"),
        (lambda conversion: conversion["plan"].update(limit=3), "partial"),
    ],
)
def test_values_of_conversion_json_that_others_contradict_are_told(
    repository: Path, change: Callable[[dict[str, Any]], object], key: str
) -> None:
    edit_conversion(repository, change)
    found = check_repository(repository, fast=True)
    assert {(violation.rule, violation.file) for violation in found} == {("conversion", "conversion.json")}
    assert key in [violation.key for violation in found]


def test_a_release_has_its_numbers_of_rows(repository: Path) -> None:
    claim_release(repository, "2.0.1")
    found = check_repository(repository, fast=True)
    assert "the 59,958 rows of train that release 2.0.1 has" in [violation.expected for violation in found]
    claim_release(repository, "2.0.1", limit=9)
    assert broken(repository) == []
    claim_release(repository, "2.0.1", limit=8)
    assert {violation.expected for violation in check_repository(repository)} == {"at most 8 of each split"}


def test_a_value_that_nothing_else_says_is_told_by_the_hash_of_all(repository: Path) -> None:
    conversion = facts_of(repository)
    conversion["versions"]["Pillow"] = "0"
    (repository / "conversion.json").write_text(json.dumps(conversion))
    (violation,) = check_repository(repository)
    assert (violation.rule, violation.key) == ("conversion", "content_sha256")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda card: listed(card, "commercial").update(default=True), "configs[2].default"),
        (lambda card: listed(card, "text").update(data_dir="data"), "configs[0].data_dir"),
        (lambda card: listed(card, "text").update(columns=["cuis"]), "configs[0].columns"),
        (lambda card: listed(card, "text")["data_files"][0].update(path="text/*"), "configs[0].data_files[0].path"),
        (lambda card: listed(card, "text")["data_files"].pop(), "configs[0].data_files[2]"),
        (lambda card: card["dataset_info"][0]["splits"][0].update(name="dev"), "dataset_info[0].splits[0].name"),
        (lambda card: card.update(license="mit"), "license"),
        (lambda card: card.pop("license_link"), "license_link"),
    ],
)
def test_a_value_of_the_card_is_told_by_its_key(
    repository: Path, change: Callable[[dict[str, Any]], object], key: str
) -> None:
    edit_card(repository, change)
    assert {(violation.file, violation.key) for violation in check_repository(repository, fast=True)} == {
        ("README.md", key)
    }


@pytest.mark.parametrize("keep", [0, 2_000, -10])
def test_a_card_without_its_text_and_an_empty_licence_are_told(repository: Path, keep: int) -> None:
    text = (repository / "README.md").read_text()
    end = text.index("\n---\n", 4) + 5
    (repository / "README.md").write_text(text[:end] + text[end:][:keep])
    (repository / "LICENSE.md").write_text("")
    assert broken(repository, fast=True) == [("changed-file", "LICENSE.md"), ("changed-file", "README.md")]


def test_the_prose_of_another_version_is_not_compared(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocov2.__version__", "9.9")
    monkeypatch.setattr("rocov2.DESCRIPTION", "other words")
    assert broken(repository) == []
    edit_infos(repository, lambda infos: infos["text"]["splits"]["test"].update(num_examples=1))  # type: ignore[index]
    assert broken(repository) == [("counts", "dataset_infos.json")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("* -text\n", "none"),
        ("* -text\n*.parquet filter=lfs\n*.png filter=lfs\n*.png -filter\n", "-filter"),
        ("* -text\r\n*.parquet filter=lfs -text\r\n*.png filter=lfs\r\n", None),
        (
            "*.parquet filter=lfs -text\n*.png filter=lfs -text\n",
            "none",
        ),  # git of Windows would change the line ends of JSON
        ("* -text\n*.json text=auto\n*.parquet filter=lfs\n*.png filter=lfs\n", "text=auto"),
    ],
)
def test_attributes_keep_large_files_out_of_git_and_line_ends_as_they_are(
    repository: Path, text: str, found: str | None
) -> None:
    (repository / ".gitattributes").write_text(text)
    violations = check_repository(repository, fast=True)
    assert {(violation.rule, violation.found) for violation in violations} == (
        {("attributes", found)} if found else set()
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_keeps_the_line_ends(repository: Path, tmp_path: Path) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "core.autocrlf=true"]
    steps = [
        ["init", "-q", "."],
        ["add", "."],
        ["commit", "-q", "-m", "a"],
        ["clone", "-q", ".", str(tmp_path / "clone")],
    ]
    for step in steps:
        subprocess.run(["git", *settings, *step], cwd=repository, check=True)
    assert check_repository(tmp_path / "clone") == []
