"""The page in a browser: what it shows for what is chosen, typed and turned, and where it asks for it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from tests.support.explorer import Page, served
from tests.support.raw import make_raw
from tests.tasks.test_explore import with_gradio

pytestmark = pytest.mark.slow

MARKUP = "<script>document.title = 'owned'</script> & <b>bold</b>"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    release = make_raw(train=40, valid=8, test=8, side=200)
    release.image("valid", 0).caption = MARKUP
    return release.build(tmp_path_factory.mktemp("page") / "rocov2")


@pytest.fixture(scope="module")
def address(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(repository, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture
def page(chrome: Any, address: str) -> Page:
    return Page(chrome, address)


def ids_of(repository: Path, filter: Filter, offset: int = 0) -> list[str]:
    return [row["image_id"] for row in Collection(repository).rows(filter, offset, 12)]


@with_gradio
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_all_of_it_and_asks_no_other_host(chrome: Any, address: str, width: int, scheme: str) -> None:
    chrome.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page = Page(chrome, address)
    images = "[...document.querySelectorAll('.card img')].map(image => image.decode().then(() => image.naturalWidth))"
    assert all(width >= 200 for width in chrome.execute_script(f"return Promise.all({images})"))
    assert len(page.ids) == 12
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    dark = chrome.execute_script("return document.body.classList.contains('dark')")
    assert dark == (scheme == "dark")
    require_only_own_requests(chrome, address)


def require_only_own_requests(chrome: Any, address: str) -> None:
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@with_gradio
def test_a_browser_asks_no_other_host_of_a_space(chrome: Any, repository: Path, tmp_path: Path) -> None:
    with served(repository, tmp_path, SYSTEM="spaces", SPACE_ID="org/explorer") as address:
        Page(chrome, address)
        time.sleep(1)  # for what Gradio asks for when the page is there
        require_only_own_requests(chrome, address)


@with_gradio
def test_a_browser_may_ask_no_other_host(address: str) -> None:
    with urlopen(address) as answer:  # noqa: S310
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy.keys() == {"default-src", "connect-src"}
    for allowed in policy.values():
        assert not [source for source in allowed.split() if source not in ("data:", "blob:") and source[0] != "'"]
        assert "'self'" in allowed


@with_gradio
def test_pages_are_turned(page: Page, repository: Path) -> None:
    page.wait_for("56 images of 56 · page 1 of 5")
    assert page.ids == ids_of(repository, Filter())
    page.element("#next").click()
    page.wait_for("page 2 of 5")
    assert page.ids == ids_of(repository, Filter(), 12)
    page.element("#next-below").click()
    page.wait_for("page 3 of 5")
    page.element("#previous").click()
    page.wait_for("page 2 of 5")
    number = page.element("#page input")
    number.clear()
    number.send_keys("99\ue007")
    page.wait_for("page 5 of 5")
    assert page.ids == ids_of(repository, Filter(), 48)
    page.element("#next").click()
    page.element("#random").click()
    page.wait("return document.querySelectorAll('.card').length > 0")


@with_gradio
def test_filters_find_what_the_search_finds(page: Page, repository: Path) -> None:
    page.choose("modality", "X-ray")
    page.choose("concepts", "C0817096")
    wanted = Filter(modalities=("X-ray",), cuis=("C0817096",))
    count = Collection(repository).count(wanted)
    assert 12 < count < 56
    page.wait_for(f"{count} images of 56 · page 1")
    assert page.ids == ids_of(repository, wanted)
    page.choose("split", "test")
    page.element("#commercial input").click()
    wanted = Filter(("test",), ("X-ray",), commercial=True, cuis=("C0817096",))
    page.wait_for(f"{Collection(repository).count(wanted)} image")
    assert page.ids == ids_of(repository, wanted)


@with_gradio
def test_a_concept_is_found_by_its_name(page: Page, repository: Path) -> None:
    page.choose("concepts", "radionuclide")
    wanted = Filter(cuis=("C0034606",))
    page.wait_for(f"{Collection(repository).count(wanted)} images of 56")
    assert page.ids == ids_of(repository, wanted)


@with_gradio
def test_text_is_searched_and_copied_as_code(page: Page, repository: Path) -> None:
    page.type("<SCRIPT> '\ue007")
    page.wait_for("1 image of 56")
    assert page.element(".card .caption").text == MARKUP
    assert page.driver.title == "ROCOv2 explorer"
    page.element("#code button").click()
    collection, filter = Collection(repository), Filter(text="<script> '")
    page.wait("return document.querySelector('#python .cm-content')?.innerText.includes('script')")
    assert page.code("python").split() == collection.python(filter).split()
    page.element("#code [role=tab]:nth-of-type(2)").click()
    page.wait("return document.querySelector('#sql .cm-content')?.innerText.includes('script')")
    assert page.code("sql").split() == collection.sql(filter).split()


@with_gradio
def test_nothing_found_is_said(page: Page) -> None:
    page.type("nosuchword\ue007")
    page.wait_for("0 images of 56 · page 1 of 1")
    assert "No image" in page.element("#cards").text


@with_gradio
def test_the_nearest_page_of_any_number_is_shown(page: Page, repository: Path) -> None:
    for typed, at in (("99", 5), ("0", 1), ("3", 3), ("-7", 1)):
        number = page.element("#page input")
        number.clear()
        number.send_keys(f"{typed}\ue007")
        page.wait_for(f"page {at} of 5")
        assert page.ids == ids_of(repository, Filter(), (at - 1) * 12)
    assert page.driver.find_elements("css selector", ".toast-body") == []


@with_gradio
def test_next_goes_on_from_what_is_shown(page: Page, repository: Path) -> None:
    page.element("#next").click()
    page.wait_for("page 2 of 5")
    page.element("#page input").send_keys("4")  # 24, and no Enter
    page.element("#next").click()
    page.wait_for("page 3 of 5")
    page.type("*e*")  # and no Enter: a search begins at its first page
    page.element("#next").click()
    found = Collection(repository).count(Filter(text="*e*"))
    assert 12 < found < 56
    page.wait_for(f"{found} images of 56 · page 1 of")
    page.element("#next").click()
    page.wait_for("page 2 of")
    assert page.ids == ids_of(repository, Filter(text="*e*"), 12)


@with_gradio
def test_too_many_words_are_told_and_change_nothing(page: Page) -> None:
    page.type(" ".join(f"w{number}" for number in range(70)) + "\ue007")
    page.wait(
        "return document.querySelector('.toast-body')?.innerText.includes('at most 64 words and phrases, got 70')"
    )
    assert page.found == "56 images of 56 · page 1 of 5"
    page.element("#text input").clear()
    page.type("x" * 2_010)
    assert len(page.element("#text input").get_attribute("value")) == 2_000


@with_gradio
def test_the_address_leads_to_what_is_shown(page: Page, address: str, repository: Path) -> None:
    assert page.query == ""
    page.choose("modality", "X-ray")
    wanted = Filter(modalities=("X-ray",))
    page.wait_for(f"{Collection(repository).count(wanted)} images of 56 · page 1")
    page.wait("return location.search === '?modality=X-ray'")
    page.element("#next").click()
    page.wait_for("page 2 of")
    page.wait("return location.search === '?modality=X-ray&at=2'")
    page.driver.refresh()
    page.wait_for("page 2 of")
    assert page.ids == ids_of(repository, wanted, 12)
    assert "X-ray" in page.element("#modality").text
    page.driver.back()
    page.wait_for("page 1 of")
    assert page.ids == ids_of(repository, wanted)
    page.element("#modality .token-remove").click()
    page.wait_for("56 images of 56 · page 1 of 5")
    page.wait("return location.search === ''")


@with_gradio
def test_a_link_fills_the_fields(chrome: Any, address: str, repository: Path) -> None:
    link = "?text=%22a%22+e&concept=C0034606&split=train&split=test&commercial=1&per_page=24&at=9"
    page = Page(chrome, address + link, cards=0)
    wanted = Filter(("train", "test"), commercial=True, cuis=("C0034606",), text='"a" e')
    count = Collection(repository).count(wanted)
    page.wait_for(f"{count} image")
    assert page.element("#text input").get_attribute("value") == '"a" e'
    assert page.element("#commercial input").is_selected()
    assert page.element("#per-page input:checked").get_attribute("value") == "24"
    assert [text in page.element("#split").text for text in ("train", "validation", "test")] == [True, False, True]


@with_gradio
def test_a_link_to_what_is_not_there_shows_all(chrome: Any, address: str) -> None:
    page = Page(chrome, address + "?modality=radar&at=2")
    page.wait_for("56 images of 56 · page 1 of 5")
    page.wait("return document.querySelector('.toast-body')?.innerText.includes('radar')")
    page.wait("return location.search === ''")
