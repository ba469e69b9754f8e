"""One iteration over a stream, from a state on, in this process or in one worker of a DataLoader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Self

import numpy as np

from rocov2_tasks.stream.batches import Batch, Plan, read_batches
from rocov2_tasks.stream.order import Order
from rocov2_tasks.stream.state import check_state

UNIT = 16
"""Samples that are decoded together if the stream returns single samples."""


class StreamIterator(Iterator[dict[str, Any]]):
    """Returns the batches, or single rows, from a state on, and counts them.

    Attributes:
        start: the state that it began with.
    """

    def __init__(self, plan: Plan, start: dict[str, Any], worker: tuple[int, int] | None) -> None:
        self._plan, self._worker = plan, worker
        self._begin(start)

    def _begin(self, start: dict[str, Any]) -> None:
        self.start = start
        self._given = start["worker"][2] if "worker" in start else 0
        self._skipped = start["skipped"]
        # The generator must not refer to this object, so that its threads end with the last reference to this object.
        self._items = _read(self._plan, start, *(self._worker or (0, 1)), self._given)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> dict[str, Any]:
        item, used, skipped = next(self._items)
        self._given += used
        self._skipped += skipped
        return item

    def state_dict(self) -> dict[str, Any]:
        """Return the state after the last item. A worker's state is valid only for the same worker."""
        state = self.start | {"skipped": self._skipped}
        if self._worker is not None:
            return state | {"worker": [*self._worker, self._given]}
        return state | {"position": self._plan.share(state["position"]).position_after(self._given)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state; torchdata loads it into the iterator."""
        self._begin(check_state(state, self._plan.layout, self._worker))


def _read(
    plan: Plan, start: dict[str, Any], worker: int, workers: int, given: int
) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield batches or rows, each with the batches (or samples) that it uses up and the samples that were left out.

    Raises:
        DamagedImageError: an image cannot be decoded, and damaged images are not skipped.
    """
    order = Order(
        tuple(group.rows for group in plan.layout.groups),
        tuple(group.bytes for group in plan.layout.groups),
        *(start[key] for key in ("shuffle", "seed", "epoch", "lanes", "window")),
    )
    positions, bounds = plan.share(start["position"]).positions(worker, workers, given)
    if plan.batch_size is None:
        bounds = np.append(np.arange(0, len(positions), UNIT), len(positions))
    sizes = np.diff(bounds).tolist()
    with closing(read_batches(plan, order, positions, bounds, workers)) as batches:
        for batch, samples in zip(batches, sizes, strict=True):
            if plan.batch_size is None:
                yield from _single(batch, samples)
            if batch.error is not None:
                raise batch.error
            if plan.batch_size is not None:
                yield batch.rows, 1, len(batch.skipped)


def _single(batch: Batch, samples: int) -> Iterator[tuple[dict[str, Any], int, int]]:
    rows = (dict(zip(batch.rows, values, strict=True)) for values in zip(*batch.rows.values(), strict=True))
    used = 0
    for number in range(samples):
        # A sample that was left out uses up its position.
        used += 1
        if number not in batch.skipped:
            yield next(rows), used, used - 1
            used = 0
