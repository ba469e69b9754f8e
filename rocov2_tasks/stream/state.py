"""The state of a stream: plain JSON, a few hundred bytes, valid for any number of ranks and workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rocov2_tasks.arguments import MOST, plain_integer, shown
from rocov2_tasks.stream.layout import SplitLayout
from rocov2_tasks.stream.world import MOST_RANKS, Worker

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

_RANGES = {
    "seed": (0, MOST),
    "epoch": (0, MOST),
    "lanes": (1, MOST_RANKS),
    "window": (1, MOST),
    "skipped": (0, MOST),
}
"""Key -> the smallest and the largest value."""


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


def check_state(state: Mapping[str, Any], layout: SplitLayout, worker: Worker | None) -> dict[str, Any]:
    """Return a copy of a state, in plain JSON, from which a stream over `layout` can resume.

    Args:
        state: the state; its integers may be of NumPy, and keys that no stream writes are left out.
        layout: layout of the stream.
        worker: this process among the workers of a DataLoader; None outside of one.

    Raises:
        ValueError: the stream cannot resume from it; the message says why.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"not the state of a PretrainingStream: expected {', '.join(_KINDS)}, found {shown(state)}")
    version = plain_integer(state.get("version"))
    if version is not None and version != STATE_VERSION:
        raise ValueError(f"the state has version {shown(version)}, but this stream needs version {STATE_VERSION}")
    checked = {key: _plain(state.get(key), kind) for key, kind in _KINDS.items()}
    wrong = [
        f"{key}={shown(state.get(key))}" if key in state else f"no {key}" for key in _KINDS if checked[key] is None
    ]
    if wrong:
        raise ValueError(
            f"not the state of a PretrainingStream: expected {', '.join(_KINDS)}, found {shown(dict(state))} ({wrong[0]})"
        )
    if checked["fingerprint"] != layout.fingerprint:
        raise ValueError(
            f"the state belongs to other data (fingerprint {_short(checked['fingerprint'])}, but {layout.root} has "
            f"{layout.fingerprint}): expected the build, configuration and split that it was taken from"
        )
    for key, (least, most) in {**_RANGES, "position": (0, layout.rows)}.items():
        if not least <= checked[key] <= most:
            raise ValueError(
                f"the state is damaged: {key} {shown(checked[key])}, expected {least:,} to {most:,}: "
                "use a state of another step"
            )
    return checked | ({"worker": _check_worker(state["worker"], layout, worker)} if "worker" in state else {})


def _plain(value: Any, kind: type) -> Any:
    """Return a value as plain JSON; None if it is of another kind."""
    if kind is int:
        return plain_integer(value)
    if kind is bool and isinstance(value, np.bool_):
        return bool(value)
    return value if isinstance(value, kind) else None


def _short(text: str) -> str:
    return text if text.isalnum() and len(text) < 100 else shown(text)


def _check_worker(value: Any, layout: SplitLayout, worker: Worker | None) -> list[int]:
    """Return number and count of the worker that a state belongs to, and how many batches it has returned."""
    fields = [plain_integer(field) for field in value] if isinstance(value, (list, tuple)) and len(value) == 3 else []
    number, count, given = fields if all(field is not None for field in fields) and fields else (0, 0, 0)
    if number is None or count is None or given is None or not (0 <= number < count and 0 <= given <= layout.rows):
        raise ValueError(
            f"the state is damaged: worker {shown(value)}, expected the number of a worker, the count of the workers, and "
            f"how many batches it has returned, at most {layout.rows:,}: use a state of another step"
        )
    if worker is None or (number, count) != (worker.number, worker.workers):
        raise ValueError(
            f"the state belongs to worker {shown(number)} of {shown(count)}: load it through the StatefulDataLoader that "
            "returned it, with as many workers, or use stream.state_at(batches), from which any number of workers can resume"
        )
    return [number, count, given]
