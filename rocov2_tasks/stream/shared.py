"""What a stream shares with the workers of a DataLoader, also persistent ones: where an iteration begins, and counts.

Once the program has imported torch, both are in memory that torch shares between processes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from rocov2_tasks.stream.costs import COUNTS, Costs
from rocov2_tasks.stream.state import rewound
from rocov2_tasks.stream.world import Worker

_ROOM = 2048
"""Bytes of a state as JSON."""

_WORKERS = 1024
"""Workers of a DataLoader that are told apart."""


class _Array:
    """An array of NumPy; once shared, it is in memory that torch shares between processes."""

    def __init__(self, shape: tuple[int, ...], dtype: type) -> None:
        self._plain: npt.NDArray[Any] = np.zeros(shape, dtype)
        self._tensor: Any = None

    def share(self) -> None:
        """Move the array to shared memory. The program must have imported torch."""
        if self._tensor is None:
            self._tensor = sys.modules["torch"].from_numpy(self._plain).share_memory_()

    @property
    def values(self) -> npt.NDArray[Any]:
        """The array itself: changes are seen by all processes."""
        values: npt.NDArray[Any] = self._plain if self._tensor is None else self._tensor.numpy()
        return values


class Start:
    """The state from which the next iteration begins, here or in the workers of a DataLoader.

    A loaded position is for one iteration. In this process `take` uses it up. The workers of a DataLoader start in their
    own time and cannot ask each other: the first of them enters the number of its iteration, which all its workers know, so
    that a later iteration, with another number, begins at the beginning of the epoch.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = _Array((_ROOM,), np.uint8)
        self._turns = _Array((3 + _WORKERS,), np.int64)
        """The first iteration, whether there was a later one, whether it resumed by itself; 1 for each worker in it."""
        self.set(state)

    def share(self) -> None:
        """Share the state with other processes. The program must have imported torch."""
        self._state.share()
        self._turns.share()

    def set(self, state: dict[str, Any]) -> None:
        """Change the state. Nothing reads it at the same time: workers read it when an epoch begins."""
        self._state.values[:] = list(json.dumps(state).encode().ljust(_ROOM, b"\0"))
        self._turns.values[:] = 0

    def get(self) -> dict[str, Any]:
        """Return the state from which the latest iteration of workers began; without one, that of the next iteration."""
        return rewound(self._loaded()) if self._turns.values[1] else self._loaded()

    def next(self) -> dict[str, Any]:
        """Return the state from which the next iteration begins."""
        return rewound(self._loaded()) if self.begun else self._loaded()

    def take(self) -> dict[str, Any]:
        """Return the state from which an iteration in this process begins now."""
        state = self.next()
        self.set(rewound(state))
        return state

    def take_in_worker(self, worker: Worker, turn: int) -> dict[str, Any]:
        """Return the state from which an iteration begins now in a worker.

        Args:
            turn: how many iterations the stream has begun in this process.
        """
        turns = self._turns.values
        iteration = hash((worker.seed, worker.workers, turn)) & (2**63 - 1) | 1
        slot = 3 + worker.number % _WORKERS
        if not turns[0]:
            turns[0] = iteration
        # A program that seeds torch anew gives two iterations the same number, but a worker begins only once in each.
        if turns[0] != iteration or turns[slot]:
            turns[1] = 1
        turns[slot] = 1
        return self.get()

    def resumed_in_worker(self) -> None:
        """Note that the workers go on from states of their own, which only the loader knows."""
        self._turns.values[2] = 1

    @property
    def begun(self) -> bool:
        """Whether workers have begun an iteration since the state was set."""
        return bool(self._turns.values[0])

    @property
    def resumed(self) -> bool:
        """Whether the workers go on from states of their own."""
        return bool(self._turns.values[2])

    def _loaded(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(bytes(self._state.values).rstrip(b"\0"))
        return state


class Stats:
    """What streaming costs, counted by this process and by each worker of a DataLoader."""

    def __init__(self) -> None:
        self._counts = _Array((1 + _WORKERS, len(COUNTS)), np.float64)

    def share(self) -> None:
        """Let workers count, too. The program must have imported torch."""
        self._counts.share()

    def costs_of(self, worker: Worker | None) -> Costs:
        """Return what one iteration counts with."""
        return Costs(self._counts.values[0 if worker is None else 1 + worker.number % _WORKERS])

    def sums(self) -> dict[str, int | float]:
        """Return the sums over all processes; seconds as a float, numbers as integers."""
        sums = zip(COUNTS, self._counts.values.sum(0).tolist(), strict=True)
        return {key: value if key.startswith("seconds") else int(value) for key, value in sums}
