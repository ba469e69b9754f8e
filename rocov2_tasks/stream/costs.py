"""What one iteration over a stream costs, counted as it happens."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

COUNTS = ("images", "seconds_decoding", "bytes_read", "requests", "seconds_waiting", "skipped")
"""Keys of `PretrainingStream.stats()`."""

_INDEX = {key: index for index, key in enumerate(COUNTS)}


class Costs:
    """Counts for one iteration, and adds to the counts of its process; may be used from several threads.

    Args:
        of_process: the counts of the process, in the order of `COUNTS`.
    """

    def __init__(self, of_process: npt.NDArray[np.float64] | None = None) -> None:
        self._of_process = np.zeros(len(COUNTS)) if of_process is None else of_process
        self._own = [0.0] * len(COUNTS)
        self._lock = (
            threading.Lock()
        )  # one for each iteration: a lock that is held would be so forever in a forked worker

    def add(self, **amounts: float) -> None:
        """Add to some of `COUNTS`."""
        with self._lock:
            for key, amount in amounts.items():
                self._own[_INDEX[key]] += amount
                self._of_process[_INDEX[key]] += amount

    def total(self, key: str) -> float:
        """Return one count of this iteration."""
        return self._own[_INDEX[key]]
