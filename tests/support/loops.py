"""Streams of ids in training loops, and programs of these tests, on one process or several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rocov2_tasks.pretraining import PretrainingStream
from tests.conftest import PROJECT
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw

BATCH = 6
"""Samples of a batch in these tests."""


def build_small(folder: Path, train: int = 90) -> Path:
    """A repository with several row groups in each of 16 shards of train: 8 of each licence group."""
    return make_raw(train=train, valid=12, test=6).build(folder / "rocov2", shard=20_000, row_group=4_000)


def open_stream(repository: Path | str, **options: Any) -> PretrainingStream:
    """A stream of ids without images, in batches of `BATCH`, of windows smaller than the split."""
    settings: dict[str, Any] = {"columns": ["image_id"], "batch_size": BATCH, "window": "40KB"} | options
    return PretrainingStream(repository, **settings)


def ids(batches: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """The ids of each batch."""
    return [list(batch["image_id"]) for batch in batches]


def flat(batches: Iterable[Iterable[str]]) -> list[str]:
    """The samples of batches, one after the other."""
    return [sample for batch in batches for sample in batch]


def start(program: str, arguments: Mapping[str, Any], environment: Mapping[str, str], ranks: int = 0) -> Any:
    """Run a module of these tests with its arguments as JSON; with `ranks`, as so many processes under torchrun.

    Returns:
        What it printed last, as JSON.
    """
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m"] if ranks else []
    done = subprocess.run(
        [sys.executable, "-m", *launcher, program, json.dumps(arguments)],
        cwd=PROJECT,
        env={**environment, "OMP_NUM_THREADS": "1"},
        timeout=HANG_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def leave(told: Any) -> None:
    """Print `told` as JSON and end: threads of pyarrow can abort an interpreter's ordinary end after a stream left early."""
    print(json.dumps(told), flush=True)
    os._exit(0)
