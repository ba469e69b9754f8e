"""A training that writes checkpoints, as a program: `python -m tests.support.training ARGUMENTS`, or under torchrun.

What it learns is which samples it saw, in order: a checkpoint holds that beside the position of the stream, as it would
hold a model. It can be killed at any moment, and goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from tests.support.loops import leave
from tests.support.streams import open_stream


@dataclass
class Arguments:
    """What to train.

    Attributes:
        repository: to read.
        checkpoint: file that is written after each `every` steps, by the first rank.
        workers: of the loader.
        stateful: keep the state of a StatefulDataLoader, instead of the stream's.
        epochs: number of epochs.
        every: steps between checkpoints.
        stop: number of steps after which it ends, None after the last epoch.
    """

    repository: str
    checkpoint: str
    workers: int = 0
    stateful: bool = False
    epochs: int = 2
    every: int = 1
    stop: int | None = None


def train(arguments: Arguments) -> dict[str, Any]:
    """Train from the checkpoint on, where there is one.

    Returns:
        Rank, and the samples that it consumed in this run, by epoch.
    """
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    if ranks > 1:
        torch.distributed.init_process_group("gloo")
    stream = open_stream(Path(arguments.repository))
    loader = (StatefulDataLoader if arguments.stateful else DataLoader)(
        stream, batch_size=None, num_workers=arguments.workers
    )
    checkpoint = Path(arguments.checkpoint)
    seen: list[list[str]] = [[] for _ in range(arguments.epochs)]
    first = 0
    if checkpoint.exists():
        kept = json.loads(checkpoint.read_text())
        (loader if arguments.stateful else stream).load_state_dict(kept["state"])
        seen, first = kept["seen"], kept["epoch"]
    own: list[list[str]] = [[] for _ in range(arguments.epochs)]
    steps = 0
    for epoch in range(first, arguments.epochs):
        stream.set_epoch(epoch)
        for consumed, batch in enumerate(loader, 1):
            own[epoch] += batch["image_id"]
            seen[epoch] += [sample for one in _of_all_ranks(batch["image_id"], ranks) for sample in one]
            steps += 1
            if steps % arguments.every == 0:
                state = loader.state_dict() if arguments.stateful else stream.state_at(consumed)
                _write(checkpoint, {"state": state, "seen": seen, "epoch": epoch})
            print(f"step {steps}", flush=True)
            if steps == arguments.stop:
                return {"rank": int(os.environ.get("RANK", "0")), "own": own}
    return {"rank": int(os.environ.get("RANK", "0")), "own": own}


def _of_all_ranks(samples: list[str], ranks: int) -> list[list[str]]:
    if ranks == 1:
        return [samples]
    gathered: list[list[str]] = [[] for _ in range(ranks)]
    torch.distributed.all_gather_object(gathered, samples)
    return gathered


def _write(path: Path, content: dict[str, Any]) -> None:
    if os.environ.get("RANK", "0") == "0":
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content))
        temporary.replace(path)


if __name__ == "__main__":
    reported = train(Arguments(**json.loads(sys.argv[1])))
    if torch.distributed.is_initialized():
        everyone: list[Any] = [None] * torch.distributed.get_world_size()
        torch.distributed.all_gather_object(everyone, reported)
        torch.distributed.barrier()
        if reported["rank"]:
            os._exit(0)
        leave(everyone)
    leave([reported])
