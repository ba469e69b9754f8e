"""The card's fixed sentences: each number in them is one that the project has elsewhere, or that has a source."""

from __future__ import annotations

import re

from rocov2_build.card.croissant_rai import RAI
from rocov2_build.card.texts import TEMPLATE, read_text, split_front_matter
from rocov2_build.raw.releases import FILES, RELEASES

_, BODY = split_front_matter(read_text(TEMPLATE))
PROSE = " ".join(re.sub(r"^```.*?^```$", "", BODY, flags=re.MULTILINE | re.DOTALL).split())


def test_numbers_of_the_releases() -> None:
    train = RELEASES["2.0.1"].images["train"]
    assert f"four rows in train that are not in release 2.0.1 ({train + 4:,} instead of {train:,})" in PROSE
    assert f"made from the release's {len(FILES)} files" in PROSE


def test_numbers_of_the_paper() -> None:
    collection, tools = str(RAI["dataCollection"]), str(RAI["machineAnnotationTools"])
    assert "accuracy of about 90 % (compound figures) and 98.6 % (radiology)" in PROSE
    assert "accuracy about 90 %" in collection
    assert "98.6 %" in collection
    assert "MedCAT 1.10.0" in PROSE
    assert "MedCAT 1.10.0" in tools


def test_the_card_says_this_one_of_no_release_and_nothing_else_that_depends_on_the_build() -> None:
    assert "this one" not in PROSE
    assert "the latest" not in PROSE
    assert "SHA-256" not in PROSE.replace("rows, bytes and SHA-256 of every file", "")
    assert "fair sample is" not in PROSE


def test_other_numbers_have_a_source_or_are_versions() -> None:
    """A new number in a sentence needs a line here: where it comes from, or the test that compares it."""
    numbers = set(
        re.findall(r"(?<![\w.@-])\d[\d,.]*\d(?!\w)|(?<![\w.@-])\d(?!\w)", re.sub(r"`[^`]*`|\]\([^)]*\)", "", PROSE))
    )
    known = {
        *{"59,962", "59,958", "14", "2.0.1", "90", "98.6", "1.10.0"},  # tests above
        "18.6",  # GB of the Hub's copy: sizes of its files
        "49",  # % of a public matcher: its README
        *{"6,742", "1.5", "5.5"},  # figures whose metadata were looked at
        *{"2024", "2025", "1"},  # years of ImageCLEFmedical Caption, and the release that they overlap with
        *{"8", "3", "5", "1.1"},  # bits of a JPEG; versions of datasets and of Croissant
    }
    assert numbers <= known, numbers - known
