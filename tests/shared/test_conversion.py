"""conversion.json: one writer and one reader, whose error says which file is damaged, how, and what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rocov2_shared.conversion import (
    ConversionRecord,
    DamagedConversionError,
    hash_content,
    read_conversion,
    write_conversion,
)
from rocov2_shared.errors import UserError

CONVERSION = ConversionRecord(
    project={"name": "rocov2-hub", "version": "0"},
    release=None,
    partial=True,
    part="--limit 1",
    rows_sha256={"default": 64 * "0"},
    files={},
    documents={},
    image_modes={"L": 1},
    warnings={},
    noted=[],
    left_out=[],
    versions={},
    plan={"format": 1},
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_conversion(tmp_path, CONVERSION)
    for root in (str(tmp_path), tmp_path.as_uri()):
        assert read_conversion(root, lambda content: content, "") == CONVERSION | {
            "content_sha256": hash_content(CONVERSION)
        }
    assert list(json.loads((tmp_path / "conversion.json").read_bytes())) == list(ConversionRecord.__annotations__)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("{", "Expecting property name"),
        ("null", "the whole: expected an object, found null"),
        ("[]", r"the whole: expected an object, found \[\]"),
        ('{"plan": 1}', "plan: expected an object, found 1"),
        ('{"plan": {"format": {}}, "files": {"a": {}}}', r"files\.a\.rows: expected a value, found nothing"),
        ("\ufeff{}", "Unexpected UTF-8 BOM"),
        ('{"plan": {}, "plan": {}}', 'the key "plan" occurs twice'),
        ('{"partial": 1}', "partial: expected true or false, found 1"),
        ('{"image_modes": {"L": -1}}', "image_modes.L: expected a whole number from 0 to .*, found -1"),
        ('{"image_modes": {"L": NaN}}', "the number NaN"),
        ('{"image_modes": {"L": 1e999}}', "the number 1e999"),
        ("[" * 100_000, "more than 40 lists and objects within each other"),
        ('{"plan": {"a": ' + "[" * 50 + "]" * 50 + "}}", "more than 40 lists and objects within each other"),
        (r'{"part": "\ud800"}', "'utf-8' codec can't encode"),
        ("{}", "'plan' is missing"),
        ('{"plan": {}}', "'format' is missing"),
    ],
)
def test_damage_is_reported_with_its_remedy(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "conversion.json").write_text(content)
    path = re.escape(f"{tmp_path}/conversion.json")
    expected = rf"^{path} is damaged, expected the plan \({found}.*\): build it again$"
    with pytest.raises(DamagedConversionError, match=expected) as error:
        read_conversion(str(tmp_path), lambda content: content["plan"]["format"], "build it again", "the plan")
    assert isinstance(error.value, UserError)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"rows": 10**30}, "rows: expected a whole number from 1 to 2,000,000, found 1000"),
        ({"rows": 2.0}, "rows: expected a whole number from 1 to 2,000,000, found 2.0"),
        ({"rows": True}, "rows: expected a whole number from 1 to 2,000,000, found true"),
        ({"rows": 3}, "rows: expected 2, the sum of its row groups, found 3"),
        ({"bytes": -1}, "bytes: expected a whole number from 0 to"),
        ({"sha256": "0"}, "sha256: expected a SHA-256, as 64 lower-case hex digits, found"),
        ({"row_groups": {"rows": [2], "bytes": []}}, "row_groups.bytes: expected 1 value, as in rows, found 0"),
        ({"row_groups": {"rows": [10**9], "bytes": [1]}}, r"row_groups.rows\[0\]: expected a whole number from 0 to"),
        ({"row_groups": {"rows": [10**6] * 2, "bytes": [1] * 2}}, "rows: expected 2000000, the sum of its row groups"),
    ],
)
def test_numbers_of_a_file_that_cannot_be_are_damage(tmp_path: Path, change: dict[str, object], found: str) -> None:
    file = {"rows": 2, "bytes": 9, "sha256": 64 * "a", "rows_sha256": 64 * "a", "footer_bytes": 8}
    file |= {"row_groups": {"rows": [2], "bytes": [1]}}
    path = tmp_path / "conversion.json"
    path.write_text(json.dumps({"files": {"data/a.parquet": file}}))
    assert read_conversion(str(tmp_path), lambda content: len(content["files"]), "") == 1
    path.write_text(json.dumps({"files": {"data/a.parquet": file | change}}))
    with pytest.raises(ValueError, match=rf"conversion\.json is damaged \(files\[\"data/a\.parquet\"\]\.{found}"):
        read_conversion(str(tmp_path), lambda content: len(content["files"]), "")


def test_many_files_that_claim_many_rows_are_damage(tmp_path: Path) -> None:
    file = {"rows": 2_000_000, "bytes": 9, "sha256": 64 * "a", "rows_sha256": 64 * "a"}
    content = {"files": {f"{number}": file for number in range(6)}}
    (tmp_path / "conversion.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="files: expected at most 10,000,000 rows, found 12,000,000"):
        read_conversion(str(tmp_path), lambda content: content["files"], "")


def test_the_hash_of_the_content_does_not_depend_on_the_order_of_its_keys_or_on_itself() -> None:
    content = {"a": 1, "b": {"c": 2, "d": 3}}
    other = {"content_sha256": "0", "b": {"d": 3, "c": 2}, "a": 1}
    assert hash_content(content) == hash_content(other) != hash_content(content | {"a": 2})


def test_a_missing_file_is_not_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"conversion\.json"):
        read_conversion(str(tmp_path), lambda content: content, "")
