"""The pause before a request is made again: what the server asks for, in either form, or a growing one."""

from __future__ import annotations

from email.utils import formatdate
from types import SimpleNamespace

import pytest

from rocov2_shared.retry import asked_pause, choose_pause, wait

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("-5", 0.0),
        ("1.5", 0.0),
        ("٧", 0.0),  # a digit, but not one of HTTP's
        ("soon", 0.0),
        ("", 0.0),
        (None, 0.0),
        ("9" * 10, 86_400.0),
        ("9" * 5_000, 86_400.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("Tue, 14 Nov 2023 23:14:50 +0100", 90.0),
        ("Tue, 14 Nov 2023 22:14:50 -0000", 90.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86_400.0),
        ("Fri, 99 Dec 2026 99:99:99 GMT", 0.0),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", 0.0),
    ],
)
def test_a_pause_is_seconds_or_a_date(monkeypatch: pytest.MonkeyPatch, retry_after: str | None, seconds: float) -> None:
    monkeypatch.setattr("rocov2_shared.retry.time", SimpleNamespace(time=lambda: NOW))
    assert asked_pause({} if retry_after is None else {"Retry-After": retry_after}) == seconds


LIMITS = [
    ('"api";r=0;t=124', 125.0),
    ('"api"; t=124 ; r=0', 125.0),
    ('"api";r=949;t=271', 0.0),
    ('"pages";r=12;t=9, "api";r=0;t=124, "resolvers";r=0;t=30', 125.0),
    ('"api";r=0;t=0', 0.0),
    ('"api";r=0', 0.0),
    ('"api";r=0;t=-5', 0.0),
    ('"api";r=00;t=7', 8.0),
    ('"api";r=0;t=' + "9" * 9, 86_400.0),
    ('"api";r=0;t=' + "9" * 5_000, 0.0),
    ("limit=100, remaining=0, reset=50", 0.0),
    ("", 0.0),
]
"""Values of the header RateLimit, and the pause that each asks for."""


@pytest.mark.parametrize(("limit", "seconds"), LIMITS)
def test_a_used_up_limit_asks_for_a_pause(limit: str, seconds: float) -> None:
    assert asked_pause({"RateLimit": limit}) == seconds
    assert asked_pause({"RateLimit": limit, "Retry-After": "200"}) == max(seconds, 200.0)


def test_a_long_wait_is_reported_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    told: list[float] = []
    monkeypatch.setattr("rocov2_shared.retry.time", SimpleNamespace(sleep=slept.append))
    wait(130.0, told.append)
    assert (slept, told) == ([60.0, 60.0, 10.0], [130.0, 70.0, 10.0])


def test_pauses_double_up_to_a_minute_unless_the_server_asks_for_one() -> None:
    assert [choose_pause(failures, 0.0) for failures in range(1, 9)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert choose_pause(8, 900.0) == 900.0
