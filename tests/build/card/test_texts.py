"""The texts of the card and their markers."""

from __future__ import annotations

import pytest

from rocov2_build.card.texts import INTRODUCTION, fill, sections, split_front_matter

TEXT = """---
a: 1
---

# Title

Two
lines.

<!-- block: x -->

## One

Text.

<!-- block: y -->

## Two words

More.
"""


def test_a_block_replaces_its_marker_and_an_empty_one_leaves_no_trace() -> None:
    _, body = split_front_matter(TEXT)
    filled = fill(body, {"x": "XX", "y": ""})
    assert filled == "\n# Title\n\nTwo\nlines.\n\nXX\n\n## One\n\nText.\n\n## Two words\n\nMore.\n"


def test_sections_by_heading() -> None:
    found = sections(TEXT)
    assert list(found) == [INTRODUCTION, "One", "Two words"]
    assert found[INTRODUCTION] == "Two\nlines."
    assert found["One"] == "## One\n\nText.\n\n<!-- block: y -->"


@pytest.mark.parametrize("block", ["YY", ""])
def test_a_section_is_filled_too(block: str) -> None:
    page = fill("<!-- section: One -->\n\nEnd.\n", {"y": block}, sections(TEXT))
    assert page == f"## One\n\nText.\n\n{f'{block}{chr(10) * 2}' if block else ''}End.\n"


def test_a_block_may_contain_backslashes_and_markers() -> None:
    assert fill("<!-- block: x -->\n", {"x": r"a\1 <!-- block: y -->"}) == "a\\1 <!-- block: y -->\n"


@pytest.mark.parametrize("kind", ["block", "section"])
def test_an_unknown_marker_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"unknown {kind} 'z': expected one of"):
        fill(f"<!-- {kind}: z -->\n", {"x": ""}, {"y": ""})


@pytest.mark.parametrize("yaml", ["a: [", "- a", "text"])
def test_yaml_that_is_not_a_mapping_is_refused(yaml: str) -> None:
    with pytest.raises(ValueError, match=r"mapping|flow|expected"):
        split_front_matter(f"---\n{yaml}\n---\nText\n")
