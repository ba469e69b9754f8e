"""How many processors a process may use."""

from __future__ import annotations

import os


def usable_processors(processes: int = 1) -> int:
    """Return the number of processors for each of `processes` processes of this machine that work at once, at least 1.

    Where the system can tell (Linux), only the processors that this process may run on are counted.
    """
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, processors // processes)
