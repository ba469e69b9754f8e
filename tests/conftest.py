"""Fixtures shared by all tests: the commands as a user starts them, and caches that no two tests share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.processes import HANG_SECONDS

PROJECT = Path(__file__).resolve().parent.parent

pytest_plugins = ["tests.support.plugin"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Seeds = Callable[[int], range]
"""The fixture `seeds`: `seeds(200)` gives seeds for 200 random inputs, or more of them in `make test-long`."""


def pytest_configure() -> None:
    """Take Ctrl-C, so that the commands that tests start take it: a shell has what it starts in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Environment variables for a fresh process: a cache of its own, and no way to the network."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return kept | {"HF_HOME": str(tmp_path / "hf_home"), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def run(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Start a script of the project (`run("convert_to_parquet", "raw", "out")`) in `tmp_path`; no pictures are drawn."""

    def start(script: str, *arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(PROJECT / "scripts" / f"{script}.py"), *map(str, arguments)]
        if script == "convert_to_parquet":
            command.append("--no-pictures")
        settings: dict[str, object] = {"cwd": tmp_path, "env": environment, "timeout": HANG_SECONDS} | options
        return subprocess.run(command, capture_output=True, text=True, check=False, **settings)  # type: ignore[call-overload, no-any-return]

    return start


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No launcher's environment: a process is the only one of its world unless a test says otherwise."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("no_proxy", "NO_PROXY"):  # a proxy does not reach the servers of the tests
        monkeypatch.setenv(name, ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"])))


@pytest.fixture(scope="module")
def loaded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The split train of the module's repository `built`, map-style."""
    import rocov2

    return rocov2.load(built, split="train", cache_dir=str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module", params=[False, True], ids=["map-style", "streaming"])
def train(built: Path, loaded: Any, request: pytest.FixtureRequest) -> Any:
    """The same, map-style and streaming."""
    import rocov2

    return rocov2.load(built, split="train", streaming=True) if request.param else loaded


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """A browser; without one the test is left out."""
    from tests.support.browsers import chromium

    with chromium() as driver:
        yield driver


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    """A copy of the module's repository `built`, to be damaged."""
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


@pytest.fixture
def zenodo() -> Iterator[Any]:
    """A server that has the files of a release."""
    from tests.support.zenodo import CONTENTS, Zenodo

    with Zenodo(CONTENTS) as server:
        yield server


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of the pauses of a download, none of which is made."""
    from rocov2_build.raw import http_client

    made: list[float] = []
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # takes most of the time of a test
    monkeypatch.setattr(http_client, "time", SimpleNamespace(sleep=made.append))
    return made
