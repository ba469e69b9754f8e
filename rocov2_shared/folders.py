"""A folder that appears under its name only whole: it is written beside it, and renamed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rocov2_shared.errors import UserError


@contextmanager
def new_folder(output: Path) -> Iterator[Path]:
    """A folder to write into, `OUTPUT.exporting`; renamed to `output` when the block ends well, and else removed.

    What an attempt that was killed has left there is removed first. Two processes cannot be at work on one `output`.

    Raises:
        UserError: `output` is there and not empty, or is no folder; or another process is at work on it.
    """
    output = output.absolute()
    _require_free(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = output.with_name(f"{output.name}.exporting")
    lock = _lock(folder, output)
    try:
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        yield folder
        for path in [*folder.rglob("*"), folder]:
            _sync(path)
        _require_free(output)
        folder.rename(output)
        _sync(output.parent)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(lock)


def _require_free(output: Path) -> None:
    if output.is_dir():
        if any(output.iterdir()):
            raise UserError(f"{output} is not empty: name a new folder, or remove it first")
    elif output.exists() or output.is_symlink():
        raise UserError(f"{output} is there and is no folder: name a new one")


def _lock(folder: Path, output: Path) -> int:
    """Make the folder and lock it, for as long as the returned file descriptor is open."""
    while True:
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists() and os.path.samestat(os.fstat(handle), folder.stat()):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise UserError(f"another export to {output} is at work: wait for it, or name another folder") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # another process has renamed or removed it meanwhile


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
