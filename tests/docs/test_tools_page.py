"""docs/tools.md is what the results of `make test-tools` say, and each tool has a row in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks.tools.page import ADVICE, PAGE, RESULTS, render
from benchmarks.tools.probes.case import Case
from benchmarks.tools.rows import FAMILIES, TOOLS


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def test_the_page_is_that_of_the_results(results: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == render(results), "python -m benchmarks.tools.page"


def test_every_tool_has_a_result_of_its_pinned_packages(results: dict[str, Any]) -> None:
    assert list(results["tools"]) == list(TOOLS)
    for name, entry in results["tools"].items():
        assert ("findings" in entry) != ("failed" in entry), name
        assert entry["packages"] == list(TOOLS[name].packages), name


def test_every_tool_has_a_family_and_advice() -> None:
    assert {tool.family for tool in TOOLS.values()} == set(FAMILIES)
    advised = {
        line.removeprefix("## ") for line in ADVICE.read_text(encoding="utf-8").splitlines() if line[:3] == "## "
    }
    assert advised == {name for name, tool in TOOLS.items() if tool.probe != "python"}


ROWS: list[dict[str, Any]] = [
    {"image_id": "a", "sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", "caption": "NA"},
    {"image_id": "b", "sha256": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d", "caption": "x"},
]
LABELS: list[dict[str, Any]] = [
    {"modality": 0, "region": None, "cuis": ["C1"], "manual_cuis": []},
    {"modality": 6, "region": 2, "cuis": ["C1", "C2"], "manual_cuis": ["C2"]},
]


@pytest.fixture
def case() -> Case:
    """Two rows of train, whose images are the letters of their ids, and one of test."""
    rows = [row | labels for row, labels in zip(ROWS, LABELS, strict=True)]
    names = {"modality": list("ABCDEFG"), "region": ["chest", "cranium", "spine"]}
    patterns = {"default": {"train": "data/train-*", "test": "data/test-*"}}
    return Case(
        {
            "repository": "rocov2",
            "heavy": "heavy",
            "tars": "tars",
            "patterns": patterns,
            "names": names,
            "rows": {"train": rows, "test": [{"image_id": "c"}]},
            "vocabulary": 3,
        }
    )


def read(**changes: Any) -> list[dict[str, Any]]:
    """The rows as a faithful tool gives them, with `changes` in the first."""
    rows = [row | labels | {"image": row["image_id"].encode()} for row, labels in zip(ROWS, LABELS, strict=True)]
    return [rows[0] | changes, rows[1]]


def test_a_faithful_tool_is_judged_right(case: Case) -> None:
    assert case.judge(read()) == {
        "order": "of the files",
        "images": "equal",
        "texts": "equal",
        "nulls": "None",
        "labels": "numbers",
        "lists": "list",
    }


@pytest.mark.parametrize(
    ("change", "aspect", "outcome"),
    [
        ({"image": {"bytes": b"b", "path": "a.jpg"}}, "images", "1 of 2: differ"),
        ({"image": "a"}, "images", "1 of 2: str instead of bytes"),
        ({"caption": None}, "texts", "1 differ: 'NA' came as None"),
        ({"region": float("nan")}, "nulls", "NaN"),
        ({"region": -(2**63)}, "nulls", f"the number {-(2**63)}"),
        ({"region": -1}, "nulls", "-1"),
        ({"modality": "A"}, "labels", "names or numbers"),
        ({"modality": 1}, "labels", "wrong (1 for 0) or numbers"),
        ({"cuis": ("C9",)}, "lists", "tuple or list; 1 differ"),
        ({"manual_cuis": None}, "lists", "list"),
        ({"manual_cuis": [""]}, "lists", "list; an empty one came as ['']"),
        ({"image_id": "b"}, "order", "1 of 2 missing, 1 repeated, 0 others"),
    ],
)
def test_what_a_tool_changes_is_named(case: Case, change: dict[str, Any], aspect: str, outcome: str) -> None:
    assert case.judge(read(**change))[aspect] == outcome


def test_a_mixture_is_named(case: Case) -> None:
    assert case.judge_mixture(lambda: ["a", "b"]) == "2 rows, train (right)"
    mixed = ["a", "b", "c", "a", None, None, None]
    assert case.judge_mixture(lambda: mixed) == (
        "7 rows, train + test, an image up to 2 times, 3 rows without image_id"
    )
    assert case.judge_mixture(lambda: [ROWS[0]["missing"]]) == "KeyError: 'missing'"
