"""Run a whole command and see what it and all processes that it starts need. Linux: everything is read from /proc."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PERIOD = 0.1
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """What a command needed.

    Attributes:
        seconds: from its start to its exit.
        processor: seconds of all processors, over all its processes.
        parent: peak resident memory of the process itself, in bytes.
        worker: peak resident memory of the largest other process, in bytes; pages that are shared count in each.
        tree: peak of the sum over all its processes at one moment, in bytes, pages that are shared in each; seen every
            tenth of a second, so that a short peak of several processes may be missed.
        private: the same without pages of files: mapped files are given up where memory is short.
        output, error: what it wrote to standard output and standard error.
    """

    seconds: float = 0.0
    processor: float = 0.0
    parent: int = 0
    worker: int = 0
    tree: int = 0
    private: int = 0
    output: str = ""
    error: str = ""


@dataclass
class _Session:
    """The processes of the session that a command leads; each is seen until shortly before it ends."""

    leader: int
    processor: dict[int, float] = field(default_factory=dict)
    peak: dict[int, int] = field(default_factory=dict)
    tree: int = 0
    private: int = 0

    def look(self) -> None:
        resident = private = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) != self.leader or fields[0] == "Z":
                    continue
                status = (entry / "status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            pid = int(entry.name)
            self.processor[pid] = (int(fields[11]) + int(fields[12])) / _TICK
            if "VmHWM:" in status:  # not while a process is being made
                self.peak[pid] = _memory(status, "VmHWM")
                resident += _memory(status, "VmRSS")
                private += _memory(status, "RssAnon") + _memory(status, "RssShmem")
        self.tree, self.private = max(self.tree, resident), max(self.private, private)


def _memory(status: str, name: str) -> int:
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def run(command: list[str], environment: Mapping[str, str] | None = None) -> Usage:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    begin = time.monotonic()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    session = _Session(process.pid)
    while True:
        session.look()
        try:
            output, error = process.communicate(timeout=_PERIOD)
            break
        except subprocess.TimeoutExpired:
            continue
    seconds = time.monotonic() - begin
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)}: exit code {process.returncode}\n{error}")
    others = [peak for pid, peak in session.peak.items() if pid != process.pid]
    return Usage(
        seconds,
        sum(session.processor.values()),
        session.peak.get(process.pid, 0),
        max(others, default=0),
        max(session.tree, session.peak.get(process.pid, 0)),
        session.private,
        output,
        error,
    )


def drop_caches() -> None:
    """Forget what the kernel keeps of files, so that the next run reads the disk; needs root.

    Raises:
        PermissionError: this is not root.
    """
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def machine() -> str:
    """The machine in a line."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = next((line.partition(": ")[2] for line in cpuinfo.splitlines() if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{model}, {len(os.sched_getaffinity(0))} processors, {memory / 2**30:.0f} GiB"
