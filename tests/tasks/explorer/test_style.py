"""Looks: pictures and focus by the keyboard, and colours that can be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.explorer import Page, served
from tests.support.raw import make_raw
from tests.tasks.test_explore import with_gradio

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the explorer of a small repository is served."""
    folder = tmp_path_factory.mktemp("looks")
    with served(make_raw(train=6, valid=4, test=4).build(folder / "rocov2"), folder) as address:
        yield address


@pytest.fixture
def page(chrome: Any, address: str) -> Page:
    return Page(chrome, address)


LARGE = "return document.querySelector('.card img').getBoundingClientRect().width == innerWidth"
SMALL = LARGE.replace("==", "<")
FOCUSED = "return document.activeElement === document.querySelector('.card input')"


@with_gradio
def test_a_picture_is_enlarged_and_made_small_again(page: Page) -> None:
    page.element(".card label").click()
    page.wait(LARGE)
    page.element(".card img").click()
    page.wait(SMALL)
    for key in ("\ue00d", "\ue007"):  # space and Enter
        page.press(key)
        page.wait(LARGE)
        page.press("\ue00c")
        page.wait(SMALL)
        assert page.driver.execute_script(FOCUSED)
    page.press(key, "\ue004")
    page.wait(SMALL)
    assert page.driver.execute_script("return document.activeElement.tagName") == "A"


RINGS = """
const ringed = [...document.querySelectorAll("main *")].filter(element => {
    const style = getComputedStyle(element);
    return style.outlineStyle == "solid" && style.outlineWidth == "2px";
});
return [ringed.map(element => element.closest("[id]").id).join(), ringed.some(e => e.contains(document.activeElement))];
"""


@with_gradio
def test_the_focus_is_seen_where_it_is_and_nowhere_else(page: Page) -> None:
    page.element("#text input").click()
    seen: list[str] = []
    for _ in range(18):
        where, is_focus = page.driver.execute_script(RINGS)
        assert is_focus, (seen, where)
        seen.append(*set(where.split(",")))
        page.press("\ue004")
        time.sleep(0.3)  # lists close when they have faded
    fields = ["text", "concepts", "modality", "region", "license", "split", "commercial", "per-page", "page", "next"]
    assert [name for name in fields if name in seen] == fields


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
return [["#text input", "::placeholder"], [".card a"], ["#summary a"], ["#text [data-testid=block-info] + *"]]
    .map(([selector, part]) => [selector, contrast(document.querySelector(selector), part)]);
"""


@with_gradio
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_written_can_be_read(chrome: Any, address: str, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    page = Page(chrome, address)
    for selector, contrast in page.driver.execute_script(CONTRAST):
        assert contrast >= 4.5, (selector, contrast)
