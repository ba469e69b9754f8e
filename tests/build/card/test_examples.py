"""Real rows on the card: they are shown as they are, and the quick start prints what the card shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from rocov2 import COLUMNS
from rocov2_build.card.contents import Contents, Picture, SplitSize
from rocov2_build.card.examples import examples_block, output_block, row_block
from tests.support.blocks import find_blocks, run_block
from tests.support.raw import RawRelease, make_raw


def row(**changes: Any) -> dict[str, Any]:
    return {
        "image_id": "ROCOv2_2023_train_000001",
        "caption": "A [caption](x) | of <b>one</b> image",
        "cuis": ["C0040405", "C1"],
        "modality": 0,
        "concept_names": ["X-Ray Computed Tomography", "a `b`"],
        "manual_cuis": [],
        "region": None,
        "direction": 2,
        "license": "CC BY",
        "attribution": "Doe et al. (2020)",
        "pmcid": "PMC1",
        "url": "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1",
        "article_in_other_split": True,
        "width": 300,
        "height": 200,
        **changes,
    }


def contents(shown: list[dict[str, Any]], first: dict[str, Any] | None = None, **modality: int) -> Contents:
    sizes = {"default": {"train": SplitSize(5, 1, 1), "test": SplitSize(2, 1, 1)}}
    facts: Any = {"modality": {name: {"train": count} for name, count in modality.items()}}
    sheet = Picture("assets/contact_sheet.png", "Examples") if shown else None
    return Contents(sizes, "1", None, {"default": "0"}, facts, {}, first, sheet, shown)


def cells(block: str) -> list[list[str]]:
    """The cells of the rows of a table, as a reader of Markdown understands them."""
    html = MarkdownIt("gfm-like", {"linkify": False}).render(block)
    return [re.findall(r"<td>(.*?)</td>", line, re.DOTALL) for line in html.split("<tr>")[2:]]


def test_captions_are_linked_to_their_articles_below_the_sheet() -> None:
    block = examples_block(contents([row(), row(url="javascript:x", caption="two")], CT=2))
    assert block.startswith("![Examples](assets/contact_sheet.png)\n\n| | caption, linked to its article | credit |\n")
    link = '<a href="https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1">'
    assert cells(block) == [
        ["1", f"{link}A [caption](x) | of &lt;b&gt;one&lt;/b&gt; image</a>", "Doe et al. (2020), CC BY"],
        ["2", "two", "Doe et al. (2020), CC BY"],
    ]


def test_the_modalities_that_the_sheet_lacks_are_named() -> None:
    assert "no image of" not in examples_block(contents([row()], CT=5, PET=0))
    assert "The sheet has no image of PET and combined: it " in examples_block(
        contents([row()], CT=5, PET=1, combined=2)
    )
    assert examples_block(contents([])) == ""


def test_one_row_is_shown_with_all_its_columns() -> None:
    block = row_block(contents([row()], row(caption="first")))
    assert block.startswith("Image 1 as a row:\n")
    found = {re.sub("<.*?>", "", name): value for name, value in cells(block)}
    assert list(found) == list(COLUMNS)
    url = "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1"
    assert {
        name: found[name] for name in ("image", "modality", "region", "direction", "manual_cuis", "url", "cuis")
    } == {
        "image": "the picture, 300 × 200 pixels",
        "modality": "0 (CT)",
        "region": "null",
        "direction": "2 (sagittal)",
        "manual_cuis": "an empty list",
        "url": f'<a href="{url}">{url}</a>',
        "cuis": "C0040405, C1",
    }
    assert found["article_in_other_split"] == "true"


def test_without_a_sheet_the_first_row_is_shown() -> None:
    block = row_block(contents([], row(caption="first")))
    assert block.startswith("The first row of train:\n")
    assert "| `caption` | first |" in block
    assert row_block(contents([])) == ""


@pytest.mark.parametrize("caption", ["plain", "```\n# x", "a ```` b", "\x1b[31m"])
def test_no_caption_ends_the_block_of_the_output(caption: str) -> None:
    block = output_block(contents([], row(caption=caption)))
    (token,) = MarkdownIt().parse(block)
    assert token.type == "fence"
    assert "\x1b" not in token.content
    assert token.content.startswith("{'train': 5, 'test': 2}\n(300, 200) CT CC BY\n")


@pytest.fixture(scope="module")
def release() -> RawRelease:
    return make_raw(train=12, valid=3, test=3)


@pytest.mark.slow
@pytest.mark.parametrize("splits", [(), ("validation", "test")], ids=["all", "without train"])
def test_the_programs_of_a_built_card_run_and_print_what_it_shows(
    splits: tuple[str, ...], release: RawRelease, tmp_path: Path, environment: dict[str, str]
) -> None:
    card = (release.build(tmp_path / "rocov2", splits=splits) / "README.md").read_text()
    (shown,) = find_blocks(card, "text")
    # All in one process, for speed: each has its own imports.
    assert run_block("\n".join(find_blocks(card, "python")), tmp_path, environment).startswith(shown)
