"""Processes of this machine, and waiting for what they do."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

HANG_SECONDS = 300.0
"""The limit of what a test waits for. It only ends what hangs: a busy machine may take ten times as long as an idle one."""


class Process(NamedTuple):
    """A process as /proc shows it."""

    pid: int
    state: str
    parent: int
    session: int


def processes() -> Iterator[Process]:
    """All that there are."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent, _, session, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield Process(int(entry.name), state, int(parent), int(session))


def workers_of(parent: int) -> list[int]:
    """Worker processes of a conversion: children of its fork server."""
    by_parent: dict[int, list[int]] = {}
    for process in processes():
        by_parent.setdefault(process.parent, []).append(process.pid)
    return [worker for server in by_parent.get(parent, []) for worker in by_parent.get(server, [])]


def led_by(leader: int) -> list[int]:
    """Living processes of the session of `leader`, but itself."""
    return [
        process.pid
        for process in processes()
        if process.session == leader and process.pid != leader and process.state != "Z"
    ]


def wait_until(condition: Callable[[], object], seconds: float = HANG_SECONDS) -> None:
    """Wait until something holds, and fail when it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def free_port() -> int:
    """A free port outside of the range from which the system gives servers of other tests theirs."""
    for _ in range(100):
        port = random.randrange(10_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no free port")
