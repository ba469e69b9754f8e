"""Wrong rows that records, hashes and texts agree with: each is found by its own rule, which names the row."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rocov2_build.check import check_repository
from rocov2_build.checks.footers import check_footers
from rocov2_build.checks.records import read_records
from rocov2_build.checks.row_faults import show_value
from rocov2_build.checks.rows import check_rows
from rocov2_build.checks.violations import Check, Violation
from rocov2_shared.files import list_files
from tests.support.breaking import TEXT, rehash
from tests.support.raw import make_raw
from tests.support.wrong_rows import WRONG_ROWS, WrongRows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=17, valid=4, test=5).build(tmp_path_factory.mktemp("rows") / "rocov2", row_group=9000)


def find_violations(root: Path) -> list[Violation]:
    """Violations of the rules of rows: `check_repository` without the card, which takes half of the time."""
    files = list_files(root)
    check = Check(root, files)
    footers = check_footers(check)
    records = read_records(check)
    assert records is not None
    check_rows(check, footers.sound, records, decode=False)
    return check.violations


def test_right_rows_break_no_rule(built: Path) -> None:
    assert check_repository(built) == []


@pytest.mark.parametrize("wrong", WRONG_ROWS, ids=lambda wrong: f"{wrong.kind}: {wrong.name}")
def test_wrong_rows_are_found_by_their_own_rule(
    built: Path, tmp_path: Path, wrong: WrongRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    named = show_value(wrong(repository))[1:-1]
    found = [violation for violation in find_violations(repository) if violation.rule == wrong.rule]
    assert found
    assert any(named in f"{violation.file} {violation.expected} {violation.found}" for violation in found)


@pytest.mark.parametrize("rule", ["curated", "image-size", "null", "release-order", "text-order", "vocabulary"])
def test_the_whole_check_reports_one_of_each_rule_and_no_stale_facts(built: Path, tmp_path: Path, rule: str) -> None:
    wrong = next(wrong for wrong in WRONG_ROWS[::-1] if wrong.rule == rule)
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    wrong(repository, seed=1)
    rules = {violation.rule for violation in check_repository(repository)}
    assert rule in rules
    assert "facts" not in rules


def edit_footer(path: Path, old: bytes, new: bytes) -> None:
    """Replace the last of some bytes in the footer of a file."""
    content = path.read_bytes()
    start = content.rindex(old)
    path.write_bytes(content[:start] + new + content[start + len(old) :])


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b"PMC0", b"PMC/", "statistics"),
        (b"ROCOv2_2023_test_000001", b"ROCOv2_2023_test_00000\xff", "statistics"),
        (b'"dtype": "string"', b'"dtype": "strinx"', "features"),
        (b'"dtype": "string"', b'"dtype": "strin\xff"', "features"),
        (b'"max_chunk_size": 1', b'"max_chunk_size": 9', "page-index"),
        (b"\x07caption", b"\x07captio\xff", "unreadable"),
    ],
)
def test_a_footer_unlike_the_rows_is_found(built: Path, tmp_path: Path, old: bytes, new: bytes, rule: str) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    edit_footer(repository / TEXT, old, new)
    rehash(repository, TEXT)
    assert rule in {violation.rule for violation in check_repository(repository)}
