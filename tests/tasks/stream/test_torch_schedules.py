"""Random schedules as in test_schedules.py, with the loaders of torch and torchdata and their worker processes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from rocov2_tasks.pretraining import PretrainingStream
from tests.conftest import Seeds
from tests.support.schedules import Batches, Leg, copy_of, names_of, run_schedules
from tests.support.streams import build

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch", reason="torch is not installed: make test-torch")
stateful: Any = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")

SCHEDULES = 12


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def run_leg(leg: Leg, stream: PretrainingStream, raises: bool) -> Batches:
    options = {
        "batch_size": None,
        "num_workers": leg.workers,
        "prefetch_factor": leg.ahead + 1 if leg.workers else None,
    }
    if leg.stop is None:
        loader = torch.utils.data.DataLoader(stream, **options)
        return [names_of(item) for item in islice(loader, leg.steps)]
    stop = min(leg.steps, leg.stop)
    loader = stateful.StatefulDataLoader(stream, **options)
    given = [names_of(item) for item in islice(loader, stop)]
    resumed = stateful.StatefulDataLoader(copy_of(stream), **options)
    resumed.load_state_dict(loader.state_dict())
    return given + [names_of(item) for item in islice(resumed, leg.steps - stop)]


def test_no_schedule_loses_or_repeats_a_sample(built: Path, seeds: Seeds, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run_schedules(built, seeds(SCHEDULES), monkeypatch, run_leg)
    assert counts.raised
    assert counts.skipped
