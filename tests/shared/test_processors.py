"""Processors: those that this process may use, divided among those that work at once."""

from __future__ import annotations

import os

import pytest

from rocov2_shared.processors import usable_processors


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system cannot tell")
def test_the_processors_are_those_that_this_process_may_use() -> None:
    assert usable_processors() == len(os.sched_getaffinity(0))


def test_processes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert [usable_processors(processes) for processes in (1, 3, 8, 9)] == [8, 2, 1, 1]


@pytest.mark.parametrize(("count", "expected"), [(6, 6), (None, 1)])
def test_without_an_affinity_all_processors_count(
    monkeypatch: pytest.MonkeyPatch, count: int | None, expected: int
) -> None:
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: count)
    assert usable_processors() == expected
