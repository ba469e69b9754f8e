"""Who reads: rank and number of processes, workers of a DataLoader; and which positions are whose."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import numpy as np

from rocov2_tasks.stream.order import Integers


def find_world(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Rank and number of ranks: as given, else of the initialized `torch.distributed`, else RANK and WORLD_SIZE, else 0, 1.

    Raises:
        ValueError: one without the other, or a rank that is not within the world.
    """
    source = "rank= and world_size="
    given = (rank, world_size)
    if given == (None, None):
        # Only where the program has imported torch by itself.
        distributed = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        source = "the environment's RANK and WORLD_SIZE"
        given = (_integer("RANK"), _integer("WORLD_SIZE"))
        if given == (None, None):
            return 0, 1
    rank, world_size = given
    if rank is None or world_size is None or not 0 <= rank < world_size:
        raise ValueError(f"{source}: expected both, 0 <= rank < world size, found rank {rank}, world size {world_size}")
    return rank, world_size


def _integer(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"the environment's {name} is no number: {text!r}") from None


def find_worker() -> tuple[int, int] | None:
    """Number of this process among the workers of its DataLoader, and their count; None outside of one."""
    data = sys.modules.get("torch.utils.data")
    worker = data.get_worker_info() if data is not None else None
    return (worker.id, worker.num_workers) if worker is not None else None


def usable_processors() -> int:
    """Processors that this process may use, divided among the processes of its machine where a launcher tells how many."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors // (_integer("LOCAL_WORLD_SIZE") or 1))


@dataclass(frozen=True)
class Share:
    """What one rank gets of the positions from `start` to `total`, and in which batches.

    Every rank gets as many samples as the others: where they do not come out even, the ranks without a last sample get
    their previous one again (a rank that has none, one of the others'), or with `drop_last` the others' last is left out.

    Attributes:
        batch: samples of a batch; with `drop_last` the last batch is left out unless it is full.
    """

    start: int
    total: int
    rank: int
    world_size: int
    batch: int
    drop_last: bool

    @property
    def left(self) -> int:
        """Positions that all ranks share."""
        return max(0, self.total - self.start)

    @property
    def batches(self) -> int:
        """Batches of each rank."""
        if self.drop_last:
            return self.left // self.world_size // self.batch
        return -(-self._samples // self.batch)

    @property
    def _samples(self) -> int:
        if self.drop_last:
            return self.batches * self.batch
        return -(-self.left // self.world_size)

    def position_after(self, batches: int) -> int:
        """Position from which all go on when each rank has consumed `batches`."""
        return min(self.start + self.world_size * self.batch * batches, self.total)

    def positions(self, worker: int, workers: int, done: int) -> tuple[Integers, Integers]:
        """Positions of the samples of a worker's batches, from its batch `done` on, and where its batches begin and end.

        Worker k of n makes the rank's batches k, k + n, ...
        """
        numbers = np.arange(worker + workers * done, self.batches, workers, dtype=np.int64)
        samples = (numbers[:, None] * self.batch + np.arange(self.batch)).ravel()
        lengths = np.minimum(self.batch, self._samples - numbers * self.batch)
        samples = samples[samples < self._samples]
        positions = self.start + self.rank + self.world_size * samples
        beyond = positions >= self.total
        previous = positions - self.world_size
        substitute = np.where(previous >= self.start, previous, self.start + self.rank % max(1, self.left))
        return np.where(beyond, substitute, positions), np.concatenate([[0], np.cumsum(lengths)])
