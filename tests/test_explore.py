"""The explorer: its command and its page in a browser."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from rocov2_tasks.filters import Filter
from rocov2_tasks.searching import Collection
from tests.conftest import PROJECT
from tests.raw import make_raw
from tests.test_preview import BROWSER, CHROMIUM, DRIVER

EXPLORE = [sys.executable, "-m", "rocov2_tasks.explore"]
MARKUP = "<script>document.title = 'owned'</script> & <b>bold</b>"
with_gradio = pytest.mark.skipif(
    not (find_spec("gradio") and find_spec("duckdb")), reason="gradio and duckdb (the extra explore) are not installed"
)


def explore(folder: Path, environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [*EXPLORE, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    release = make_raw(train=40, valid=8, test=8, side=200)
    release.image("valid", 0).caption = MARKUP
    return release.build(tmp_path_factory.mktemp("explore") / "rocov2")


def test_a_missing_package_names_its_extra(tmp_path: Path, environment: dict[str, str]) -> None:
    program = (
        "import sys; sys.modules['gradio'] = None; sys.argv = ['explore', *sys.argv[1:]]; "
        "from rocov2_tasks import explore; from rocov2_terminal import run; run(explore.main)"
    )
    for arguments in (["."], ["--space", "space", "org/rocov2"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert done.stderr.startswith("Error: the explorer needs the package gradio: pip install -e '.[explore]'")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "0"],
        ["--port", "x"],
        ["a", "b"],
        ["--space", "out", "rocov2"],
        ["--space", "out", "hf://a/b"],
        ["--x"],
    ],
)
def test_wrong_usage_is_code_2(tmp_path: Path, environment: dict[str, str], arguments: list[str]) -> None:
    done = explore(tmp_path, environment, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@with_gradio
def test_what_is_no_repository_is_one_message(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "folder").mkdir()
    for name, message in [
        ("nowhere", "no folder 'nowhere'"),
        ("folder", "is not a built repository, missing conversion.json"),
        ("org/rocov2", "HF_HUB_OFFLINE is set"),
    ]:
        done = explore(tmp_path, environment, name)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stderr.startswith("Error: ")
        assert "Traceback" not in done.stderr


@with_gradio
def test_a_taken_port_is_one_message(repository: Path, environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = explore(repository.parent, environment, "rocov2", "--port", port)
    assert done.returncode == 1
    assert f"Error: cannot listen on 127.0.0.1, port {port}: " in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def address(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the explorer of the repository is served."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = os.environ | {"HF_HOME": str(tmp_path_factory.mktemp("home")), "HF_HUB_OFFLINE": "1"}
    command = [*EXPLORE, str(repository), "--port", str(port)]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        assert "56 images" in line
        yield line.split()[0]
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(30) == 130
        finally:
            process.kill()


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("chromium and chromedriver (Debian: chromium, chromium-driver) are not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in BROWSER:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


class Page:
    """The page in a browser, as a reader uses it."""

    def __init__(self, driver: Any, address: str) -> None:
        self.driver = driver
        driver.get(address)
        self.wait("return document.querySelectorAll('.card').length > 0")

    def wait(self, script: str) -> Any:
        """The first value of a script that is true."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if value := self.driver.execute_script(script):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}; the page says {self.found}")

    def element(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    @property
    def found(self) -> str:
        """What is said of the number of images."""
        return str(self.element("#found").text)

    @property
    def ids(self) -> list[str]:
        """Of the images that are shown."""
        ids: list[str] = self.driver.execute_script(
            "return [...document.querySelectorAll('.card')].map(card => card.id)"
        )
        return ids

    def wait_for(self, text: str) -> None:
        """Wait until it says so of the number of images."""
        self.wait(f"return document.querySelector('#found').innerText.includes({json.dumps(text)})")

    def choose(self, field: str, typed: str) -> None:
        """Type something into a field with choices, and take the first that is offered."""
        box = self.element(f"#{field} input")
        box.click()
        box.send_keys(typed)
        self.wait(f"return document.querySelectorAll('#{field} [role=option]').length == 1")
        box.send_keys("\ue007")
        box.send_keys("\ue00c")

    def code(self, language: str) -> str:
        """The copied code."""
        return str(self.driver.execute_script(f"return document.querySelector('#{language} .cm-content').innerText"))


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
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []
    messages = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


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
    page.element("#text textarea, #text input").send_keys("<SCRIPT> '\ue007")
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
    page.element("#text textarea, #text input").send_keys("nosuchword\ue007")
    page.wait_for("0 images of 56 · page 1 of 1")
    assert "No image" in page.element("#cards").text


@with_gradio
def test_a_picture_is_enlarged_and_made_small_again(page: Page) -> None:
    page.element(".card label").click()
    size = "return document.querySelector('.card img').getBoundingClientRect().width == innerWidth"
    page.wait(size)
    page.element(".card img").click()
    page.wait(size.replace("==", "<"))


def test_the_explorer_reads_only_the_wing_that_uses() -> None:
    for name in ("explore", "cards", "space", "searching", "filters"):
        assert "rocov2_build" not in (PROJECT / "rocov2_tasks" / f"{name}.py").read_text()
