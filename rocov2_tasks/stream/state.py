"""The state of a stream: plain JSON, a few hundred bytes, good for any number of ranks and workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocov2_tasks.stream.layout import Layout

STATE_VERSION = 1
"""Version of the order and of the state: a state of another version would go on in another order."""

_KINDS = {
    "version": int,
    "fingerprint": str,
    "shuffle": bool,
    "seed": int,
    "epoch": int,
    "lanes": int,
    "window": int,
    "position": int,
    "skipped": int,
}
"""`position`: samples of the epoch that all ranks together have consumed; `skipped`: damaged ones this rank left out."""


def first_state(layout: Layout, *, shuffle: bool, seed: int, epoch: int, lanes: int, window: int) -> dict[str, Any]:
    """The state before the first sample."""
    return {
        "version": STATE_VERSION,
        "fingerprint": layout.fingerprint,
        "shuffle": shuffle,
        "seed": seed,
        "epoch": epoch,
        "lanes": lanes,
        "window": window,
        "position": 0,
        "skipped": 0,
    }


def rewound(state: dict[str, Any], **changes: int) -> dict[str, Any]:
    """The state at the beginning of the epoch."""
    return state | {"position": 0, "skipped": 0} | changes


def check_state(state: Mapping[str, Any], layout: Layout, worker: tuple[int, int] | None) -> dict[str, Any]:
    """A state that a stream over `layout` can go on from, in this `worker` of a DataLoader or none.

    Raises:
        ValueError: says why it is none.
    """
    if not isinstance(state, Mapping) or any(type(state.get(key)) is not kind for key, kind in _KINDS.items()):
        raise ValueError(f"not the state of a PretrainingStream: expected {', '.join(_KINDS)}, found {state!r}")
    if state["version"] != STATE_VERSION:
        raise ValueError(f"the state has version {state['version']}, this stream is of version {STATE_VERSION}")
    if state["fingerprint"] != layout.fingerprint:
        raise ValueError(
            f"the state is of other data (fingerprint {state['fingerprint']}, that of {layout.root} is "
            f"{layout.fingerprint}): expected the same build, configuration and split as when it was taken"
        )
    if not 0 <= state["position"] <= layout.rows or state["lanes"] < 1 or state["window"] < 1:
        raise ValueError(f"the state is damaged: position {state['position']} of {layout.rows}, {state['lanes']} lanes")
    if "worker" in state and (worker is None or tuple(state["worker"][:2]) != worker):
        number, count, _ = state["worker"]
        raise ValueError(
            f"the state is that of worker {number} of {count} alone: load it through the StatefulDataLoader that gave it, "
            "with as many workers, or take stream.state_at(batches), which any number of workers can go on from"
        )
    return dict(state)
