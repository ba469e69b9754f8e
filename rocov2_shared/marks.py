"""Marks in folders of unfinished work. Only a folder with the mark is reused or removed: its name may be somebody's own."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path

from rocov2_shared.errors import UserError
from rocov2_shared.files import sync_path
from rocov2_shared.output_paths import is_mount_point
from rocov2_shared.printable import printable
from rocov2_shared.sizes import format_count

MARK = ".rocov2-unfinished"
_TEXT = b"rocov2 made this folder for unfinished work: the same command resumes or removes it.\n"
_OF_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_MAX_LISTED = 5


def claim_folder(folder: Path) -> None:
    """Make a folder for unfinished work and mark it, or take over one that has the mark or is empty.

    Raises:
        UserError: something else has the name of `folder`.
    """
    require_claimable(folder)
    folder.mkdir(exist_ok=True)
    if is_marked(folder):
        return
    handle = os.open(folder / MARK, os.O_WRONLY | os.O_CREAT, 0o666)  # the name is the mark, so half a text does
    try:
        os.write(handle, _TEXT)
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_path(folder)


def require_claimable(folder: Path) -> None:
    """Check that `claim_folder` would take `folder`, and change nothing.

    Raises:
        UserError: something else has the name of `folder`.
    """
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir() or not (is_marked(folder) or not any(folder.iterdir())):
        raise UserError(
            f"{folder} is needed for unfinished work, but this program did not make it: move it, or name another folder"
        )
    if is_mount_point(folder):
        raise UserError(f"{folder} is a mount point, out of which no folder can be renamed: unmount it")


def is_marked(folder: Path) -> bool:
    """Return whether a command of this project made the folder for unfinished work."""
    return not folder.is_symlink() and (folder / MARK).is_file()


def clear_claimed(folder: Path) -> None:
    """Remove everything in a folder but its mark."""
    for path in folder.iterdir():
        if path.name != MARK:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def remove_claimed(folder: Path) -> None:
    """Remove a folder of unfinished work as far as that is possible; the mark last, so that a kill leaves it marked."""
    if not is_marked(folder):
        with contextlib.suppress(OSError):  # only an empty one: of a command that was killed just before its end
            folder.rmdir()
        return
    for path in folder.iterdir():
        if path.name != MARK:
            shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):  # something could not be removed: the next command tries again
        clear_claimed(folder)
        (folder / MARK).unlink()
        folder.rmdir()


def find_strangers(folder: Path, known: Collection[str]) -> list[str]:
    """Return what is below a folder and not in `known`, sorted; a folder without a known file as `name/`.

    Args:
        folder: the folder; empty folders below it, and files of desktops such as `.DS_Store`, are passed over.
        known: paths of files relative to it, with `/`.
    """
    own = {parent.as_posix() for path in known for parent in Path(path).parents}
    strangers = []
    for place, folders, files in os.walk(folder):
        inside = Path(place).relative_to(folder)
        paths = [(inside / name).as_posix() for name in files if name not in _OF_DESKTOPS]
        for name in list(folders):
            path = inside / name
            is_link = (folder / path).is_symlink()
            if is_link:
                paths.append(path.as_posix())
            elif path.as_posix() not in own:
                folders.remove(name)
                strangers += [f"{path.as_posix()}/"] if _has_files(folder / path) else []
        strangers += [path for path in paths if path not in known]
    return sorted(strangers)


def _has_files(folder: Path) -> bool:
    return any(
        files or any(Path(place, name).is_symlink() for name in folders) for place, folders, files in os.walk(folder)
    )


def require_no_strangers(folder: Path, known: Collection[str], made_by: str) -> None:
    """Require that a folder that is to be replaced can be removed, and contains only known files; see `find_strangers`.

    Args:
        folder: the folder.
        known: paths of files relative to it.
        made_by: what makes such folders, for the message: `build`.

    Raises:
        UserError: names the others, or what is protected.
    """
    strangers = find_strangers(folder, known)
    if not strangers:
        _require_writable(folder)
        return
    more = len(strangers) - _MAX_LISTED
    names = ", ".join(map(printable, strangers[:_MAX_LISTED])) + (f" and {more:,} more" if more > 0 else "")
    count = format_count(len(strangers), "file or folder", "files and folders")
    raise UserError(f"{folder} contains {count} that no {made_by} made ({names}): move them, or name another folder")


def _require_writable(folder: Path) -> None:
    """Require that the files below a folder may be removed. Without it, all work is done before the removal fails."""
    for place, _, files in os.walk(folder):
        if (files or Path(place) == folder) and not os.access(place, os.W_OK | os.X_OK):
            raise UserError(
                f"{place} is write-protected, so it cannot be replaced: allow writing (chmod -R u+w), or name another "
                "folder"
            )
