"""The page in a browser: what it shows for what is chosen, typed and turned, and where it asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from tests.support.explorer import Page, served
from tests.support.raw import make_raw
from tests.tasks.test_explore import with_duckdb

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


@with_duckdb
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_shows_all_of_it_and_asks_no_other_host(chrome: Any, address: str, width: int, scheme: str) -> None:
    page = Page(chrome, address, width=width, scheme=scheme)
    chrome.execute_script("document.querySelectorAll('img').forEach(image => (image.loading = 'eager'))")
    images = "[...document.querySelectorAll('.card img')].map(image => image.decode().then(() => image.naturalWidth))"
    assert all(width >= 200 for width in chrome.execute_script(f"return Promise.all({images})"))
    assert len(page.ids) == 12
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    back = chrome.execute_script("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(back) < 60) if scheme == "dark" else (min(back) > 200)
    assert page.element("#more").get_attribute("open") == ("true" if width > 800 else None)
    page.element(".card .picture").click()
    page.wait("return document.querySelector('dialog:modal')")
    assert chrome.execute_script("return document.querySelector('dialog').scrollWidth") <= width
    require_only_own_requests(chrome, address)


def require_only_own_requests(chrome: Any, address: str) -> None:
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


@with_duckdb
def test_a_browser_asks_no_other_host_of_a_space(chrome: Any, repository: Path, tmp_path: Path) -> None:
    with served(repository, tmp_path, SYSTEM="spaces", SPACE_ID="org/explorer") as address:
        Page(chrome, address)
        require_only_own_requests(chrome, address)


@with_duckdb
def test_a_browser_may_ask_no_other_host(address: str) -> None:
    with urlopen(address) as answer:  # noqa: S310
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    for allowed in policy.values():
        assert set(allowed.split()) <= {"'self'", "'none'", "data:"}


@with_duckdb
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
    number = page.element("#page")
    number.clear()
    number.send_keys("99\ue007")
    page.wait_for("page 5 of 5")
    assert page.ids == ids_of(repository, Filter(), 48)
    page.element("#random").click()
    page.wait("return document.querySelectorAll('.card').length > 0")


@with_duckdb
def test_filters_find_what_the_search_finds(page: Page, repository: Path) -> None:
    page.choose("modality", "X-ray")
    page.wait("return location.search === '?modality=X-ray'")
    page.choose_concept("C0817096")
    wanted = Filter(modalities=("X-ray",), cuis=("C0817096",))
    count = Collection(repository).count(wanted)
    assert 12 < count < 56
    page.wait_for(f"{count} images of 56 · page 1")
    assert page.ids == ids_of(repository, wanted)
    page.choose("split", "test")
    page.wait("return location.search.includes('split=test')")
    page.element("#commercial").click()
    wanted = Filter(("test",), ("X-ray",), commercial=True, cuis=("C0817096",))
    page.wait("return location.search.includes('commercial=1')")
    page.wait_for(f"{Collection(repository).count(wanted)} image")
    assert page.ids == ids_of(repository, wanted)
    page.choose("chosen", "C0817096")  # which takes it away
    page.wait("return location.search === '?modality=X-ray&split=test&commercial=1'")
    page.element("#clear").click()
    page.wait_for("56 images of 56 · page 1 of 5")
    assert (
        page.driver.execute_script("return document.querySelectorAll('#filters :checked[name]:not(option)').length")
        == 0
    )


@with_duckdb
def test_directions_are_filtered_and_counted(page: Page, repository: Path) -> None:
    page.choose("direction", "AP")
    wanted = Filter(directions=("AP",))
    count = Collection(repository).count(wanted)
    page.wait_for(f"{count} images of 56")
    assert page.ids == ids_of(repository, wanted)
    counts = page.driver.execute_script(
        "return [...document.querySelectorAll('#modality label')].map(label => label.innerText.split(/\\s+/).slice(0, 2))"
    )
    expected = Collection(repository).choice_counts(wanted)["modalities"]
    assert {name: int(count) for name, count in counts} == expected


@with_duckdb
def test_a_configuration_is_chosen(page: Page, repository: Path) -> None:
    page.element("#config option[value=commercial]").click()
    wanted = Filter(config="commercial")
    count = Collection(repository).count(wanted)
    assert 12 < count < 56
    page.wait_for(f"{count} images of {count}")
    page.wait("return location.search === '?config=commercial'")
    assert page.ids == ids_of(repository, wanted)
    assert "only the images whose licence allows" in page.element("#summary-of-config").text


@with_duckdb
def test_a_concept_is_found_by_its_name_and_by_the_keys(page: Page, repository: Path) -> None:
    page.element("#concept-input").send_keys("r")
    page.wait("return document.querySelectorAll('#offered [data-cui]').length > 1")
    page.press("\ue015", "\ue015", "\ue013")  # down, down, up
    active = "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))"
    first = page.driver.execute_script(active + ".dataset.cui")
    assert page.driver.execute_script(active + ".getAttribute('aria-selected')") == "true"
    page.press("\ue00c")
    assert not page.element("#offered").is_displayed()
    page.element("#concept-input").clear()
    page.choose_concept("radionuclide")
    wanted = Filter(cuis=("C0034606",))
    page.wait_for(f"{Collection(repository).count(wanted)} images of 56")
    assert page.ids == ids_of(repository, wanted)
    assert first in {cui for cui, _, _ in Collection(repository).concepts}


@with_duckdb
def test_a_concept_and_an_article_of_a_card_lead_to_their_images(page: Page, repository: Path) -> None:
    link = page.element(".card .concepts a")
    cui = link.text.split()[-1]
    link.click()
    wanted = Filter(cuis=(cui,))
    page.wait(f"return location.search === '?concept={cui}'")
    assert page.ids == ids_of(repository, wanted)
    assert page.element("#chosen input").get_attribute("value") == cui
    link = page.element(".card .quiet a")
    others = int(link.text.split()[0])
    link.click()
    page.wait_for(f"{others + 1} images of 56")
    assert page.element("#text").get_attribute("value").startswith("PMC")


@with_duckdb
def test_text_is_searched_and_copied_as_code(page: Page, repository: Path) -> None:
    page.type("<SCRIPT> '\ue007")
    page.wait_for("1 image of 56")
    assert page.element(".card .caption").text == MARKUP
    assert page.driver.title == "ROCOv2 explorer"
    page.element("#code summary").click()
    collection, filter = Collection(repository), Filter(text="<script> '")
    assert page.code("python") == collection.python(filter)
    assert page.code("sql") == collection.sql(filter)
    page.element("[data-copies=sql]").click()
    page.wait("return /Copied|Selected/.test(document.querySelector('[data-copies=sql]').textContent)")


@with_duckdb
def test_nothing_found_is_said(page: Page) -> None:
    page.type("nosuchword\ue007")
    page.wait_for("0 images of 56 · page 1 of 1")
    assert "No image" in page.element("#cards").text


@with_duckdb
def test_the_nearest_page_of_any_number_is_shown(page: Page, repository: Path) -> None:
    for typed, at in (("99", 5), ("0", 1), ("3", 3), ("-7", 1)):
        number = page.element("#page")
        number.clear()
        number.send_keys(f"{typed}\ue007")
        page.wait_for(f"page {at} of 5")
        assert page.ids == ids_of(repository, Filter(), (at - 1) * 12)
    assert page.element("#warning").text == ""


@with_duckdb
def test_next_goes_on_from_what_is_shown(page: Page, repository: Path) -> None:
    page.element("#next").click()
    page.wait_for("page 2 of 5")
    page.element("#page").send_keys("4")  # 24, and no Enter
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


@with_duckdb
def test_too_many_words_are_told_and_change_nothing(page: Page) -> None:
    page.type(" ".join(f"w{number}" for number in range(70)) + "\ue007")
    page.wait("return document.querySelector('#warning').innerText.includes('at most 64 words and phrases, got 70')")
    assert page.found == "56 images of 56 · page 1 of 5"
    page.element("#text").clear()
    page.type("x" * 2_010)
    assert len(page.element("#text").get_attribute("value")) == 2_000


@with_duckdb
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
    assert page.element("#modality input[value=X-ray]").is_selected()
    page.driver.back()
    page.wait_for("page 1 of")
    assert page.ids == ids_of(repository, wanted)
    page.choose("modality", "X-ray")
    page.wait_for("56 images of 56 · page 1 of 5")
    page.wait("return location.search === ''")


@with_duckdb
def test_a_link_fills_the_fields(chrome: Any, address: str, repository: Path) -> None:
    link = "?text=%22a%22+e&concept=C0034606&split=train&split=test&commercial=1&per_page=24&at=9"
    page = Page(chrome, address + link, cards=0)
    wanted = Filter(("train", "test"), commercial=True, cuis=("C0034606",), text='"a" e')
    count = Collection(repository).count(wanted)
    page.wait_for(f"{count} image")
    assert page.element("#text").get_attribute("value") == '"a" e'
    assert page.element("#commercial").is_selected()
    assert page.element("#per_page").get_attribute("value") == "24"
    splits = [page.element(f"#split input[value={split}]") for split in ("train", "validation", "test")]
    assert [split.is_selected() for split in splits] == [True, False, True]


@with_duckdb
def test_a_link_to_what_is_not_there_shows_all(chrome: Any, address: str) -> None:
    page = Page(chrome, address + "?modality=radar&at=2")
    page.wait_for("56 images of 56 · page 1 of 5")
    page.wait("return document.querySelector('#warning').innerText.includes('radar')")
    page.wait("return location.search === ''")


@with_duckdb
def test_ids_are_downloaded(page: Page, repository: Path) -> None:
    page.choose("split", "test")
    page.wait("return location.search === '?split=test'")
    with urlopen(page.element("#csv").get_attribute("href")) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
        assert answer.headers["Content-Disposition"] == 'attachment; filename="rocov2-ids.csv"'
    assert lines == ["image_id,split", *(f"{image_id},test" for image_id in ids_of(repository, Filter(("test",))))]
