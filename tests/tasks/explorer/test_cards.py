"""Cards: all that has to be told of an image, and nothing of a row is markup."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from rocov2_tasks.explorer.cards import show_cards
from tests.support.hostile import TEXTS

MARKUP = "<script>document.title = 'owned'</script> & <b>bold</b>"


@pytest.fixture
def row() -> dict[str, Any]:
    return {
        "image_id": "ROCOv2_2023_test_000001",
        "caption": MARKUP,
        "cuis": ["C0040405", "C1266909"],
        "concept_names": ["X-Ray <i>", "C1266909"],
        "modality": "CT",
        "region": None,
        "direction": None,
        "license": "CC BY",
        "attribution": "Ann & Bob <x> (2020)",
        "pmcid": "PMC1",
        "url": "https://example.org/?a=1&b='\"",
        "split": "test",
        "width": 40,
        "height": 32,
    }


def test_a_card_tells_all_and_nothing_of_it_is_markup(row: dict[str, Any]) -> None:
    page = show_cards([row], [b"\xff\xd8"])
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<i>" not in page
    assert "Ann &amp; Bob &lt;x&gt; (2020)" in page
    assert (
        '<a href="https://example.org/?a=1&amp;b=&#x27;&quot;" target="_blank" rel="noopener noreferrer">PMC1</a>'
        in page
    )
    assert "<li>X-Ray &lt;i&gt; <small>C0040405</small></li><li>C1266909</li>" in page
    assert "CT · test · 40 × 32" in page
    assert '<input type="checkbox" aria-label="enlarge ROCOv2_2023_test_000001">' in page
    assert '<img src="data:image/jpeg;base64,/9g=" alt="CT, ROCOv2_2023_test_000001">' in page
    assert 'alt="CT, spine, ROCOv2_2023_test_000001"' in show_cards([row | {"region": "spine"}], [b""])
    assert "tabindex" not in page


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
    page = Elements(show_cards([hostile], [b""]))
    assert page.elements == Elements(show_cards([plain], [b""])).elements
    assert page.text.count(text) >= len(fields) + 2


@pytest.mark.parametrize("url", ["javascript:alert(1)", " javascript:x", "data:text/html,x", "//example.org", ""])
def test_only_web_links_are_links(row: dict[str, Any], url: str) -> None:
    assert "<a " not in show_cards([row | {"url": url}], [b""])


def test_no_rows_are_said_to_be_none() -> None:
    assert "No image" in show_cards([], [])
