"""Looks and keys: enlarged images, the focus, colours that can be read, and what a screen reader says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.explorer import Page, served
from tests.support.raw import make_raw
from tests.support.repositories import all_rows
from tests.tasks.test_explore import with_duckdb

pytestmark = pytest.mark.slow

LEFT, RIGHT, ESCAPE, ENTER, TAB = "\ue012", "\ue014", "\ue00c", "\ue007", "\ue004"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    release = make_raw(train=14, valid=4, test=4)
    for images in release.splits.values():
        images[0].caption = "A long caption. " * 60
    return release.build(tmp_path_factory.mktemp("looks") / "rocov2", small=16)


@pytest.fixture(scope="module")
def address(repository: Path) -> Iterator[str]:
    """Where the explorer of a small repository is served."""
    with served(repository, repository.parent) as address:
        yield address


@pytest.fixture
def page(chrome: Any, address: str) -> Page:
    return Page(chrome, address)


@with_duckdb
def test_an_image_is_enlarged_with_all_that_its_row_says(page: Page) -> None:
    first = page.ids[0]
    card = page.element(".card")
    caption = page.driver.execute_script("return document.querySelector('.card .caption').textContent")
    concepts = [each.text for each in card.find_elements("css selector", ".concepts li")]
    article = page.element(".card .body a[target]").get_attribute("href")
    page.element(".card .picture").click()
    page.wait_enlarged(first)
    view = page.element("dialog")
    assert page.query == "?view=1"
    assert page.driver.title == f"{first} · ROCOv2 explorer"
    assert view.find_element("css selector", ".caption").get_attribute("textContent") == caption
    assert [each.text for each in view.find_elements("css selector", ".concepts li")] == concepts
    assert view.find_element("css selector", "dd a[target]").get_attribute("href") == article
    assert "CC BY" in view.text
    page.wait("return document.querySelector('dialog img').naturalWidth > 0")
    page.element("#view-close").click()
    page.wait_enlarged("")
    assert page.query == ""
    assert page.driver.execute_script("return document.activeElement.id") == "image-1"
    page.press(ENTER)
    page.wait_enlarged(first)
    page.press(ESCAPE)
    page.wait_enlarged("")
    page.driver.back()
    page.wait_enlarged(first)


@with_duckdb
def test_keys_lead_to_the_next_and_the_previous_image_across_pages(page: Page) -> None:
    ids = page.ids
    page.element("#image-12").click()
    page.wait_enlarged(ids[11])
    page.press(RIGHT)
    page.wait("return location.search === '?view=13'")
    page.wait_for("page 2 of 2")
    page.wait_enlarged(page.ids[0])
    page.press(LEFT)
    page.wait_enlarged(ids[11])
    page.press(RIGHT)
    page.wait("return location.search === '?view=13'")
    page.press(ESCAPE)
    page.wait_enlarged("")
    assert page.query == "?at=2"
    assert page.driver.execute_script("return document.activeElement.id") == "image-13"
    page.driver.get(page.driver.current_url + "&view=1")
    page.wait_enlarged(ids[0])
    page.press(LEFT)  # there is none
    assert page.enlarged == ids[0]
    page.driver.get(page.driver.current_url.replace("view=1", "view=2"))
    page.wait_enlarged(ids[1])
    page.element("#view-prev").click()
    page.wait_enlarged(ids[0])
    page.wait("return document.activeElement.id === 'view-close'")


@with_duckdb
def test_a_long_caption_is_cut_in_its_card_and_whole_when_it_is_enlarged(page: Page) -> None:
    cut = "const c = [...document.querySelectorAll('.card .caption')].find(c => c.textContent.length > 500);"
    assert page.driver.execute_script(cut + "return c.scrollHeight > c.clientHeight + 20")
    page.driver.execute_script(cut + "c.closest('.card').querySelector('[aria-label^=whole]').click()")
    page.wait("return document.querySelector('dialog:modal .caption')")
    whole = "const c = document.querySelector('dialog .caption'); return c.scrollHeight <= c.clientHeight + 1"
    assert page.driver.execute_script(whole)
    assert page.element("dialog .caption").text == ("A long caption. " * 60).strip()


@with_duckdb
def test_scaled_pictures_say_their_own_size(chrome: Any, address: str, repository: Path) -> None:
    for config in ("default", "small"):
        rows = [row for split in all_rows(repository)[config].values() for row in split]
        sizes = {row["image_id"]: f" · {row['width']} × {row['height']}" for row in rows}
        page = Page(chrome, f"{address}?config={config}")
        first = page.ids[0]
        page.wait(f"return document.querySelector('.card .size').textContent === {sizes[first]!r}")
        page.element(".card .picture").click()
        page.wait(f"return document.querySelector('dialog:modal .size')?.textContent === {sizes[first]!r}")


@with_duckdb
def test_a_picture_that_cannot_be_shown_says_why_in_its_place(page: Page) -> None:
    page.driver.execute_script("document.querySelector('.card img').src = 'image/default/train/999999.jpg'")
    page.wait("return document.querySelector('.card .fault')?.textContent.includes('There is no such image.')")
    page.driver.get_log("browser")  # the browser tells of the missing picture, too


FOCUS = """
const element = document.activeElement;
const style = getComputedStyle(element);
return [element.id || element.className || element.tagName, style.outlineStyle == "solid" && style.outlineWidth == "2px"];
"""


@with_duckdb
def test_the_focus_is_seen_wherever_it_is(page: Page) -> None:
    page.element("#text").click()
    seen: list[str] = []
    for _ in range(70):
        where, ringed = page.driver.execute_script(FOCUS)
        assert ringed, (seen, where)
        seen.append(where)
        page.press(TAB)
        if where == "image-1":
            break
    fields = [
        "text",
        "search",
        "clear",
        "concept-input",
        "modality-0",
        "region-0",
        "direction-0",
        "license-0",
        "split-0",
    ]
    fields += ["commercial", "config", "per_page", "page", "next", "random", "csv", "image-1"]
    assert [name for name in fields if name in seen] == fields


@with_duckdb
def test_the_focus_stays_in_the_field_that_was_changed(page: Page) -> None:
    page.element("#modality-0").click()
    page.wait("return location.search !== '' && !document.body.hasAttribute('aria-busy')")
    assert page.driver.execute_script("return document.activeElement.id") == "modality-0"
    page.element("#next, #previous")
    page.element("#clear").click()
    page.wait("return location.search === '' && !document.body.hasAttribute('aria-busy')")
    page.element("#next").click()
    page.wait_for("page 2 of")
    page.wait("return !document.body.hasAttribute('aria-busy')")
    page.element("#previous").click()
    page.wait_for("page 1 of")
    page.wait("return document.activeElement.id === 'previous' || document.activeElement === document.body")


@with_duckdb
def test_everything_has_a_name_for_a_screen_reader(page: Page) -> None:
    page.element("#concept-input").send_keys("r")
    page.wait("return document.querySelectorAll('#offered [data-cui]').length > 1")
    for enlarge in (False, True):
        if enlarge:
            page.press(ESCAPE)
            page.element(".card .picture").click()
            page.wait("return document.querySelector('dialog:modal img')")
        page.driver.execute_cdp_cmd("Accessibility.enable", {})
        nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        roles = {
            "button",
            "link",
            "textbox",
            "searchbox",
            "checkbox",
            "combobox",
            "spinbutton",
            "image",
            "img",
            "listbox",
        }
        roles |= {"option", "dialog", "navigation", "search", "group", "article", "list"}
        shown = [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]
        ]
        named = [(role, name) for role, name in shown if role in roles and not (role == "group" and not name)]
        assert {"link", "dialog", "image"} <= {role for role, _ in named} or not enlarge
        assert [role for role, name in named if not name.strip() and role not in ("list",)] == []
    assert ("dialog", page.ids[0]) in named
    names = {name for _, name in shown}
    assert names  # and those of the page itself:
    page.press(ESCAPE)
    page.wait_enlarged("")
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    found = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}
    ct = page.element("#modality-count-0").text.split()[0]
    assert {
        ("searchbox", "Words in the caption"),
        ("combobox", "Concepts: name or CUI"),
        ("checkbox", f"CT {ct} images"),
        ("group", "Direction"),
        ("search", "Filters"),
        ("spinbutton", "Page"),
        ("navigation", "Pages"),
        ("link", f"enlarge {page.ids[0]}"),
    } <= found


CONTRAST = """
const light = color => color.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
const behind = element => {
    const color = getComputedStyle(element).backgroundColor;
    return /, 0\\)$/.test(color) && element.parentElement ? behind(element.parentElement) : color;
};
const contrast = (element, part) => {
    const [a, b] = [getComputedStyle(element, part).color, behind(element)].map(light).sort((a, b) => b - a);
    return (a + 0.05) / (b + 0.05);
};
const texts = [...document.querySelectorAll("body *")].filter(element => element.checkVisibility()
    && [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()));
return [["placeholder", contrast(document.querySelector("#text"), "::placeholder")],
    ...texts.map(element => [element.outerHTML.slice(0, 80), contrast(element)])];
"""


@with_duckdb
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read(chrome: Any, address: str, scheme: str) -> None:
    page = Page(chrome, address + "?modality=radar", scheme=scheme)
    page.element("#code summary").click()
    found = page.driver.execute_script(CONTRAST)
    assert len(found) > 100
    page.element(".card .picture").click()
    page.wait("return document.querySelector('dialog:modal')")
    for element, contrast in [*found, *page.driver.execute_script(CONTRAST)]:
        assert contrast >= 4.5, (element, contrast)
