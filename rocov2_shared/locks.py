"""Locks that keep a second process out of a file or folder; the system releases them with the process that holds them.

Only here is `fcntl` imported, which Windows does not have: `HAS_LOCKS` is then false.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rocov2_shared.errors import UserError

try:
    import fcntl
except ImportError:
    HAS_LOCKS = False
else:
    HAS_LOCKS = True


def require_locks(what: str) -> None:
    """Require a system with locks.

    Args:
        what: the work that needs them, for the message: `converting a release`.

    Raises:
        UserError: the system has none (Windows).
    """
    if not HAS_LOCKS:
        raise UserError(f"{what} needs Linux or macOS: this system has no file locks (Python's fcntl)")


def try_lock(handle: int) -> bool:
    """Lock an open file or folder until it is closed; return False if another process has locked it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def locked_file(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock of the file `path`, which is made if it is missing, and is never removed.

    Removing it would let two processes lock two files of one name.

    Raises:
        UserError: another process holds the lock; `busy` is the message.
    """
    with path.open("a") as file:
        if not try_lock(file.fileno()):
            raise UserError(busy)
        yield
