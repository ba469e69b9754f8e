"""A release whose texts look like markup: card, pictures, preview and licence show them as text."""

from __future__ import annotations

import html
from collections import Counter
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from rocov2_build.card.texts import LICENSE, read_text, split_front_matter
from rocov2_build.check import check_repository
from rocov2_build.preview import write_preview
from tests.build.test_preview import Page
from tests.support.hostile import TEXTS, make_hostile
from tests.support.raw import RawRelease

MARKDOWN = MarkdownIt("gfm-like", {"html": True})


def _plain() -> RawRelease:
    """A release of the same size whose texts are plain."""
    release = make_hostile()
    for number, text in enumerate(TEXTS):
        release.names[f"C99{number:05d}"] = f"concept {number}"
        for image in (image for images in release.splits.values() for image in images):
            image.caption = image.caption.replace(text, "plain")
            image.attribution = image.attribution.replace(f" {text} (", " plain (")
    return release


def _build(release: RawRelease, folder: Path) -> Path:
    """Build a repository and its preview."""
    root = release.build(folder / "rocov2", pictures=True)
    write_preview(root, folder / "preview")
    return root


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(make_hostile(), tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(_plain(), tmp_path_factory.mktemp("plain"))


def _outline(markdown: str) -> Counter[str]:
    """How often each kind of token occurs."""
    tokens = MARKDOWN.parse(split_front_matter(markdown)[1])
    every = [part for token in tokens for part in (token, *(token.children or []))]
    return Counter(token.type for token in every if token.type not in ("text", "text_special"))


def test_the_card_has_the_parts_of_any_card(hostile: Path, plain: Path) -> None:
    card = (hostile / "README.md").read_text(encoding="utf-8")
    assert _outline(card) == _outline((plain / "README.md").read_text(encoding="utf-8"))
    shown = MARKDOWN.render(split_front_matter(card)[1]).replace("&quot;", '"')
    names = [text for number, text in enumerate(TEXTS) if f"(C99{number:05d})" in shown]
    assert len(names) >= 8
    for text in names:
        assert f"<td>{html.escape(text, quote=False)} (C99" in shown
    assert split_front_matter(card)[0].keys() == split_front_matter((plain / "README.md").read_text())[0].keys()


def test_the_licences_are_those_of_any_release(hostile: Path, plain: Path) -> None:
    texts = [(root / "LICENSE.md").read_text(encoding="utf-8") for root in (hostile, plain)]
    assert texts[0] == texts[1] != read_text(LICENSE)  # the template, without the licences that occur


def test_the_repository_breaks_no_rule(hostile: Path) -> None:
    assert [violation for violation in check_repository(hostile) if violation.blocks] == []


def test_the_preview_has_the_elements_of_any_preview(hostile: Path, plain: Path) -> None:
    for page in sorted((hostile.parent / "preview").glob("*.html")):
        found = Page(page.read_text(encoding="utf-8"))
        expected = Page((plain.parent / "preview" / page.name).read_text(encoding="utf-8"))
        assert Counter(found.tags) == Counter(expected.tags), page.name
        assert found.links == expected.links
    rows = (hostile.parent / "preview" / "text.html").read_text(encoding="utf-8")
    assert all(f"<td>{html.escape(text)} of a picture" in rows for text in TEXTS[:4])


def test_the_preview_of_a_strangers_card_runs_nothing(hostile: Path, tmp_path: Path) -> None:
    card = hostile / "README.md"
    before = card.read_text(encoding="utf-8")
    try:
        card.write_text(f"{before}\n<script>x()</script>\n\n<img src=x onerror=x()>\n\n[a](javascript:x)\n", "utf-8")
        (hostile / "assets" / "page.html").write_text("<b>x</b>")
        (hostile / "assets" / "secret.png").symlink_to(tmp_path)
        write_preview(hostile, tmp_path / "preview")
    finally:
        card.write_text(before, "utf-8")
        (hostile / "assets" / "page.html").unlink()
        (hostile / "assets" / "secret.png").unlink()
    page = Page((tmp_path / "preview" / "index.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert not any("onerror" in image or image["src"] == "x" for image in page.images)
    assert not any(link.startswith("javascript:") for link in page.links)
    names = {path.name for path in (tmp_path / "preview" / "assets").iterdir()}
    assert "contact_sheet.png" in names
    assert not names & {"page.html", "secret.png"}
