"""Text from a release in Markdown: a parser of GitHub's Markdown gives it back as text, wherever it is."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rocov2_build.card.contents import Picture
from rocov2_build.card.markdown import escape_markdown
from tests.support.examples import examples
from tests.support.hostile import TEXTS

MARKDOWN = MarkdownIt("gfm-like", {"html": True})
MORE = [
    "a\n# b",
    "a\n\n---\nb",
    "+ x",
    "12345) x",
    "1234567890. x",
    "===",
    "> quote",
    "```python\nx\n```",
    "~~~",
    "a|b",
]
MORE += ["\\", "\\|", "\\\\| x", "    code", "[^1]", "- [ ] x", "<https://example.org>", "HTTP://EXAMPLE.ORG", "a_b_c"]


def _shown(text: str) -> str:
    return html.escape(" ".join(text.split()), quote=False)


def _render(markdown: str) -> str:
    return str(MARKDOWN.render(markdown)).replace("&quot;", '"')


def _assert_text(text: str) -> None:
    escaped, shown = escape_markdown(text), _shown(text)
    assert _render(escaped) == f"<p>{shown}</p>\n"
    assert f"<tr>\n<td>{shown}</td>\n<td>z</td>\n</tr>" in _render(f"| h | k |\n| --- | --- |\n| {escaped} | z |\n")
    image = _render(Picture("a.png", text).markdown())
    assert image == f'<p><img src="a.png" alt="{shown}" /></p>\n'


@pytest.mark.parametrize("text", [*TEXTS, *MORE])
def test_a_text_arrives_as_text(text: str) -> None:
    _assert_text(text)


@examples(200)
@given(st.text(st.sampled_from("ab1 .)(:/\\`*_[]<>|~&$@#+=-!'\"{}\n"), min_size=1).filter(str.strip))
def test_any_text_arrives_as_text(text: str) -> None:
    _assert_text(text)


def test_ordinary_names_stay_readable() -> None:
    names = [
        "X-Ray Computed Tomography (C0040405)",
        "Foramen Ovale, Patent",
        "PET/CT scan, 2.5 cm",
        "T2-weighted; 50 %",
    ]
    assert [escape_markdown(name) for name in names] == names
