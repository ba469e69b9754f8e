"""The rules of a servable repository: a good one obeys all, and each rule has a repository that breaks just it.

`test_check_viewer` has those of the Hub's dataset viewer.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2_build.check import check_repository
from rocov2_build.checks.rules import RULES
from rocov2_build.worker import parquet
from rocov2_build.worker.jpeg import ImageFacts, inspect
from rocov2_shared.errors import UserError
from tests.conftest import PROJECT, Run
from tests.support.breaking import (
    OTHER,
    SHARD,
    TEXT,
    broken,
    build,
    describe_again,
    edit_card,
    edit_conversion,
    edit_facts,
    edit_infos,
    forget_verification,
    listed,
    rehash,
    rewrite,
    seal,
    set_value,
)
from tests.support.raw import jpeg
from tests.support.repositories import facts_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("check"))


def test_a_built_repository_obeys_every_rule(built: Path) -> None:
    assert check_repository(built) == []


def test_a_script_is_refused(repository: Path) -> None:
    (repository / "rocov2.py").write_text("")
    assert broken(repository) == [("script", "rocov2.py")]


@pytest.mark.parametrize(
    "name",
    ["LICENSE.md", "README.md", "dataset_infos.json", "conversion.json", "croissant.json", "facts.json"],
)
def test_a_missing_file_is_told(repository: Path, name: str) -> None:
    (repository / name).unlink()
    assert broken(repository) == [("missing-file", name)]


def test_a_stray_parquet_file_is_told(repository: Path) -> None:
    shutil.copy(repository / TEXT, repository / "text" / "more.parquet")
    assert broken(repository) == [("stray-file", "text/more.parquet")]


def test_a_folder_of_other_parquet_files_is_told(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other" / "a.parquet")
    violations = check_repository(tmp_path)
    assert {violation.rule for violation in violations} == {"missing-file", "stray-file"}


def test_a_missing_shard_is_told_without_what_follows(repository: Path) -> None:
    (repository / OTHER).unlink()
    assert broken(repository) == [("changed-file", OTHER)]
    (repository / "conversion.json").unlink()
    assert {("missing-file", "conversion.json"), ("numbering", "data/test-*")} <= set(broken(repository))


def test_a_file_that_is_no_parquet_is_told_once(repository: Path) -> None:
    (repository / "vocabulary" / "vocabulary.parquet").write_bytes(b"PAR1 no more")
    rehash(repository, "vocabulary/vocabulary.parquet")
    assert ("unreadable", "vocabulary/vocabulary.parquet") in broken(repository)


def test_a_flipped_byte_is_told(repository: Path) -> None:
    content = bytearray((repository / "vocabulary" / "vocabulary.parquet").read_bytes())
    content[-1000] ^= 1
    (repository / "vocabulary" / "vocabulary.parquet").write_bytes(content)
    assert ("changed-file", "vocabulary/vocabulary.parquet") in broken(repository)


@pytest.mark.parametrize("key", ["footer_bytes", "row_groups"])
def test_row_groups_that_conversion_json_does_not_state_are_told(repository: Path, key: str) -> None:
    edit_conversion(repository, lambda conversion: conversion["files"][SHARD].pop(key))
    assert broken(repository) == [("row-groups", SHARD)]


def test_another_schema_is_told(repository: Path) -> None:
    def widen(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index("width"), "width", table["width"].cast(pa.int64()))

    rewrite(repository, "text/train.parquet", widen)
    assert ("schema", "text/train.parquet") in broken(repository)


def test_lists_spelled_as_datasets_4_does_are_told(repository: Path) -> None:
    metadata = pq.read_schema(repository / SHARD).metadata[b"huggingface"].replace(b'"Sequence"', b'"List"')
    rewrite(repository, SHARD, lambda table: table, metadata)
    assert broken(repository) == [("features", SHARD)]


def test_an_empty_row_group_is_told(repository: Path) -> None:
    path = repository / TEXT
    table = pq.read_table(path, partitioning=None)
    with parquet.open_writer(path, pq.read_schema(path)) as writer:
        parquet.write_row_group(writer, table)
        writer.write_table(table.slice(0, 0))
    rehash(repository, TEXT)
    assert broken(repository) == [("empty", TEXT)]


def test_a_row_group_over_the_limit_is_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocov2_build.checks.footers.MAX_ROW_GROUP", 10)
    assert {rule for rule, _ in broken(repository)} == {"row-group-size"}


def test_compressed_images_and_a_missing_page_index_are_told(repository: Path) -> None:
    path = repository / SHARD
    table = pq.read_table(path, partitioning=None).replace_schema_metadata(pq.read_schema(path).metadata)
    pq.write_table(table, path)
    rehash(repository, SHARD)
    rules = broken(repository)
    assert ("image-storage", SHARD) in rules
    assert ("page-index", SHARD) in rules
    assert ("text-storage", SHARD) in rules  # pyarrow's default is a dictionary
    assert {rule for rule, _ in rules} == {"image-storage", "page-index", "text-storage"}


def test_a_card_without_yaml_is_told(repository: Path) -> None:
    (repository / "README.md").write_text("# ROCOv2\n")
    assert ("yaml", "README.md") in broken(repository)


def test_a_card_with_broken_yaml_is_told(repository: Path) -> None:
    (repository / "README.md").write_text("---\na: [\n---\n")
    assert broken(repository) == [("yaml", "README.md")]


def test_another_pattern_in_the_card_is_told(repository: Path) -> None:
    def change(metadata: dict[str, object]) -> None:
        listed(metadata, "default")["data_files"][0]["path"] = "data/train*"

    edit_card(repository, change)
    assert broken(repository) == [("configs", "README.md")]


def test_wrong_counts_are_told_in_card_and_json(repository: Path) -> None:
    def change(metadata: dict[str, object]) -> None:
        metadata["dataset_info"][0]["splits"][0]["num_examples"] += 1  # type: ignore[index]

    edit_card(repository, change)
    edit_infos(repository, lambda infos: infos.pop("text"))
    assert broken(repository) == [("counts", "README.md"), ("counts", "dataset_infos.json")]


@pytest.mark.parametrize(
    "content",
    ["{}", '{"default": 5}', '{"default": {"splits": [1]}}', '{"text": {"splits": {"test": 6}}}'],
)
def test_infos_of_another_form_are_told(repository: Path, content: str) -> None:
    (repository / "dataset_infos.json").write_text(content)
    found = broken(repository)
    assert ("counts", "dataset_infos.json") in found
    assert {file for _, file in found} == {"dataset_infos.json"}


@pytest.mark.parametrize(
    "content",
    ["[]", "null", "{}", '{"files": [], "image_modes": 1, "plan": []}', json.dumps({"files": {TEXT: {}, OTHER: 1}})],
)
def test_a_conversion_json_of_another_form_is_told(repository: Path, content: str) -> None:
    (repository / "conversion.json").write_text(content)
    assert broken(repository) == [("damaged-file", "conversion.json")]


def test_wrong_features_are_told_in_card_and_json(repository: Path) -> None:
    def change(metadata: dict[str, object]) -> None:
        metadata["dataset_info"][1]["features"].pop()  # type: ignore[index]

    edit_card(repository, change)
    edit_infos(repository, lambda infos: infos["default"]["features"].pop("width"))  # type: ignore[attr-defined]
    assert broken(repository) == [("card-features", "README.md"), ("card-features", "dataset_infos.json")]


def test_a_warning_about_text_hides_no_stale_facts(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocov2_build.checks.viewer_values.MAX_FIRST_ROWS", 100)

    def change(facts: dict[str, Any]) -> None:
        facts["license"]["CC BY"]["test"] += 1

    assert ("first-rows", TEXT) in broken(repository)
    edit_facts(repository, change)
    assert ("facts", "facts.json") in broken(repository)


def test_stale_facts_are_told_by_their_sections(repository: Path) -> None:
    def change(facts: dict[str, Any]) -> None:
        facts["license"]["CC BY"]["test"] += 1
        facts["captions"]["words"]["all"]["mean"] += 0.01

    edit_facts(repository, change)
    violations = check_repository(repository)
    assert {(violation.rule, violation.file) for violation in violations} == {("facts", "facts.json")}
    assert [violation.key for violation in violations] == ['license["CC BY"].test', "captions.words.all.mean"]
    seal(repository)
    assert broken(repository, fast=True) == []


def test_facts_of_other_rows_are_told_by_footers_alone(repository: Path) -> None:
    edit_facts(repository, lambda facts: facts["images"].update(test=7))
    assert broken(repository, fast=True) == [("facts", "facts.json")]


def test_facts_that_are_none_are_told(repository: Path) -> None:
    (repository / "facts.json").write_text("{}")
    assert broken(repository) == [("facts", "facts.json")]


@pytest.mark.parametrize("name", ["facts.json", "dataset_infos.json", "croissant.json", "conversion.json"])
@pytest.mark.parametrize(
    "content", ["[1]", "null", "", "{", "5", '{"a": 1, "a": 2}', "\ufeff{}", "[" * 99_999, '{"a": NaN}']
)
def test_json_that_is_no_object_is_told(repository: Path, name: str, content: str) -> None:
    (repository / name).write_text(content, encoding="utf-8")
    assert broken(repository, fast=True) == [("damaged-file", name)]


def test_facts_are_held_against_rows_that_changed_everywhere(repository: Path) -> None:
    for file in (SHARD, TEXT):
        rewrite(repository, file, set_value("caption", 0, "another"))
    assert broken(repository) == [("facts", "facts.json")]


def test_text_in_another_order_is_told(repository: Path) -> None:
    rewrite(repository, TEXT, lambda table: table.take([1, 0, *range(2, len(table))]))
    assert broken(repository) == [("text-order", TEXT)]


def test_text_with_another_caption_is_told(repository: Path) -> None:
    rewrite(repository, TEXT, set_value("caption", 0, "another"))
    assert broken(repository) == [("text-order", TEXT)]


def test_an_id_twice_is_told(repository: Path) -> None:
    first = pq.read_table(repository / SHARD, columns=["image_id"], partitioning=None)["image_id"][0].as_py()
    for file in (SHARD, TEXT):
        rewrite(repository, file, set_value("image_id", 1, first))
    image = pq.read_table(repository / SHARD, columns=["image"], partitioning=None)["image"][1].as_py()
    rewrite(repository, SHARD, set_value("image", 1, image | {"path": f"{first}.jpg"}))
    assert broken(repository) == [("duplicate-id", SHARD)]


def test_missing_values_are_told_but_for_labels_that_may_be(repository: Path) -> None:
    for file in (SHARD, TEXT):
        rewrite(repository, file, set_value("cuis", 0, ["C0040405", None]))
        rewrite(repository, file, set_value("region", 0, None))
    assert broken(repository) == [("null", SHARD), ("null", TEXT)]


def test_a_label_out_of_range_is_told(repository: Path) -> None:
    for file in (SHARD, TEXT):
        rewrite(repository, file, set_value("modality", 0, 7))
    assert broken(repository) == [("label", SHARD), ("label", TEXT)]


@pytest.mark.parametrize("license", ["CC BY-NC", "CC0"])
def test_a_licence_of_the_other_group_and_an_unknown_one_are_told(repository: Path, license: str) -> None:
    for file in (SHARD, TEXT):
        rewrite(repository, file, set_value("license", 0, license))
    assert broken(repository) == [("license", SHARD)]


def cut_image(repository: Path, end: bytes = b"") -> None:
    """Cut the end of an image; `end` takes its place."""
    image = pq.read_table(repository / SHARD, columns=["image"], partitioning=None)["image"][0].as_py()
    rewrite(repository, SHARD, set_value("image", 0, image | {"bytes": image["bytes"][:-20] + end}))


END_MARKER = b"\xff\xd9"


CUT = ("image", f"{SHARD} ROCOv2_2023_test_000001")


def test_an_image_without_an_end_is_told_although_conversion_json_vouches_for_the_rows(repository: Path) -> None:
    cut_image(repository)
    assert broken(repository) == [CUT]


def test_a_cut_image_is_told_by_its_id(repository: Path) -> None:
    before = (repository / "conversion.json").read_text()
    cut_image(repository, END_MARKER)
    assert broken(repository, decode=True) == [CUT]
    assert broken(repository) == []  # since conversion.json vouches for rows that were decoded when they were written
    forget_verification(repository)
    assert broken(repository) == [CUT]
    (repository / "conversion.json").write_text(before)
    assert {("changed-file", SHARD), CUT} <= set(broken(repository))
    (repository / "conversion.json").unlink()
    assert broken(repository) == [CUT, ("missing-file", "conversion.json")]


def test_a_hash_of_the_rows_that_is_wrong_alone_is_told_and_not_believed(repository: Path) -> None:
    before = facts_of(repository)["files"][SHARD]["rows_sha256"]
    cut_image(repository, END_MARKER)
    conversion = facts_of(repository)
    conversion["files"][SHARD]["rows_sha256"] = before
    describe_again(repository, conversion)
    assert broken(repository) == [("changed-file", SHARD), CUT]


def test_wrong_sizes_are_told(repository: Path) -> None:
    rewrite(repository, SHARD, set_value("image", 0, {"bytes": jpeg(11, 12), "path": "ROCOv2_2023_test_000001.jpg"}))
    (violation,) = check_repository(repository, decode=True)
    assert (violation.rule, violation.expected, violation.found) == ("image-size", "11 x 12", "40 x 32")


def test_images_that_were_verified_are_not_decoded_again(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def watched(data: bytes, verify: str) -> ImageFacts:
        if verify == "strict":
            decoded.append(data)
        return inspect(data, verify)

    monkeypatch.setattr("rocov2_build.checks.images.inspect", watched)
    assert broken(repository) == []
    assert len(decoded) == 0
    assert broken(repository, decode=True) == []
    assert len(decoded) == 27


def test_fast_reads_names_sizes_footers_and_card_alone(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = bytearray((repository / SHARD).read_bytes())
    content[100] ^= 1
    (repository / SHARD).write_bytes(content)
    assert broken(repository, fast=True) == []
    with (repository / TEXT).open("ab") as file:
        file.write(b"PAR1")
    (repository / OTHER).unlink()
    (repository / "rocov2.py").touch()
    rules = {rule for rule, _ in broken(repository, fast=True)}
    assert rules == {"changed-file", "script", "unreadable"}


def test_all_violations_are_told_at_once(repository: Path) -> None:
    rewrite(repository, TEXT, set_value("caption", 0, "another"))
    (repository / "LICENSE.md").unlink()
    (repository / "rocov2.py").write_text("")
    assert {rule for rule, _ in broken(repository)} == {"missing-file", "script", "text-order"}


def test_a_folder_without_parquet_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="contains no Parquet file"):
        check_repository(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        check_repository(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is a clone of the project: name a repository"):
        check_repository(PROJECT)


@pytest.mark.slow
def test_the_command_line(repository: Path, run: Run) -> None:
    done = run("check_repository", repository)
    assert (done.returncode, done.stdout) == (0, f"{repository} passes all {len(RULES)} rules.\n")
    (repository / "LICENSE.md").unlink()
    done = run("check_repository", repository)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: missing-file (card): LICENSE.md: expected the file, found none",
        f"  What to do: {RULES['missing-file'].remedy}.",
        f"Error: {repository} breaks 1 of {len(RULES)} rules (1 violation)",
    ]
    report = json.loads(run("check_repository", repository, "--json").stdout)
    assert report["rules"] == {code: asdict(rule) for code, rule in RULES.items()}
    (violation,) = report["violations"]
    assert (violation["rule"], violation["severity"], violation["affects"]) == ("missing-file", "error", "card")
    done = run("check_repository", repository / "nowhere")
    assert done.returncode == 1
    assert "is not a folder" in done.stderr
    assert run("check_repository", "--fast-and-loose").returncode == 2
    assert run("check_repository", repository, "--fast", "--decode").returncode == 2


@pytest.mark.slow
def test_the_script_says_what_it_did_not_read(repository: Path, run: Run) -> None:
    done = run("check_repository", repository, "--fast")
    assert (done.returncode, "its rows were not read" in done.stdout) == (0, True)
    cut_image(repository, END_MARKER)
    assert run("check_repository", repository).returncode == 0
    assert run("check_repository", repository, "--decode").returncode == 1
