"""Memory of a process and its children (Linux). Only the standard library."""

from __future__ import annotations

import os
from pathlib import Path


def resident(root: int | None = None) -> int:
    """Resident bytes of a process (default: this one) and its children (Linux); pages that are shared count in each."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry))
    total, waiting = 0, [root or os.getpid()]
    while waiting:
        pid = waiting.pop()
        waiting += parents.get(pid, [])
        try:
            total += int(Path("/proc", str(pid), "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (OSError, IndexError):
            continue
    return total
