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
    """Yield a binary file that is renamed to `path` at the end, synced to disk, or removed after an error.

    Each attempt has a temporary name of its own: several may write the same `path`.
    """
    temporary = path.with_name(_temporary_name(path.name, os.getpid(), os.urandom(4).hex()))
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        sync_path(path.parent)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # a full disk, as told by a file that is open
            error.filename = str(path)
        temporary.unlink(missing_ok=True)
        raise


def remove_unfinished(path: Path, pid: int | None) -> None:
    """Remove the unfinished files that a killed process has left for `path`; of every process if `pid` is None."""
    for stray in path.parent.glob(_temporary_name(glob.escape(path.name), pid, "*")):
        stray.unlink(missing_ok=True)


def _temporary_name(name: str, pid: int | None, attempt: str) -> str:
    return f".{name}.{pid}-{attempt}.tmp"


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all. Bytes of a file name that were not UTF-8 become an escape sequence."""
    with write_whole(path) as file:
        file.write(text.encode(errors="backslashreplace"))


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all; the same value gives the same bytes."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def sync_path(path: Path) -> None:
    """Make the content of a file, or the names in a folder, survive a loss of power.

    Does nothing where the system cannot open a folder (Windows): what `write_whole` writes is synced there, too.
    """
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def list_files(folder: Path) -> list[str]:
    """Return the files below a folder, relative to it with `/`, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
