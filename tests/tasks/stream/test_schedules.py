"""Random schedules of real streams: every batch and every state is that of a model, with and without damaged images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Seeds
from tests.support.schedules import run_here, run_schedules
from tests.support.streams import build

SCHEDULES = 36


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def test_no_schedule_loses_or_repeats_a_sample(built: Path, seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run_schedules(built, seeds(SCHEDULES), monkeypatch, run_here)
    assert counts.legs > 2 * counts.schedules
    assert counts.raised
    assert counts.skipped
