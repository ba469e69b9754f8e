"""Lists of curated concepts: the labels that they mean, and what no release can have."""

from __future__ import annotations

import pytest

import rocov2
from rocov2_build.raw.curated import find_code_faults, read_meaning
from tests.support.raw import MANUAL


@pytest.mark.parametrize(("codes", "modality", "region", "direction"), MANUAL)
def test_a_list_means_its_labels(codes: list[str], modality: str, region: str | None, direction: str | None) -> None:
    meaning = read_meaning(codes)
    labels = {"modality": modality, "region": region, "direction": direction}
    for column, label in meaning.labels.items():
        assert (None if label is None else rocov2.FEATURES[column].int2str(label)) == labels[column]
    assert find_code_faults(codes, meaning) == []


@pytest.mark.parametrize(
    ("codes", "problems"),
    [
        (["C0000001"], ["unknown-manual-code", "no-modality"]),
        (["C0040405", "C1306645"], ["two-modalities"]),
        (["C0817096"], ["no-modality"]),
        (["C0040405", "C1"], []),  # malformed: a problem of its own
    ],
)
def test_codes_that_no_list_can_have_are_problems(codes: list[str], problems: list[str]) -> None:
    assert [fault.code for fault in find_code_faults(codes, read_meaning(codes))] == problems
