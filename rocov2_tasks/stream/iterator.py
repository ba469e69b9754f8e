"""One iteration over a stream, from a state on, in this process or in one worker of a DataLoader."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Self

import numpy as np

from rocov2_tasks.stream.batches import Plan, read_batches
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.order import Order
from rocov2_tasks.stream.state import check_state
from rocov2_tasks.stream.world import ALONE, Worker

UNIT = 16
"""Samples that are decoded together if the stream returns single samples."""


class StreamIterator(Iterator[dict[str, Any]]):
    """Returns the batches, or single rows, from a state on, and counts them.

    Args:
        plan: what it returns.
        start: the state.
        worker: this process among the workers of a DataLoader; None outside of one.
        costs: counts what it costs.
        on_load: called when a state is loaded.

    Attributes:
        start: the state that it began with.
    """

    def __init__(
        self,
        plan: Plan,
        start: dict[str, Any],
        worker: Worker | None,
        costs: Costs,
        on_load: Callable[[], None] = lambda: None,
    ) -> None:
        self._plan, self._worker, self._costs, self._on_load = plan, worker, costs, on_load
        self._begin(start)

    def _begin(self, start: dict[str, Any]) -> None:
        self.start = start
        self._given = start["worker"][2] if "worker" in start else 0
        self._skipped = start["skipped"]
        # The generator must not refer to this object, so that its threads end with the last reference to this object.
        self._items = _read(self._plan, start, self._worker or ALONE, self._given, self._costs)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        began = time.perf_counter()
        item, skipped = next(self._items)
        self._costs.add(seconds_waiting=time.perf_counter() - began)
        self._given += 1
        self._skipped += skipped
        return item

    def state_dict(self) -> dict[str, Any]:
        """Return the state after the last item. A worker's state is valid only for the same worker."""
        state = self.start | {"skipped": self._skipped}
        if self._worker is not None:
            return state | {"worker": [self._worker.number, self._worker.workers, self._given]}
        return state | {"position": self._plan.share(state["position"]).position_after(self._given)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state; torchdata loads it into the iterator."""
        self._begin(check_state(state, self._plan.layout, self._worker))
        self._on_load()


def _read(
    plan: Plan, start: dict[str, Any], worker: Worker, given: int, costs: Costs
) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield batches or rows, each with the number of samples that were left out of it.

    Raises:
        DamagedImageError: an image cannot be decoded, and damaged images are not skipped.
    """
    order = Order(
        tuple(group.rows for group in plan.layout.groups),
        tuple(group.bytes for group in plan.layout.groups),
        *(start[key] for key in ("shuffle", "seed", "epoch", "lanes", "window")),
    )
    positions, bounds = plan.share(start["position"]).positions(worker.number, worker.workers, given)
    if plan.batch_size is None:
        bounds = np.append(np.arange(0, len(positions), UNIT), len(positions))
    with closing(read_batches(plan, order, positions, bounds, worker, costs)) as batches:
        for batch in batches:
            if batch.skipped and batch.error is None:
                costs.add(skipped=len(batch.skipped))
            if plan.batch_size is None:
                for values in zip(*batch.rows.values(), strict=True):
                    yield dict(zip(batch.rows, values, strict=True)), 0
            if batch.error is not None:
                raise batch.error
            if plan.batch_size is not None:
                yield batch.rows, len(batch.skipped)
