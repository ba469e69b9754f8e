"""Files that appear under their name only whole and safe on disk."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def write_whole(path: Path) -> Iterator[BinaryIO]:
    """A binary file that is renamed to `path` when the block ends well, after it and its name are synced to disk.

    An exception removes it. Its temporary name is this attempt's own: several may be at work on one `path`.
    """
    temporary = path.with_name(_temporary_name(path.name, os.getpid(), os.urandom(4).hex()))
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_unfinished(path: Path, pid: int | None) -> None:
    """Remove what a process that was killed left of `path`."""
    for stray in path.parent.glob(_temporary_name(glob.escape(path.name), pid, "*")):
        stray.unlink(missing_ok=True)


def _temporary_name(name: str, pid: int | None, attempt: str) -> str:
    return f".{name}.{pid}-{attempt}.tmp"


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    with write_whole(path) as file:
        file.write(text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write JSON that is the same for the same value, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
