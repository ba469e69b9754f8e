"""Several processes share an epoch of the stream; they are killed, and others, more or fewer, go on: no sample is lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.support.loops import start
from tests.support.streams import BATCH, build_shards, flat, ids_by_batch, open_stream

pytestmark = pytest.mark.torch
pytest.importorskip("torch", reason="torch is not installed: make test-torch")
pytest.importorskip("torchdata", reason="torchdata is not installed: make test-torch")

ROWS = 96
"""Two ranks share them evenly: a multiple of two batches."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shards(tmp_path_factory.mktemp("ranks"), train=ROWS)


@pytest.fixture(scope="module")
def epochs(repository: Path) -> list[list[str]]:
    """The samples of two epochs, in the order of a single process."""
    stream = open_stream(repository)
    first = flat(ids_by_batch(stream))
    stream.set_epoch(1)
    return [first, flat(ids_by_batch(stream))]


@pytest.mark.parametrize(("workers", "stateful"), [(0, False), (2, False), (2, True)])
def test_a_killed_training_goes_on_from_its_checkpoint(
    repository: Path,
    epochs: list[list[str]],
    environment: dict[str, str],
    tmp_path: Path,
    workers: int,
    stateful: bool,
) -> None:
    checkpoint = tmp_path / "checkpoint.json"
    arguments = {"repository": str(repository), "checkpoint": str(checkpoint), "workers": workers, "stateful": stateful}
    chance = random.Random(workers + stateful)
    for _ in range(2):
        begin = consumed(checkpoint)
        last = chance.randrange(3, 14)
        kill_after(last, arguments | {"every": 2}, environment)
        assert consumed(checkpoint) > begin, "nothing was learned before the kill"
        assert any(seen != whole for seen, whole in zip(read(checkpoint)["seen"], epochs, strict=True))
    start("tests.support.training", arguments, environment)
    assert read(checkpoint)["seen"] == epochs


def kill_after(steps: int, arguments: dict[str, Any], environment: dict[str, str]) -> None:
    """Start a training, and end it without a warning when it has told of so many steps."""
    command = [sys.executable, "-m", "tests.support.training", json.dumps(arguments)]
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == f"step {steps}\n":
                break
        process.send_signal(signal.SIGKILL)
        process.stdout.close()
    assert process.returncode == -signal.SIGKILL


def read(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint."""
    kept: dict[str, Any] = json.loads(checkpoint.read_text())
    return kept


def consumed(checkpoint: Path) -> int:
    """Samples that a training has seen up to its checkpoint."""
    return sum(map(len, read(checkpoint)["seen"])) if checkpoint.exists() else 0


@pytest.mark.parametrize("workers", [0, 2])
def test_two_processes_share_an_epoch_and_one_or_two_go_on(
    repository: Path, epochs: list[list[str]], environment: dict[str, str], tmp_path: Path, workers: int
) -> None:
    checkpoint = tmp_path / "checkpoint.json"
    arguments: dict[str, Any] = {"repository": str(repository), "checkpoint": str(checkpoint), "workers": workers}

    shares = start("tests.support.training", arguments | {"stop": 3}, environment, ranks=2)
    assert [share["rank"] for share in shares] == [0, 1]
    assert [len(share["own"][0]) for share in shares] == [3 * BATCH] * 2
    assert not set(shares[0]["own"][0]) & set(shares[1]["own"][0])
    assert Counter(read(checkpoint)["seen"][0]) == Counter(epochs[0][: 6 * BATCH]), "not the head of the epoch"

    # One goes on, with another number of workers, in the order of a single process.
    single = arguments | {"workers": 2 - workers, "stop": 4}
    (alone,) = start("tests.support.training", single, environment)
    assert alone["own"][0] == epochs[0][6 * BATCH : 10 * BATCH]

    # Two again, to the end of the epoch and through the next.
    shares = start("tests.support.training", arguments, environment, ranks=2)
    assert [[len(part) for part in share["own"]] for share in shares] == [[3 * BATCH, ROWS // 2]] * 2
    assert not set(shares[0]["own"][1]) & set(shares[1]["own"][1])
    for seen, whole in zip(read(checkpoint)["seen"], epochs, strict=True):
        assert Counter(seen) == Counter(whole), "a sample was lost or came twice"
