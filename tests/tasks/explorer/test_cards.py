"""Cards and enlarged images: all that has to be said of an image, and nothing of a row is markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from rocov2_tasks.explorer.cards import Links, show_cards, show_row
from tests.support.hostile import TEXTS

MARKUP = "<script>document.title = 'owned'</script> & <b>bold</b>"
LINKS = Links(
    picture=lambda row: f"image/{row['row']}.jpg?a&b",
    enlarge=lambda position: f"?view={position}&at=1",
    concept=lambda cui: f"?concept={cui}&x" if cui in ("C0040405", "C1266909") else None,
    article=lambda pmcid: (f"?text={pmcid}&y", 2) if pmcid == "PMC1" else None,
)


@pytest.fixture
def row() -> dict[str, Any]:
    return {
        "image_id": "ROCOv2_2023_test_000001",
        "caption": MARKUP,
        "cuis": ["C0040405", "C1266909", "C0000001"],
        "concept_names": ["X-Ray <i>", "C1266909", "other"],
        "modality": "CT",
        "region": None,
        "direction": None,
        "license": "CC BY",
        "attribution": "Ann & Bob <x> (2020)",
        "pmcid": "PMC1",
        "url": "https://example.org/?a=1&b='\"",
        "split": "test",
        "row": 7,
        "width": 40,
        "height": 32,
    }


def both(row: dict[str, Any]) -> tuple[str, str]:
    """The card of a row, and the row enlarged."""
    return show_cards([row], 5, LINKS), show_row(row, 5, 9, LINKS, "?at=1&z")


def test_a_card_and_an_enlarged_image_say_all_and_nothing_of_it_is_markup(row: dict[str, Any]) -> None:
    for page in both(row):
        assert "&lt;script&gt;" in page
        assert "<script" not in page
        assert "<i>" not in page
        assert "Ann &amp; Bob &lt;x&gt; (2020)" in page
        assert (
            '<a href="https://example.org/?a=1&amp;b=&#x27;&quot;" target="_blank" rel="noopener noreferrer">PMC1</a>'
            in page
        )
        assert (
            '<li><a href="?concept=C0040405&amp;x">X-Ray &lt;i&gt; <small>C0040405</small></a></li>'
            '<li><a href="?concept=C1266909&amp;x">C1266909</a></li><li>other <small>C0000001</small></li>' in page
        )
        assert 'CT · test<span class="size"> · 40 × 32</span>' in page
        assert '<img src="image/7.jpg?a&amp;b" alt="CT, ROCOv2_2023_test_000001"' in page
        assert '<a href="?text=PMC1&amp;y">2 other images of this article</a>' in page
        assert "tabindex" not in page
    card, enlarged = both(row | {"region": "spine", "pmcid": "PMC2"})
    assert 'alt="CT, spine, ROCOv2_2023_test_000001"' in card
    assert "of this article" not in card + enlarged


def test_a_card_is_enlarged_by_a_link_and_so_is_a_long_caption(row: dict[str, Any]) -> None:
    card = show_cards([row, row | {"caption": "word " * 60}], 5, LINKS)
    assert (
        '<a class="picture" id="image-5" href="?view=5&amp;at=1" aria-label="enlarge ROCOv2_2023_test_000001">' in card
    )
    assert (
        card.count('aria-label="whole caption of ROCOv2_2023_test_000001"')
        == card.count('<a href="?view=6&amp;at=1"')
        == 1
    )


@pytest.mark.parametrize(("position", "before", "after"), [(1, False, True), (5, True, True), (9, True, False)])
def test_an_enlarged_image_leads_to_the_one_before_and_after(
    row: dict[str, Any], position: int, before: bool, after: bool
) -> None:
    enlarged = show_row(row, position, 9, LINKS, "?at=1&z")
    assert (f'rel="prev" href="?view={position - 1}&amp;at=1"' in enlarged) is before
    assert (f'rel="next" href="?view={position + 1}&amp;at=1"' in enlarged) is after
    assert enlarged.count('aria-disabled="true"') == 2 - before - after
    assert 'id="view-close" href="?at=1&amp;z"' in enlarged
    assert f"{position} of 9" in enlarged


def test_a_size_that_is_unknown_is_left_to_the_page(row: dict[str, Any]) -> None:
    del row["width"], row["height"]
    assert all('<span class="size"></span>' in page for page in both(row))


class Elements(HTMLParser):
    """Elements with the names of their attributes, and what is shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_of_a_row_adds_an_element_or_an_attribute(row: dict[str, Any], text: str) -> None:
    fields = ("image_id", "caption", "modality", "region", "direction", "license", "attribution", "pmcid", "split")
    hostile = (
        row | dict.fromkeys(fields, text) | {"cuis": [text], "concept_names": [f"{text}!"], "url": "https://" + text}
    )
    plain = row | dict.fromkeys(fields, "x") | {"cuis": ["x"], "concept_names": ["x!"], "url": "https://x"}
    for page, expected in zip(both(hostile), both(plain), strict=True):
        assert Elements(page).elements == Elements(expected).elements
        assert Elements(page).text.count(text) >= len(fields) + 2


@pytest.mark.parametrize("url", ["javascript:alert(1)", " javascript:x", "data:text/html,x", "//example.org", ""])
def test_only_web_links_are_links(row: dict[str, Any], url: str) -> None:
    for page in both(row | {"url": url}):
        assert 'target="_blank" rel="noopener' not in page


def test_no_rows_are_said_to_be_none() -> None:
    assert "No image" in show_cards([], 1, LINKS)
