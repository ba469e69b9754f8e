"""The preview: the card as the Hub renders it, the first rows as the viewer shows them, whole in a browser of any width."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
from PIL import Image

import rocov2
from rocov2_build.convert import Conversion, convert
from rocov2_build.preview import MARK, card_page, write_preview
from rocov2_commands.main import run_verb
from rocov2_shared.errors import UserError
from tests.conftest import PROJECT
from tests.support.breaking import rewrite, set_value
from tests.support.jpegs import header_of, remembering, without_rest
from tests.support.raw import make_raw
from tests.support.repositories import files_of


class Page(HTMLParser):
    """Links, pictures, texts of elements, and elements that were opened and not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]
        if tag not in {"img", "meta", "link", "br", "hr"} and not tag.startswith("!"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preview")
    convert(Conversion(PROJECT / "sample", folder / "rocov2", release="any", quiet=True))
    write_preview(folder / "rocov2", folder / "preview")
    return folder / "preview"


def pages(preview: Path) -> dict[str, Page]:
    return {path.stem: Page(path.read_text(encoding="utf-8")) for path in preview.glob("*.html")}


def test_there_is_a_page_of_the_card_and_of_every_configuration(sample: Path) -> None:
    assert pages(sample).keys() == {"index", *rocov2.CONFIGS}


def test_every_picture_and_every_link_to_a_file_is_there(sample: Path) -> None:
    for name, page in pages(sample).items():
        for link in [*page.links, *(image["src"] or "" for image in page.images)]:
            if not link.startswith(("http://", "https://", "#", "mailto:")):
                assert (sample / unquote(link.partition("#")[0])).is_file(), f"{name}: {link}"
        assert all(image.get("alt") for image in page.images), name


def test_the_card_hides_its_front_matter_and_has_its_tables_and_code(sample: Path) -> None:
    text = (sample / "index.html").read_text(encoding="utf-8")
    assert "config_name" not in text
    assert "<!-- block" not in text
    assert {"table", "pre", "h2"} <= set(Page(text).tags)
    assert "by-image" in text


def test_the_rows_are_those_of_the_viewer_with_names(sample: Path) -> None:
    text = (sample / "default.html").read_text(encoding="utf-8")
    table = pq.read_table(sample.parent / "rocov2" / "text" / "validation.parquet")
    for caption in table["caption"].to_pylist():
        assert caption.strip().partition("&")[0].partition("'")[0].partition('"')[0] in text
    assert "class label: 7" in text
    assert ">ultrasound<" in text
    assert 'class="null"' in text


def test_a_caption_is_text_and_never_markup(tmp_path: Path) -> None:
    release = make_raw(train=2, valid=1, test=1)
    release.image("train", 0).caption = "<script>alert(1)</script> & <b>bold</b>"
    convert(Conversion(release.write(tmp_path / "raw"), tmp_path / "rocov2", release="any", quiet=True))
    write_preview(tmp_path / "rocov2", tmp_path / "preview")
    for path in (tmp_path / "preview").glob("*.html"):
        assert "<script" not in path.read_text(encoding="utf-8"), path.name
    assert "&lt;script&gt;" in (tmp_path / "preview" / "text.html").read_text(encoding="utf-8")


def test_markdown_is_that_of_the_hub() -> None:
    text = card_page(
        "---\npretty_name: P\ntags: [a, b]\n---\n# T\n\n| a | b |\n| --- | --- |\n| ~~x~~ | `y` |\n\n- <https://e.org>\n"
    )
    assert "<table>" in text
    assert "<s>x</s>" in text
    assert "<dd>a, b</dd>" in text
    assert '<a href="https://e.org">' in text


def test_a_preview_is_replaced_and_nothing_else(sample: Path, tmp_path: Path) -> None:
    repository, preview = sample.parent / "rocov2", tmp_path / "preview"
    write_preview(repository, preview)
    (preview / "index.html").write_text("old")
    write_preview(repository, preview)
    assert (preview / "index.html").read_bytes() == (sample / "index.html").read_bytes()
    (preview / "notes.html").write_text("mine")
    with pytest.raises(UserError) as caught:
        write_preview(repository, preview)
    assert str(caught.value) == (
        f"{preview} contains 1 file or folder that no preview made (notes.html): move them, or name another folder"
    )
    (preview / MARK).unlink()  # somebody's website, which has a preview.css as well
    before = files_of(preview)
    with pytest.raises(UserError, match="preview exists and is not a preview: choose another folder, or move it"):
        write_preview(repository, preview)
    (preview / MARK).write_text("[]")
    with pytest.raises(UserError, match="is not a preview"):
        write_preview(repository, preview)
    assert files_of(preview).items() >= before.items()
    with pytest.raises(UserError, match=r"README\.md is missing"):
        write_preview(tmp_path / "nowhere", tmp_path / "other")


def test_a_preview_is_not_made_inside_the_repository_or_around_it(sample: Path) -> None:
    repository = sample.parent / "rocov2"
    before = sorted(sample.parent.rglob("*"))
    for preview in (repository, repository / "preview", repository.parent):
        with pytest.raises(UserError, match="name a folder outside for PREVIEW"):
            write_preview(repository, preview)
    assert sorted(sample.parent.rglob("*")) == before


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", ["index", *rocov2.CONFIGS])
def test_a_browser_shows_all_of_it(sample: Path, chrome: Any, page: str, width: int) -> None:
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    chrome.get((sample / f"{page}.html").as_uri())
    images = (
        "return [...document.images].map(image => (image.loading = 'eager', image.decode().then(() => 0, () => 1)))"
    )
    assert not any(chrome.execute_script(f"return Promise.all({images.removeprefix('return ')})"))
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert chrome.get_screenshot_as_png().startswith(b"\x89PNG")


def test_an_image_that_does_not_decode_is_named_and_the_others_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = make_raw(train=3, valid=1, test=1)
    damaged = release.image("train", 1)
    damaged.data = without_rest(damaged.data)
    release.build(tmp_path / "rocov2", verify="none")
    monkeypatch.setattr("sys.argv", ["rocov2", str(tmp_path / "rocov2"), str(tmp_path / "preview")])
    with pytest.raises(SystemExit) as stop:
        run_verb("preview")
    told = capsys.readouterr().err
    assert (stop.value.code, told.count("\n")) == (0, 1)
    assert told.startswith(f"Noted     {damaged.id} does not decode (")
    shown = pages(tmp_path / "preview")["default"].images
    assert {image["alt"] for image in shown} == {
        f"{image.id}.jpg" for images in release.splits.values() for image in images if image is not damaged
    }


def test_an_image_that_no_decoder_may_get_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = make_raw(train=3, valid=1, test=1).build(tmp_path / "rocov2")
    (shard,) = (repository / "data").glob("train-*-commercial*")
    rewrite(repository, shard.relative_to(repository).as_posix(), set_value("image", 0, picture(header_of(0xC3))))
    opened: list[bytes] = []
    monkeypatch.setattr(Image, "open", remembering(Image.open, opened))
    undecoded = write_preview(repository, tmp_path / "preview")
    assert list(undecoded.values()) == ["JPEG process lossless Huffman (SOF3)"]
    assert opened
    assert header_of(0xC3) not in opened


def picture(data: bytes) -> dict[str, object]:
    return {"bytes": data, "path": "x.jpg"}
