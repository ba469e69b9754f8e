"""Ids of images, articles and concepts: what each pattern takes, and what it does not."""

from __future__ import annotations

import re

import pytest

from rocov2_shared.ids import CUI, PMCID, image_id_pattern, is_cui, is_link_to


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        (
            image_id_pattern("valid"),
            ["ROCOv2_2023_valid_012345"],
            [
                "ROCOv2_2023_train_012345",
                "ROCOv2_2023_valid_12345",
                "ROCOv2_2023_valid_0123456",
                "ROCOv2_2023_valid_٠١٢٣٤٥",
                "rocov2_2023_valid_012345",
            ],
        ),
        (
            image_id_pattern("train", "valid"),
            ["ROCOv2_2023_train_000001", "ROCOv2_2023_valid_000001"],
            ["ROCOv2_2023_test_000001", "ROCOv2_2023_train"],
        ),
        (PMCID, ["PMC1", "PMC4608653"], ["", "PMC", "4608653", "pmc1", "PMC1 ", "PMC١"]),
        (CUI, ["C0040405"], ["", "C004040", "C00404055", "c0040405", "C0040405\n", "C٠١٢٣٤٥٦"]),
    ],
    ids=["image of a split", "image of several splits", "article", "concept"],
)
def test_a_pattern_takes_the_ids_of_its_kind_and_no_others(
    pattern: re.Pattern[str], right: list[str], wrong: list[str]
) -> None:
    assert [text for text in right + wrong if pattern.fullmatch(text)] == right


def test_is_cui_asks_for_the_whole_text() -> None:
    assert is_cui("C0040405")
    assert not is_cui("C0040405 ")


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC12", True),
        ("http://europepmc.org/PMC12/", True),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC123", False),
        ("https://www.ncbi.nlm.nih.gov/pmc/articles/PMC12?x", False),
        ("https://www.ncbi.nlm.nih.gov/pmc/ articles/PMC12", False),
        ("https:///PMC12", False),
        ("https://PMC12", False),
        ("javascript:alert(1)//a/PMC12", False),
        ("", False),
    ],
)
def test_a_link_is_one_to_its_article(url: str, is_link: bool) -> None:
    assert is_link_to(url, "PMC12") is is_link
