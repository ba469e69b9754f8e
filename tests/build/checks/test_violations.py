"""The words for violations, and steps that run alone: what they need are their arguments."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rocov2_build.checks.card import check_card, check_croissant
from rocov2_build.checks.descriptions import describe
from rocov2_build.checks.facts import check_facts
from rocov2_build.checks.footers import FileSize, check_footers
from rocov2_build.checks.records import Records, compare_files, read_records
from rocov2_build.checks.rows import check_rows
from rocov2_build.checks.rules import RULES
from rocov2_build.checks.violations import (
    MAX_FAULTS,
    Check,
    Violation,
    blocking,
    describe_result,
    describe_violation,
    describe_violations,
)
from rocov2_shared.files import list_files
from rocov2_shared.json_values import Fault
from tests.support.breaking import TEXT, build

ERROR = Violation("null", TEXT, "a value", "none")
WARNING = Violation("language", "README.md", "one language", "en, de")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("steps"))


@pytest.fixture
def check(built: Path) -> Check:
    return Check(built, list_files(built))


def test_a_step_compares_with_its_arguments_alone(check: Check) -> None:
    footers, records = check_footers(check), read_records(check)
    assert sorted(footers.layouts) == [file for file in check.files if file.endswith(".parquet")]
    assert records is not None
    assert records.is_verified
    expected = describe(check, footers, records)
    check_card(check, expected)
    check_croissant(check, expected)
    check_facts(check, footers, records, images=check_rows(check, footers.sound, records, decode=False))
    assert check.violations == []
    sizes = footers.sizes | {TEXT: FileSize(8, 1)}
    check_facts(check, replace(footers, sizes=sizes), records, images=None)
    check_card(check, describe(check, replace(footers, sizes=sizes), records))
    assert {(violation.rule, violation.key) for violation in check.violations} == {
        ("facts", "images.test"),
        *(("counts", f"dataset_info[2].{key}") for key in ("splits[2].num_bytes", "dataset_size")),
        *(("counts", f"text.{key}") for key in ("splits.test.num_bytes", "dataset_size")),
    }


def test_what_follows_from_a_broken_file_is_left_out(check: Check) -> None:
    footers, records = check_footers(check), read_records(check)
    assert records is not None
    del footers.sizes[TEXT]
    check.add("unreadable", TEXT, expected="a Parquet file", found="another")
    expected = describe(check, footers, records)
    assert expected.doubtful == {("text", "test")}
    compare_files(check, records, footers.layouts)
    check_card(check, expected)
    check_croissant(check, expected)
    check_facts(check, footers, records, images=None)
    assert [violation.rule for violation in check.violations] == ["unreadable"]


def test_the_rows_of_a_file_without_a_record_are_decoded(check: Check) -> None:
    check_rows(check, [file for file in check.files if file.endswith(".parquet")], Records(), decode=False)
    assert check.violations == []


def test_causes_come_first() -> None:
    assert [violation.rule for violation in sorted([WARNING, ERROR], key=lambda violation: violation.rank)] == [
        ERROR.rule,
        WARNING.rule,
    ]
    order = ["missing-file", "conversion", "unreadable", "changed-file", "counts", "text-order", "facts", "language"]
    ranks = [Violation(rule, "", "", "").rank for rule in order]
    assert ranks == sorted(ranks)


def test_what_to_do_is_said_once_for_each_rule() -> None:
    lines = describe_violations([ERROR, ERROR, WARNING])
    assert [line.partition(":")[0] for line in lines] == ["error", "error", "  What to do", "warning", "  What to do"]


def test_anybodys_names_and_values_are_printable() -> None:
    violation = Violation("null", "data/\udcff\x1b[31m.parquet", "a\nvalue", "\u202e", key="a\tb")
    assert describe_violation(violation) == (
        r"error: null (content): data/\udcff\x1b[31m.parquet: a\tb: expected a\nvalue, found \u202e"
    )


def test_the_faults_of_a_file_are_counted_behind_the_first() -> None:
    check = Check(Path(), [])
    check.add_faults("counts", "README.md", [Fault(f"key[{number}]", "1", "2") for number in range(MAX_FAULTS + 2)])
    assert len(check.violations) == MAX_FAULTS
    assert [violation.found for violation in check.violations[-2:]] == ["2", "2 (and 2 more)"]
    assert check.violations[0].key == "key[0]"


def test_a_violation_is_one_line() -> None:
    assert describe_violation(ERROR) == f"error: null (content): {TEXT}: expected a value, found none"
    assert blocking([WARNING, ERROR]) == [ERROR]


@pytest.mark.parametrize(
    ("violations", "fast", "result"),
    [
        ([], False, f"out passes all {len(RULES)} rules."),
        ([WARNING], False, f"out passes all {len(RULES)} rules (1 warning)."),
        ([WARNING] * 2, False, f"out passes all {len(RULES)} rules (2 warnings)."),
        ([ERROR], False, f"out breaks 1 of {len(RULES)} rules (1 violation)"),
        ([ERROR, WARNING, ERROR], True, f"out breaks 1 of {len(RULES)} rules (2 violations)"),
        ([], True, "out passes all rules about names, sizes, footers and the card; its rows were not read."),
    ],
)
def test_the_result_counts_rules_and_violations(violations: list[Violation], fast: bool, result: str) -> None:
    assert describe_result(Path("out"), violations, fast) == result
