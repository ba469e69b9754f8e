from __future__ import annotations

import threading
import time
from typing import Any

import fsspec
import pytest

from rocov2 import Repository
from rocov2_tasks.stream import remote
from rocov2_tasks.stream.remote import GAP, Held, HeldFile, RemoteFiles, join_ranges
from tests.support.processes import HANG_SECONDS

CONTENT = bytes(range(256)) * 40_000


class AnswerError(Exception):
    """An error with a status, as the clients of the Hub raise it."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.response = type("Response", (), {"status_code": status, "headers": headers})


class Server:
    """AnswerErrors in turn: an error is raised, a number is how many bytes less come than asked for; at last all come."""

    def __init__(self, *answers: Exception | int) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, int]] = []

    def cat_file(self, path: str, start: int, end: int, cache_type: str) -> bytes:
        assert (path, cache_type) == ("hf://datasets/org/rocov2@0/data/a.parquet", "none")
        self.asked.append((start, end))
        answer = self.answers.pop(0) if self.answers else 0
        if isinstance(answer, Exception):
            raise answer
        return CONTENT[start : end - answer]


HUB = Repository("hf://datasets/org/rocov2@0", "0", (), {})


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def files(server: Server, monkeypatch: pytest.MonkeyPatch, patience: float | None = None) -> RemoteFiles:
    monkeypatch.setattr(fsspec, "url_to_fs", lambda root: (server, root))
    return RemoteFiles(HUB, patience)


@pytest.mark.parametrize(
    "problem",
    [
        ConnectionResetError("reset"),
        TimeoutError(),
        AnswerError(503),
        AnswerError(429),
        AnswerError(408),
        100,
        RuntimeError("cut"),
    ],
    ids=str,
)
def test_a_range_that_does_not_come_is_asked_for_again(
    problem: Exception | int, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(problem, problem)
    assert files(server, monkeypatch).fetch("data/a.parquet", 1_000, 9_000) == CONTENT[1_000:9_000]
    assert server.asked == [(1_000, 9_000)] * 3
    assert waits == [0.5, 1.0]


def test_a_range_waits_as_long_as_the_hub_asks(
    waits: list[float], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(AnswerError(429, RateLimit='"resolvers";r=0;t=89'), AnswerError(503, **{"Retry-After": "7"}), 100)
    assert files(server, monkeypatch).fetch("data/a.parquet", 1_000, 9_000) == CONTENT[1_000:9_000]
    assert waits == [60.0, 30.0, 7.0, 2.0]
    assert [record.args for record in caplog.records] == [(90.0,), (30.0,), (7.0,)]


def test_too_long_a_pause_ends_the_attempts(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(*[AnswerError(429, RateLimit='"resolvers";r=0;t=3600')] * 9)
    with pytest.raises(ConnectionError, match=r"1 attempt to read bytes 0 to 9 failed, last: status 429"):
        files(server, monkeypatch).fetch("data/a.parquet", 0, 9)
    assert not waits


def test_in_the_end_it_is_told(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(*[ConnectionResetError("reset by peer")] * 9)
    message = (
        r"hf://datasets/org/rocov2@0/data/a\.parquet: 5 attempts to read bytes 0 to 10 failed, last: reset by peer\. "
        r"No sample is lost: resume from the last state"
    )
    with pytest.raises(ConnectionError, match=message):
        files(server, monkeypatch).fetch("data/a.parquet", 0, 10)
    assert waits == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "error", [FileNotFoundError("none"), AnswerError(401), AnswerError(403), AnswerError(404)], ids=str
)
def test_a_refusal_is_final(error: Exception, waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(error)
    with pytest.raises(type(error)):
        files(server, monkeypatch).fetch("data/a.parquet", 0, 10)
    assert (len(server.asked), waits) == (1, [])


class SlowServer(Server):
    """Answers when it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()

    def cat_file(self, path: str, start: int, end: int, cache_type: str) -> bytes:
        assert self.free.wait(HANG_SECONDS)
        return super().cat_file(path, start, end, cache_type)


def test_patience_ends_where_the_hub_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    server, asked = SlowServer(), []
    monkeypatch.setattr(remote, "answers", lambda root, seconds: asked.append((root, seconds)))
    patient = files(server, monkeypatch, 0.1)
    for _ in range(3):  # the second and the third do not wait again
        with pytest.raises(ConnectionError, match=r"^The Hub does not answer, try again$"):
            patient.fetch("data/a.parquet", 0, 10)
    assert asked == [(HUB, 0.05)]
    monkeypatch.setattr(time, "monotonic", lambda: patient._silent_until)
    server.free.set()
    assert patient.fetch("data/a.parquet", 0, 10) == CONTENT[:10]


def test_patience_does_not_end_where_the_hub_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    server, asked = SlowServer(), []

    def answers(repository: Repository, seconds: float) -> bool:
        asked.append(seconds)
        if len(asked) == 3:
            server.free.set()
        return True

    monkeypatch.setattr(remote, "answers", answers)
    assert files(server, monkeypatch, 0.05).fetch("data/a.parquet", 0, 10) == CONTENT[:10]
    assert len(asked) >= 3


def test_with_patience_a_range_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(*[ConnectionResetError("reset by peer")] * 2)
    with pytest.raises(ConnectionError, match=r"^The Hub does not answer, try again$"):
        files(server, monkeypatch, 30).fetch("data/a.parquet", 0, 10)
    assert len(server.asked) == 1
    for error in (FileNotFoundError("none"), AnswerError(403)):
        with pytest.raises(type(error)):
            files(Server(error), monkeypatch, 30).fetch("data/a.parquet", 0, 10)


def test_near_ranges_are_one() -> None:
    assert join_ranges([(300, 400), (0, 100), (100, 150)]) == [(0, 400)]
    assert join_ranges([(0, 10), (10 + GAP, 20 + GAP)]) == [(0, 20 + GAP)]
    assert join_ranges([(0, 10), (11 + GAP, 20 + GAP)]) == [(0, 10), (11 + GAP, 20 + GAP)]
    assert join_ranges([(0, 100), (20, 50)]) == [(0, 100)]
    assert join_ranges([]) == []


def counting() -> tuple[Any, list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> bytes:
        asked.append((start, end))
        return CONTENT[start:end]

    return fetch, asked


def test_what_is_held_is_not_asked_for_again() -> None:
    fetch, asked = counting()
    held = Held(fetch, 5_000)
    held.hold(1_000, 3_000)
    held.hold(3_000, 5_000)
    assert held.read(1_500, 3_000) == CONTENT[1_500:4_500]
    assert held.read(4_900, 500) == CONTENT[4_900:5_000]
    assert asked == [(1_000, 3_000), (3_000, 5_000)]


def test_what_is_not_held_is_fetched_in_growing_steps_up_to_what_is() -> None:
    fetch, asked = counting()
    held = Held(fetch, 9_000_000)
    held.hold(8_000_000, 9_000_000)
    for place in range(100, 8_500_000, 50_000):
        assert held.read(place, 50_000) == CONTENT[place : place + 50_000]
    assert asked == [
        (8_000_000, 9_000_000),
        (100, 1_000_100),
        (1_000_100, 3_000_100),
        (3_000_100, 7_000_100),
        (7_000_100, 8_000_000),
    ]


def test_held_ranges_are_a_file() -> None:
    fetch, _ = counting()
    file = HeldFile(Held(fetch, 20_000), 20_000)
    assert (file.readable(), file.seekable(), file.seek(-10, 2)) == (True, True, 19_990)
    assert file.read() == CONTENT[19_990:20_000]
    assert (file.seek(5), file.read(3), file.seek(2, 1), file.tell()) == (5, CONTENT[5:8], 10, 10)
