"""The rules of the Hub's dataset viewer: each has a repository that breaks just it."""

from __future__ import annotations

import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from PIL import Image

from rocov2 import CONFIGS
from rocov2_build.check import check_repository
from rocov2_build.checks.rules import RULES
from rocov2_build.checks.viewer import SAVED_MODES
from rocov2_build.checks.viewer_values import measure_first_rows
from rocov2_build.checks.violations import Violation
from rocov2_build.worker import parquet
from rocov2_shared.files import write_whole
from tests.conftest import Run
from tests.support.breaking import (
    SHARD,
    TEXT,
    broken,
    build,
    count_again,
    edit_card,
    edit_conversion,
    edit_facts,
    forget_verification,
    listed,
    rehash,
    rewrite,
    set_value,
)
from tests.support.jpegs import header_of, remembering
from tests.support.raw import jpeg, make_raw
from tests.support.repositories import facts_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("viewer"))


def set_column(column: str, values: list[Any]) -> Any:
    """A change, for `rewrite`: all values of a column."""

    def change(table: pa.Table) -> pa.Table:
        field = table.schema.field(column)
        return table.set_column(table.column_names.index(column), field, pa.array(values[: len(table)], field.type))

    return change


def padded(data: bytes, size: int) -> bytes:
    """A JPEG with comments that make it at least `size` bytes long."""
    comment = b"\xff\xfe" + struct.pack(">H", 60_002) + bytes(60_000)
    return data[:2] + comment * (-(-(size - len(data)) // len(comment))) + data[2:]


def test_every_rule_has_a_severity_an_affected_feature_a_meaning_and_a_remedy() -> None:
    assert {rule.severity for rule in RULES.values()} == {"error", "warning"}
    assert {rule.affects for rule in RULES.values()} == {
        *("loaders", "content", "card", "croissant", "viewer", "viewer: rows", "viewer: statistics"),
        *("viewer: rows and statistics", "viewer: search and filter", "viewer: libraries"),
    }
    assert all(rule.meaning for rule in RULES.values())
    assert all(re.match(r"[a-z].*[^.]$", rule.remedy) for rule in RULES.values())


@pytest.mark.parametrize(
    "change",
    [{"viewer": False}, *({"tags": ["medical", tag]} for tag in ("not-for-all-audiences", "nsfw", "inappropriate"))],
)
def test_a_card_that_turns_the_viewer_off_is_told(repository: Path, change: dict[str, object]) -> None:
    edit_card(repository, lambda metadata: metadata.update(change))
    assert broken(repository, fast=True) == [("viewer-off", "README.md")]


@pytest.mark.parametrize("language", [["en", "de"], [], None])
def test_a_card_of_no_or_several_languages_is_told(repository: Path, language: object) -> None:
    edit_card(repository, lambda metadata: metadata.update(language=language))
    (violation,) = check_repository(repository)
    assert (violation.rule, violation.severity) == ("language", "warning")


def edit_pattern(repository: Path, **change: object) -> None:
    def edit(metadata: dict[str, Any]) -> None:
        listed(metadata, "default")["data_files"][0].update(change)

    edit_card(repository, edit)


def test_a_split_name_that_the_viewer_refuses_is_told(repository: Path) -> None:
    edit_pattern(repository, split="train-all")
    assert broken(repository) == [("split-name", "README.md")]


@pytest.mark.parametrize("patterns", [["data/train-*", "data/more-*"], []])
def test_several_patterns_of_a_split_are_told(repository: Path, patterns: list[str]) -> None:
    edit_pattern(repository, path=patterns)
    violations = check_repository(repository)
    assert [(violation.rule, violation.blocks) for violation in violations] == [
        ("configs", True),
        ("one-pattern", False),
    ]


def test_a_split_twice_is_told(repository: Path) -> None:
    def edit(metadata: dict[str, Any]) -> None:
        listed(metadata, "text")["data_files"].append({"split": "test", "path": "text/more.parquet"})

    edit_card(repository, edit)
    assert broken(repository) == [("configs", "README.md"), ("one-pattern", "README.md")]


def test_another_format_under_a_pattern_is_told(repository: Path) -> None:
    (repository / "data" / "test-notes.csv").write_text("a,b\n")
    assert broken(repository) == [("one-format", "data/test-notes.csv")]


def test_configurations_that_cannot_be_read_are_told(repository: Path) -> None:
    edit_card(repository, lambda metadata: metadata.update(configs=[{"config_name": "default"}]))
    assert broken(repository) == [("configs", "README.md")]


def test_too_many_columns_and_too_long_names_are_told(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_COLUMNS", 15)
    assert {rule for rule, _ in broken(repository)} == {"columns"}
    monkeypatch.undo()
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_COLUMN_NAME", 10)
    assert {rule for rule, _ in broken(repository)} == {"columns"}


def test_a_configuration_without_strings_is_told(repository: Path) -> None:
    file = "vocabulary/vocabulary.parquet"
    rewrite(repository, file, lambda table: table.select(["train", "validation", "test"]))
    assert broken(repository) == [("columns", file), ("schema", file)]


def test_a_split_without_images_that_is_too_large_for_search_is_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_INDEXED", 1_500)
    assert {rule for rule, _ in broken(repository, fast=True)} == {"index-size"}
    assert all(file.startswith(("text/", "vocabulary/")) for _, file in broken(repository, fast=True))


def rewrite_in_one_page(repository: Path) -> int:
    """Write a shard whose images are all in one page, as a writer without chunking does; returns the page's bytes."""
    path = repository / SHARD
    table = pq.read_table(path, partitioning=None)
    images = [image | {"bytes": padded(image["bytes"], 1_000_000)} for image in table["image"].to_pylist()]
    table = set_column("image", images)(table)
    schema = table.schema.with_metadata(pq.read_schema(path).metadata)
    others = [leaf for leaf in parquet.leaf_columns(schema) if leaf != parquet.IMAGE_BYTES]
    compression = dict.fromkeys(others, "zstd") | {parquet.IMAGE_BYTES: "none"}
    with (
        write_whole(path) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression=compression,
            use_dictionary=[leaf for leaf in others if leaf not in parquet.NEARLY_UNIQUE],
            column_encoding={parquet.IMAGE_BYTES: "PLAIN"},
            write_page_index=True,
            data_page_size=1 << 30,
            write_statistics=others,
        ) as writer,
    ):
        writer.write_table(table.replace_schema_metadata(schema.metadata))
    rehash(repository, SHARD)
    return sum(len(image["bytes"]) + 4 for image in images)


def test_large_pages_of_images_are_told(repository: Path) -> None:
    size = rewrite_in_one_page(repository)
    for options in ({"fast": True}, {"decode": True}):
        (violation,) = check_repository(repository, **options)
        assert (violation.rule, violation.file, violation.severity) == ("image-pages", SHARD, "warning")
        found = int(violation.found.partition(" ")[0].replace(",", ""))
        assert size < found < size + 100
        assert violation.found.endswith(" for 6 images")


def group_sizes(repository: Path) -> list[int]:
    """Bytes of each row group of the shard."""
    footer = pq.read_metadata(repository / SHARD)
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    return [sum(group.column(i).total_compressed_size for i in range(group.num_columns)) for group in groups]


@pytest.mark.parametrize("window", [100, 1])
def test_rows_that_are_read_from_too_many_bytes_of_a_row_group_are_told(
    repository: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    sizes = group_sizes(repository)
    assert len(sizes) > 1
    monkeypatch.setattr("rocov2_build.checks.viewer.WINDOW", window)
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_SCAN", max(sizes))
    assert ("scan-size", SHARD) not in broken(repository, fast=True)
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_SCAN", max(sizes) - 1)
    assert ("scan-size", SHARD) in broken(repository, fast=True)
    assert {rule for rule, _ in broken(repository, fast=True)} == {"scan-size"}


def test_only_the_pages_of_the_rows_are_read(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = repository / SHARD
    images = [
        {"bytes": padded(jpeg(40, 32), 2_000_000), "path": f"{number}.jpg"} for number in range(6)
    ]  # a page each: chunking ends one after 1 MiB
    rewrite(repository, SHARD, set_column("image", images))
    size = path.stat().st_size
    assert size > 12_000_000
    monkeypatch.setattr("rocov2_build.checks.viewer.WINDOW", 2)
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_SCAN", size // 2)
    assert broken(repository, fast=True) == []
    monkeypatch.setattr("rocov2_build.checks.viewer.MAX_SCAN", size // 4)
    assert broken(repository, fast=True) == [("scan-size", SHARD)]


def test_a_damaged_header_of_a_page_is_told(repository: Path) -> None:
    footer = pq.read_metadata(repository / SHARD)
    place = footer.row_group(1).column(0).data_page_offset
    content = bytearray((repository / SHARD).read_bytes())
    content[place : place + 20] = bytes(20)
    (repository / SHARD).write_bytes(content)
    assert broken(repository, fast=True) == [("unreadable", SHARD)]


def tiff(mode: str) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (40, 32)).save(buffer, "TIFF")
    return buffer.getvalue()


def test_an_image_of_a_mode_that_the_viewer_cannot_save_is_told(repository: Path) -> None:
    rewrite(repository, SHARD, set_value("image", 0, {"bytes": tiff("F"), "path": "ROCOv2_2023_test_000001.jpg"}))
    assert broken(repository, decode=True) == [("image-mode", f"{SHARD} ROCOv2_2023_test_000001")]
    forget_verification(repository)
    assert broken(repository) == [("image-mode", f"{SHARD} ROCOv2_2023_test_000001")]


def test_an_image_that_is_no_jpeg_is_told_as_such(repository: Path) -> None:
    rewrite(repository, SHARD, set_value("image", 0, {"bytes": tiff("L"), "path": "ROCOv2_2023_test_000001.jpg"}))
    assert broken(repository, decode=True) == [("image", f"{SHARD} ROCOv2_2023_test_000001")]


@pytest.mark.parametrize("decode", [False, True])
def test_a_jpeg_of_another_process_is_told_before_any_decoder_gets_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, decode: bool
) -> None:
    rewrite(repository, SHARD, set_value("image", 0, {"bytes": header_of(0xC9), "path": "ROCOv2_2023_test_000001.jpg"}))
    given: list[bytes] = []
    monkeypatch.setattr(simplejpeg, "decode_jpeg", remembering(simplejpeg.decode_jpeg, given))
    monkeypatch.setattr(Image, "open", remembering(Image.open, given))
    (violation,) = check_repository(repository, decode=decode)
    assert (violation.rule, violation.file) == ("image", f"{SHARD} ROCOv2_2023_test_000001")
    assert violation.found == "JPEG process extended arithmetic (SOF9)"
    assert given
    assert header_of(0xC9) not in given


def test_turned_images_are_told_without_decoding(tmp_path: Path) -> None:
    raw = make_raw(train=3, valid=1, test=1)
    raw.image("train", 0).data = jpeg(40, 32, orientation=6)
    raw.image("train", 1).data = jpeg(40, 32, orientation=1)
    repository = raw.build(tmp_path / "rocov2")
    (violation,) = check_repository(repository, fast=True)
    assert (violation.rule, violation.file, violation.found) == ("turned-image", "conversion.json", "1")
    listed = json.loads((repository / "conversion.json").read_text())["noted"]
    assert listed == [{"image_id": raw.image("train", 0).id, "code": "turned-jpeg", "found": ""}]
    assert "\n1 picture is stored lying or mirrored, with an orientation" in (repository / "README.md").read_text()


def test_a_mode_that_conversion_json_counts_is_told_without_decoding(repository: Path) -> None:
    modes = facts_of(repository)["image_modes"]
    modes |= {"L": modes["L"] - 2, "F": 2}
    edit_conversion(repository, lambda conversion: conversion.update(image_modes=modes))
    edit_facts(repository, lambda facts: facts.update(modes=modes))
    (violation,) = check_repository(repository, fast=True)
    assert (violation.rule, violation.file, violation.found) == ("image-mode", "conversion.json", "2 of mode F")


@pytest.mark.parametrize("mode", SAVED_MODES)
def test_the_viewer_saves_these_modes(mode: str) -> None:
    image = Image.new(mode, (4, 4))
    try:
        image.save(io.BytesIO(), "JPEG")
    except OSError:
        image.save(io.BytesIO(), "PNG")


def test_the_first_page_is_measured_with_what_surrounds_the_rows() -> None:
    features = json.dumps(CONFIGS["text"].features.to_dict(), separators=(",", ":"))
    row = {"image_id": "a", "width": 5, "height": 7}
    sizes = {
        config: [measure_first_rows(config, "train", [row] * count) for count in range(3)]
        for config in ("text", "default")
    }
    assert len(features) < sizes["text"][0] < len(features) + 1_000
    bare = len(json.dumps(row, separators=(",", ":")))
    (text, image) = (sizes[config][2] - sizes[config][1] - bare for config in ("text", "default"))
    assert text == len('{"row_idx":1,"row":,"truncated_cells":[]},')
    assert 150 < image - text < 200


def test_a_first_page_that_is_too_large_is_told(repository: Path) -> None:
    for file in (SHARD, TEXT):
        rewrite(repository, file, set_value("caption", 0, "é" * 100_000))
    count_again(repository)
    violations = check_repository(repository)
    assert {violation.severity for violation in violations} == {"warning"}
    assert [(violation.rule, violation.file) for violation in violations] == [
        ("first-rows", "data/test-*"),
        ("first-rows", "data/test-*-commercial-*"),
        ("first-rows", "text/test.parquet"),
    ]


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("caption", [*"abcdefgh", "ij"], ""),  # so few are labels
        ("caption", [*"abcdefghijk", "lm"], "caption 1 to 2"),
        ("manual_cuis", [["C0040405"], []] * 6, "manual_cuis 0 to 1"),
        ("manual_cuis", [["C0040405"]] * 12, ""),
        ("height", [32, 33] * 6, "height 32 to 33"),
        ("modality", [0, 1] * 6, ""),
        ("region", [0, 1] * 6, ""),
        ("article_in_other_split", [True, False] * 6, ""),
    ],
)
def test_a_range_of_one_is_told_where_a_histogram_is_drawn(
    tmp_path: Path, column: str, values: list[Any], told: str
) -> None:
    count = 12 if "k" in values else 9
    raw = make_raw(9, 0, count, noncommercial=False)
    for image in raw.splits["test"]:
        image.pmcid, image.link = "PMC12", "https://example.org/PMC12"
    repository = raw.build(tmp_path / "rocov2")

    def found() -> list[Violation]:
        return [violation for violation in check_repository(repository) if "test" in violation.file]

    assert found() == []
    for file in ("data/test-00000-of-00001-commercial-apart.parquet", TEXT):
        rewrite(repository, file, set_column(column, values))
    where = ("data/test-*", "data/test-*-commercial-*", "text/test.parquet")
    # Some values contradict their rows, which is reported by other rules.
    narrow = {violation.file: violation.found for violation in found() if violation.rule == "range-one"}
    assert narrow == (dict.fromkeys(where, told) if told else {})


def test_warnings_are_told_and_block_nothing(repository: Path, run: Run) -> None:
    edit_card(repository, lambda metadata: metadata.update(language=["en", "de"]))
    done = run("check_repository", repository)
    assert done.stderr == (
        "warning: language (viewer: search and filter): README.md: expected one language, found en, de\n"
        f"  What to do: {RULES['language'].remedy}.\n"
    )
    assert (done.returncode, done.stdout) == (
        0,
        f"{repository} passes all {len(RULES)} rules (1 warning).\n",
    )
    (violation,) = json.loads(run("check_repository", repository, "--json").stdout)["violations"]
    assert (violation["rule"], violation["severity"]) == ("language", "warning")
