"""Locks that keep a second process out of a file or folder; the system releases them with the process that holds them.

Only here is `fcntl` imported, which Windows does not have: `HAS_LOCKS` is then false.
"""

from __future__ import annotations

import contextlib
import os
import stat
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


def is_at(handle: int, path: Path) -> bool:
    """Return whether an open file or folder is the one at `path`, and not one that was removed or renamed meanwhile."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except OSError:
        return False


@contextmanager
def locked_file(path: Path, busy: str) -> Iterator[None]:
    """Hold the lock of the empty file `path`, which is made if it is missing, and removed at the end.

    It is removed while the lock is held. A process that opened it before then locks a file without a name, sees that, and
    tries again: two processes never hold the locks of two files of one name.

    Raises:
        UserError: another process holds the lock; `busy` is the message. Or something else is at `path`.
    """
    handle = _open_locked(path, busy)
    try:
        yield
    finally:
        if is_at(handle, path):
            with contextlib.suppress(
                OSError
            ):  # such as a folder that is now read-only: the next process takes the lock
                path.unlink()
        os.close(handle)


def require_lock_file(path: Path) -> None:
    """Check that `locked_file` may use `path`: it is missing, or an empty file.

    Raises:
        UserError: it is somebody's own, and removing it would lose something.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(found.st_mode) or found.st_size:
        raise UserError(
            f"{path} is needed as a lock, but this program did not make it: move it, or choose another folder"
        )


def _open_locked(path: Path, busy: str) -> int:
    while True:
        require_lock_file(path)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            locked = try_lock(handle)
            current = is_at(handle, path)
            if locked and current:
                return handle
            if current:
                raise UserError(busy)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # another process has removed it meanwhile
