"""The processes that share an epoch: ranks, workers of a DataLoader, and which of them reads which positions."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from rocov2_tasks.arguments import plain_integer, shown
from rocov2_tasks.stream.order import Integers

MOST_RANKS = 65_536
"""Ranks, and lanes, at most: the order of an epoch is planned with a few numbers for each lane."""


@dataclass(frozen=True)
class Worker:
    """A worker of a DataLoader.

    Attributes:
        number, workers: its number among the workers, and their count.
        seed: the same for all workers of an iteration, and another one for the next, unless the workers persist.
    """

    number: int
    workers: int
    seed: int = 0


ALONE = Worker(0, 1)
"""A process without workers, as one that does all their work."""


def find_world(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """Return rank and number of ranks: the arguments, else an initialized `torch.distributed`, RANK and WORLD_SIZE, or 0, 1.

    Raises:
        ValueError: one is given without the other, is not an integer, or the rank is not below the number of ranks.
    """
    source = "rank= and world_size="
    given: tuple[Any, Any] = (rank, world_size)
    if rank is None and world_size is None:
        # Only if the program has imported torch.
        distributed = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return distributed.get_rank(), distributed.get_world_size()
        source = "environment variables RANK and WORLD_SIZE"
        given = (_integer("RANK"), _integer("WORLD_SIZE"))
        if given == (None, None):
            return 0, 1
    number, count = map(plain_integer, given)
    if number is None or count is None or not 0 <= number < count <= MOST_RANKS:
        limit = f" <= {MOST_RANKS:,}" if count is not None and count > MOST_RANKS else ""
        raise ValueError(
            f"{source}: expected both, 0 <= rank < world size{limit}, "
            f"got rank {shown(given[0])}, world size {shown(given[1])}"
        )
    return number, count


def _integer(name: str) -> int | None:
    text = os.environ.get(name)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"environment variable {name} must be an integer, got {text!r}") from None


def find_worker() -> Worker | None:
    """Return which worker of a DataLoader this process is; None outside of one."""
    data = sys.modules.get("torch.utils.data")
    worker = data.get_worker_info() if data is not None else None
    return Worker(worker.id, worker.num_workers, worker.seed - worker.id) if worker is not None else None


def local_world_size() -> int:
    """Return the number of ranks on this machine, if the launcher states it in LOCAL_WORLD_SIZE; 1 by default."""
    return max(1, _integer("LOCAL_WORLD_SIZE") or 1)


@dataclass(frozen=True)
class Share:
    """What one rank gets of the positions from `start` to `total`, and in which batches.

    Every rank gets the same number of samples. If the positions do not divide evenly, a rank without a last sample repeats
    its previous one (a rank without any takes another rank's); with `drop_last` the last samples are left out instead.

    Attributes:
        batch: samples per batch; with `drop_last` the last batch is left out unless it is full.
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
        """Return the position from which all ranks resume when each has consumed `batches`."""
        return min(self.start + self.world_size * self.batch * batches, self.total)

    def positions(self, worker: int, workers: int, done: int) -> tuple[Integers, Integers]:
        """Return the positions of the samples of a worker's batches, from its batch `done` on, and the bounds of the batches.

        Worker k of n makes the rank's batches k, k + n, ...
        """
        batches = np.arange(worker + workers * done, self.batches, workers, dtype=np.int64)
        lengths = np.minimum(self.batch, self._samples - batches * self.batch)
        return self._positions_of(self._samples_of(batches)), np.concatenate([[0], np.cumsum(lengths)])

    def _samples_of(self, batches: Integers) -> Integers:
        """Return the numbers of the rank's samples in its `batches`; the last batch may be shorter."""
        # Not as many as a batch has: of a batch of a billion only those that there are.
        samples = (batches[:, None] * self.batch + np.arange(min(self.batch, self._samples))).ravel()
        return samples[samples < self._samples]

    def _positions_of(self, samples: Integers) -> Integers:
        """Return the position of each of the rank's samples; a sample beyond the end repeats an earlier position."""
        positions = self.start + self.rank + self.world_size * samples
        previous = positions - self.world_size
        other = self.start + self.rank % max(1, self.left)  # for a rank that has no sample of its own
        return np.where(positions < self.total, positions, np.where(previous >= self.start, previous, other))
