"""Addresses: a view comes back from its own, and what a link asks for is there or is refused."""

from __future__ import annotations

import re

import pytest

from rocov2_tasks.explorer.address import View, link_to, read_address, write_address
from rocov2_tasks.explorer.filters import Filter

CHOICES = {
    "modalities": ["CT", "X-ray"],
    "regions": ["chest", "spine"],
    "licenses": ["CC BY", "CC BY-NC"],
    "directions": ["AP"],
    "config": ["default", "commercial"],
    "splits": ["train", "test"],
    "cuis": ["C0040405", "C0034606"],
}
FULL = Filter(
    ("test", "train"),
    ("X-ray",),
    ("spine", "chest"),
    ("CC BY",),
    True,
    ("C0034606",),
    'a "b & c" ü #?=',
    ("AP",),
    "commercial",
)


@pytest.mark.parametrize(
    "view",
    [
        View(Filter()),
        View(FULL, 17, 24),
        View(FULL),
        View(Filter(text="0")),
        View(Filter(commercial=True), 2),
        View(FULL, 4, 24, 73),
        View(Filter(), 1, 12, 12),
    ],
    ids=str,
)
def test_a_view_comes_back_from_its_address(view: View) -> None:
    assert read_address(write_address(view), CHOICES) == view


def test_an_address_says_only_what_is_asked_for() -> None:
    assert write_address(View(Filter())) == ""
    assert write_address(View(Filter(modalities=("CT", "X-ray")), 3)) == "?modality=CT&modality=X-ray&at=3"


@pytest.mark.parametrize(
    ("query", "view"),
    [
        ("?__theme=dark", View(Filter())),
        ("?at=0&per_page=13", View(Filter())),
        ("?at=-1&per_page=x", View(Filter())),
        ("?at=" + "9" * 50, View(Filter())),
        ("?at=²", View(Filter())),
        ("?view=0&page=7", View(Filter())),
        ("?view=13&at=9", View(Filter(), 2, 12, 13)),
        ("?view=" + "9" * 50, View(Filter())),
        ("?modality=CT&modality=CT&at=4", View(Filter(modalities=("CT",)), 4)),
        ("?commercial=0", View(Filter())),
        ("", View(Filter())),
    ],
)
def test_what_is_no_number_or_no_name_is_let_be(query: str, view: View) -> None:
    assert read_address(query, CHOICES) == view


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?modality=MRI", "invalid link: this repository has no modality 'MRI'"),
        ("?direction=up", "invalid link: this repository has no direction 'up'"),
        ("?config=text", "invalid link: this repository has no config 'text'"),
        ("?split=valid", "invalid link: this repository has no split 'valid'"),
        ("?concept=<b>", "invalid link: this repository has no concept '<b>'"),
        ("?text=" + "x" * 3_000, "text: at most 2,000 characters, got 3,000"),
    ],
)
def test_what_is_not_there_is_refused(query: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_address(query, CHOICES)


@pytest.mark.parametrize(("row", "page"), [(1, 1), (12, 1), (13, 2), (25, 3), (0, 7)])
def test_an_enlarged_image_is_on_the_page_that_has_it(row: int, page: int) -> None:
    assert View(Filter(), 7).enlarge(row) == View(Filter(), page, 12, row)


def test_a_link_leads_from_the_page_to_a_view() -> None:
    assert link_to(View(Filter())) == "./"
    assert link_to(View(Filter(text="a b"), 2)) == "?text=a+b&at=2"
    assert link_to(View(Filter()), "ids.csv") == "ids.csv"
    assert link_to(View(Filter(commercial=True)), "random") == "random?commercial=1"
