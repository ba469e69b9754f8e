"""The pauses that the Hub asks of readers: the same that publishing and downloading make."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from types import SimpleNamespace

import pytest

import rocov2
from rocov2_shared.retry import LONGEST_WAIT, asked_pause
from tests.shared.test_retry import LIMITS

NOW = 1_700_000_000.0


class LimitedError(Exception):
    """An answer of the Hub, as its clients raise it."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.response = SimpleNamespace(status_code=status, headers=headers)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(time, "time", lambda: NOW)
    return waited


def test_a_hub_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()  # as a name server that is silent: no limit of an HTTP client counts then
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: never.wait())
    monkeypatch.setattr(rocov2, "HUB_SECONDS", 0.05)
    with pytest.raises(ConnectionError, match=r"cannot be reached for 'org/nothing' \(no answer within 0\.05 s\)"):
        rocov2.Repository.open("org/nothing")
    never.set()


@pytest.mark.parametrize(
    ("path", "is_of_hub"),
    [("org/name", True), ("hf://datasets/org/name@v1", True), ("name", False), ("./org/name", False), (".", False)],
)
def test_names_of_the_hub(path: str, is_of_hub: bool) -> None:
    assert rocov2.is_of_hub(path) == is_of_hub


@pytest.mark.parametrize(
    "headers",
    [
        *({"RateLimit": limit} for limit, _ in LIMITS),
        *(
            {"Retry-After": value}
            for value in ("7", "soon", "", formatdate(NOW + 90, usegmt=True), formatdate(NOW - 90))
        ),
        {"RateLimit": LIMITS[0][0], "Retry-After": "200"},
    ],
    ids=str,
)
def test_readers_wait_as_long_as_writers(waits: list[float], headers: dict[str, str]) -> None:
    wrapped = OSError("not found")
    wrapped.__cause__ = LimitedError(429, **headers)
    assert rocov2.asked_pause(wrapped) == asked_pause(headers)
    assert rocov2.asked_pause(LimitedError(404, **headers)) == 0.0
    assert rocov2.LONGEST_PAUSE == LONGEST_WAIT


def test_a_request_is_made_again_after_the_pause(waits: list[float], caplog: pytest.LogCaptureFixture) -> None:
    answers = [LimitedError(429, RateLimit='"api";r=0;t=99'), LimitedError(503, **{"Retry-After": "3"})]

    def ask() -> str:
        if answers:
            raise answers.pop(0)
        return "done"

    assert rocov2.patiently(ask) == "done"
    assert waits == [60.0, 40.0, 3.0]
    assert [record.getMessage().rpartition(" in ")[2] for record in caplog.records] == ["100 s", "40 s", "3 s"]


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (LimitedError(429, RateLimit='"api";r=0;t=9'), 5),
        (LimitedError(429, RateLimit='"api";r=0;t=3600'), 1),
        (LimitedError(429, RateLimit='"api";r=1;t=9'), 1),
        (ConnectionError(), 1),
    ],
    ids=str,
)
def test_patience_is_bounded(waits: list[float], error: Exception, calls: int) -> None:
    made: list[int] = []

    def ask() -> None:
        made.append(1)
        raise error

    with pytest.raises(type(error)):
        rocov2.patiently(ask)
    assert len(made) == calls
    assert len(waits) == calls - 1
