"""The page of the explorer as a reader uses it: served by its command, in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import HANG_SECONDS, free_port
from tests.tasks.test_explore import EXPLORE


@contextmanager
def served(repository: Path, home: Path, **variables: str) -> Iterator[str]:
    """Where the explorer of the repository is served; it ends as Ctrl-C ends it."""
    variables = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"} | variables
    command = [*EXPLORE, str(repository), "--port", str(free_port())]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield next(line for line in process.stdout if " images of " in line).split()[0]
            process.send_signal(signal.SIGINT)
            assert process.wait(HANG_SECONDS) == 130
        finally:
            process.kill()


class Page:
    """The page in a browser, as a reader uses it.

    Args:
        driver: the browser.
        address: of the page.
        cards: at least so many are waited for.
        width: of the window, in pixels.
        scheme: light or dark.
    """

    def __init__(self, driver: Any, address: str, cards: int = 1, width: int = 1280, scheme: str = "light") -> None:
        self.driver = driver
        window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.get(address)
        self.wait(f"return document.readyState === 'complete' && document.querySelectorAll('.card').length >= {cards}")

    def wait(self, script: str) -> Any:
        """The first value of a script that is true."""
        end = time.monotonic() + HANG_SECONDS
        while time.monotonic() < end:
            if value := self.driver.execute_script(script):
                return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}; the page says {self.found}")

    @property
    def query(self) -> str:
        """Of the address."""
        return str(self.driver.execute_script("return location.search"))

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def type(self, text: str) -> None:
        """Into the field of text."""
        self.element("#text").send_keys(text)

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
            "return [...document.querySelectorAll('.card')].map(card => card.dataset.image)"
        )
        return ids

    def wait_for(self, text: str) -> None:
        """Wait until it says so of the number of images."""
        self.wait(f"return document.querySelector('#found')?.innerText.includes({json.dumps(text)})")

    def choose(self, field: str, value: str) -> None:
        """Tick or untick the box of a choice."""
        self.element(f"#{field} input[value='{value}']").click()

    def choose_concept(self, typed: str) -> None:
        """Type a part of a concept, and take the one that is offered."""
        self.element("#concept-input").send_keys(typed)
        self.wait(f"return document.querySelectorAll('#offered [data-cui]').length == 1 /* {typed} */")
        self.press("\ue007")

    @property
    def enlarged(self) -> str:
        """The id of the enlarged image; empty for none."""
        script = "return document.querySelector('dialog:modal h2')?.textContent ?? ''"
        return str(self.driver.execute_script(script))

    def wait_enlarged(self, image_id: str) -> None:
        """Wait until that image is enlarged; none for an empty id."""
        self.wait(f"return (document.querySelector('dialog:modal h2')?.textContent ?? '') === {json.dumps(image_id)}")

    def code(self, language: str) -> str:
        """The copied code."""
        return str(self.driver.execute_script(f"return document.getElementById('{language}').textContent"))
