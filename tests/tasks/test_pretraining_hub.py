"""The stream over a dataset on the Hub, which is `tests/support/hub.py`; the client is a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rocov2 import Repository
from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.stream.layout import read_layout
from tests.conftest import PROJECT
from tests.support.hub import Hub, HubError, Request, Response
from tests.support.processes import HANG_SECONDS
from tests.support.streams import TRAIN, build, ids, stream_of

pytestmark = pytest.mark.slow

CLIENT = """
import json, sys, time
time.sleep = lambda seconds: None  # neither this project nor huggingface_hub waits before it asks again
from rocov2_tasks.pretraining import PretrainingStream
options, state = json.loads(sys.argv[1]), json.loads(sys.argv[2])
stream = PretrainingStream("org/rocov2", **options)
if state:
    stream.load_state_dict(state)
found, problem = [], None
try:
    for row in stream:
        found.append([row["image_id"], len(row.get("image", b""))])
except Exception as error:
    problem = f"{type(error).__name__}: {error}"
print(json.dumps([found, problem, stream.state_dict()]))
"""

Answer = tuple[list[list[Any]], str | None, dict[str, Any]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


class CutFile(type(Path())):  # type: ignore[misc]
    """A file of which only the beginning can be sent."""

    def open(self, *arguments: Any, **options: Any) -> Any:
        stream = super().open(*arguments, **options)

        class Cut(io.BufferedReader):
            def read(self, size: int | None = -1) -> bytes:
                if size is not None and size > 700:
                    raise ConnectionAbortedError("cut")
                return super().read(size)

        return Cut(stream.detach())


class Flaky(Hub):
    """Answers some of the requests for shards wrongly: those that `fault` wants to treat, by their number."""

    fault: Callable[[int, Request, Response], Response] = staticmethod(lambda number, request, response: response)
    number = 0

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if request.listener != "storage" or request.method != "GET":
            return response
        self.number += 1
        return self.fault(self.number, request, response)


def ask(hub: Hub, home: Path, state: dict[str, Any] | None = None, **options: Any) -> Answer:
    command = [sys.executable, "-c", CLIENT, json.dumps(options), json.dumps(state)]
    settings: dict[str, Any] = {"cwd": PROJECT, "env": os.environ | hub.environment(home), "timeout": HANG_SECONDS}
    done = subprocess.run(command, capture_output=True, text=True, check=True, **settings)
    answer: Answer = json.loads(done.stdout)
    return answer


def expected(path: Path, **options: Any) -> list[list[Any]]:
    return [[row["image_id"], len(row.get("image", b""))] for row in PretrainingStream(path, **options)]


def ranges(hub: Hub) -> int:
    return sum(request.listener == "storage" and request.method == "GET" for request in hub.requests)


SOME: dict[str, Any] = {"columns": ["image", "image_id"], "decode": "bytes", "window": "20kB"}


def test_rows_come_in_the_same_order_with_one_request_for_each_row_group(built: Path, tmp_path: Path) -> None:
    layout = read_layout(Repository.open(built), "default", "train")
    with Hub({"org/rocov2": built}) as hub:
        found, problem, state = ask(hub, tmp_path, **SOME)
        # A footer for each shard; a row group that two lanes share is fetched by both.
        assert ranges(hub) <= len(layout.shards) + len(layout.groups) + state["lanes"] - 1
    assert problem is None
    assert found == expected(built, **SOME)


def test_of_a_column_only_its_bytes_are_sent(built: Path, tmp_path: Path) -> None:
    layout = read_layout(Repository.open(built), "default", "train")
    with Hub({"org/rocov2": built}) as hub:
        found, _, _ = ask(hub, tmp_path, columns=["image_id"])
        sent = sum(request.bytes_sent for request in hub.requests if request.listener == "storage")
    assert len(found) == TRAIN
    footers = sum(shard.footer_bytes for shard in layout.shards)
    assert footers < sent < footers + 600 * (len(layout.groups) + 8)


def test_in_the_order_of_the_files_too(built: Path, tmp_path: Path) -> None:
    with Hub({"org/rocov2": built}) as hub:
        found, problem, _ = ask(hub, tmp_path, shuffle=False, **SOME)
    assert (found, problem) == (expected(built, shuffle=False, **SOME), None)


def drop(response: Response) -> Response:
    raise ConnectionAbortedError("dropped")


def cut(response: Response) -> Response:
    return response._replace(body=CutFile(response.body))


def busy(response: Response) -> Response:
    raise HubError(503, "busy")


def short(response: Response) -> Response:
    return Response(206, response.headers, b"a part of it")


@pytest.mark.parametrize("fault", [drop, cut, busy, short])
def test_what_does_not_come_is_asked_for_again_at_the_same_position(
    built: Path, tmp_path: Path, fault: Callable[[Response], Response]
) -> None:
    asked: Counter[tuple[str, str]] = Counter()

    def spoil_the_first(number: int, request: Request, response: Response) -> Response:
        span = (request.path, request.headers["Range"])
        asked[span] += 1
        return fault(response) if asked[span] == 1 else response

    with Flaky({"org/rocov2": built}) as hub:
        hub.fault = spoil_the_first
        found, problem, _ = ask(hub, tmp_path, **SOME)
    assert min(asked.values()) > 1
    assert (found, problem) == (expected(built, **SOME), None)


def test_when_the_network_stays_away_it_is_told_and_the_run_goes_on_later(built: Path, tmp_path: Path) -> None:
    options = SOME | {"read_ahead": 1, "window": "5kB", "lanes": 2}
    with Flaky({"org/rocov2": built}) as hub:
        hub.fault = lambda number, request, response: drop(response) if number > 12 else response
        found, problem, state = ask(hub, tmp_path, **options)
    assert problem is not None
    assert problem.startswith("ConnectionError: hf://datasets/org/rocov2@")
    assert "5 attempts to read bytes" in problem
    assert 0 < len(found) == state["position"] < TRAIN
    with Hub({"org/rocov2": built}) as hub:
        rest, problem, _ = ask(hub, tmp_path, state, **options)
    assert (found + rest, problem) == (expected(built, **options), None)


def test_a_state_goes_from_a_folder_to_the_hub(built: Path, tmp_path: Path) -> None:
    stream = stream_of(built)
    whole = ids(stream)
    stream.set_epoch(1)
    stream.set_epoch(0)
    with Hub({"org/rocov2": built}) as hub:
        found, _, _ = ask(hub, tmp_path, stream.state_at(20), columns=["image_id"])
    assert [image_id for image_id, _ in found] == whole[20:]
