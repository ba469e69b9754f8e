"""The state of a stream: plain JSON, a few hundred bytes, valid for any number of ranks and workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocov2_tasks.stream.layout import SplitLayout

STATE_VERSION = 1
"""Version of order and state: a state of another version would resume in another order."""

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
"""Key -> type. `position`: samples that all ranks together have consumed; `skipped`: damaged ones that this rank left out."""


def first_state(
    layout: SplitLayout, *, shuffle: bool, seed: int, epoch: int, lanes: int, window: int
) -> dict[str, Any]:
    """Return the state before the first sample."""
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
    """Return the state at the beginning of the epoch, with changes."""
    return state | {"position": 0, "skipped": 0} | changes


def check_state(state: Mapping[str, Any], layout: SplitLayout, worker: tuple[int, int] | None) -> dict[str, Any]:
    """Return a copy of a state from which a stream over `layout` can resume.

    Args:
        state: the state.
        layout: layout of the stream.
        worker: this process's number among the workers of its DataLoader, and their count; None outside of one.

    Raises:
        ValueError: the stream cannot resume from it; the message says why.
    """
    if not isinstance(state, Mapping) or any(type(state.get(key)) is not kind for key, kind in _KINDS.items()):
        raise ValueError(f"not the state of a PretrainingStream: expected {', '.join(_KINDS)}, found {state!r}")
    if state["version"] != STATE_VERSION:
        raise ValueError(f"the state has version {state['version']}, but this stream needs version {STATE_VERSION}")
    if state["fingerprint"] != layout.fingerprint:
        raise ValueError(
            f"the state belongs to other data (fingerprint {state['fingerprint']}, but {layout.root} has "
            f"{layout.fingerprint}): expected the build, configuration and split that it was taken from"
        )
    if not 0 <= state["position"] <= layout.rows or state["lanes"] < 1 or state["window"] < 1:
        raise ValueError(f"the state is damaged: position {state['position']} of {layout.rows}, {state['lanes']} lanes")
    if "worker" in state and (worker is None or tuple(state["worker"][:2]) != worker):
        number, count, _ = state["worker"]
        raise ValueError(
            f"the state belongs to worker {number} of {count}: load it through the StatefulDataLoader that returned it, with "
            "as many workers, or use stream.state_at(batches), from which any number of workers can resume"
        )
    return dict(state)
