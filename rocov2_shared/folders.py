"""A folder that appears under its name only whole: it is written beside it, and renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rocov2_shared.errors import UserError
from rocov2_shared.files import sync_path
from rocov2_shared.locks import HAS_LOCKS, is_at, try_lock
from rocov2_shared.marks import claim_folder, clear_claimed, remove_claimed, require_claimable
from rocov2_shared.output_paths import resolve_output

_UNFINISHED = ".exporting"
_CONTENT = "content"


@contextmanager
def new_folder(
    output: Path, replaces: Callable[[Path], bool] | None = None, fill: str | None = None, argument: str = "OUTPUT"
) -> Iterator[Path]:
    """Yield a folder to write into, inside `OUTPUT.exporting`; it is renamed to `output` at the end, or removed on an error.

    Two processes cannot write the same `output`: the folder is locked. It has a mark: the next process removes what a killed
    one has left, and nothing else of that name. Where the system has no locks (Windows), the folder has a name of its own
    instead, and what a killed process has left stays.

    Args:
        output: the folder to make, or a link to it. Its parents are made if they are missing.
        replaces: whether a folder with content at `output` may be replaced; by default none may. A kill in the moment
            between two renames leaves it as `OUTPUT.replaced-<number>`.
        fill: keep an empty folder at `output`, which may be somebody's working directory or a mount point, and move the
            content into it file by file; this file is the last. By default an empty folder is replaced.
        argument: its name, for messages.

    Raises:
        UserError: `output` is not empty, or is a file or a mount point, or another process is writing it; or something else
            has the name of the unfinished folder.
    """
    within = fill is not None and output.is_dir()
    output = (Path(os.path.realpath(output)) if within else resolve_output(output, argument)).absolute()
    unfinished = output / _UNFINISHED if within else output.with_name(output.name + _UNFINISHED)
    _require_free(output, unfinished, replaces)
    require_claimable(unfinished)
    output.parent.mkdir(parents=True, exist_ok=True)
    with _locked_folder(unfinished, output) as folder:
        try:
            claim_folder(folder)
            clear_claimed(folder)
            content = folder / _CONTENT
            content.mkdir()
            yield content
            for path in [*content.rglob("*"), content]:
                sync_path(path)
            _require_free(output, folder, replaces)
            if within:
                _fill(output, content, str(fill))
            else:
                _put(content, output)
            sync_path(output.parent)
        finally:
            remove_claimed(folder)


def _require_free(output: Path, unfinished: Path, replaces: Callable[[Path], bool] | None) -> None:
    there = next(path for path in (output, *output.parents) if path.exists() or path.is_symlink())
    if not there.is_dir():
        raise UserError(f"{there} is a file, not a folder: name a new folder")
    if there == output and any(path != unfinished for path in output.iterdir()) and not (replaces and replaces(output)):
        raise UserError(f"{output} is not empty: name a new folder, or remove it first")


@contextmanager
def _locked_folder(folder: Path, output: Path) -> Iterator[Path]:
    """Make the folder and lock it; without locks, make one that is this process's own."""
    if not HAS_LOCKS:
        own = folder.with_name(f"{folder.name}.{os.getpid()}-{os.urandom(4).hex()}")
        own.mkdir()
        yield own
        return
    handle = _lock(folder, output)
    try:
        require_claimable(folder)
        yield folder
    finally:
        os.close(handle)


def _lock(folder: Path, output: Path) -> int:
    while True:
        folder.mkdir(exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if not try_lock(handle):
                raise UserError(f"another process is writing {output}: wait for it, or name another folder")
            if is_at(handle, folder):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # another process has renamed or removed it meanwhile


def _put(folder: Path, output: Path) -> None:
    """Rename `folder` to `output`, whose content may be replaced."""
    if not output.is_dir():
        folder.rename(output)
        return
    # A rename onto a folder with content fails, and on Windows onto any.
    replaced = output.with_name(f"{output.name}.replaced-{os.urandom(4).hex()}")
    output.rename(replaced)
    try:
        folder.rename(output)
    except BaseException:
        replaced.rename(output)
        raise
    shutil.rmtree(replaced)


def _fill(output: Path, folder: Path, last: str) -> None:
    moved: list[Path] = []
    try:
        for path in sorted(folder.iterdir(), key=lambda path: path.name == last):
            target = output / path.name
            path.rename(target)
            moved.append(target)
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise
