"""Where a command may write: never into its own input, and only where a folder can be renamed into place."""

from __future__ import annotations

import os
import re
from pathlib import Path

from rocov2_shared.errors import UserError

_MOUNTS = Path("/proc/self/mountinfo")


def resolve_output(output: Path, argument: str = "OUTPUT") -> Path:
    """Return the folder to make for `output`; if it is a link, the link's target, which need not exist yet.

    Args:
        output: the path that the user named.
        argument: its name, for messages.

    Raises:
        UserError: nothing can be renamed onto `output`: it is a mount point or the current folder, or a link to itself.
    """
    target = output
    if output.is_symlink() or output.name in ("", ".."):
        target = Path(os.path.realpath(output))
    shown = f"{output} ({target})" if target != output else f"{output}"
    if target.is_symlink():
        raise UserError(f"{argument} {output} is a link that leads back to itself: name another folder")
    if _is_same(target, Path()):
        raise UserError(
            f"{argument} must be a new folder, not the current one ({output}): name a folder in it, such as rocov2"
        )
    if is_mount_point(target):
        raise UserError(
            f"{argument} {shown} is a mount point, onto which no folder can be renamed: name a folder in it, such as "
            f"{target / 'rocov2'}"
        )
    return target


def is_mount_point(folder: Path) -> bool:
    """Return whether a file system is mounted at `folder`, so that it can be neither renamed nor replaced."""
    if os.path.ismount(folder):
        return True
    # ismount() compares devices, so it does not see a folder that is mounted from elsewhere on the same file system.
    try:
        mounts = _MOUNTS.read_bytes().splitlines()
    except OSError:  # not Linux
        return False
    real = os.path.realpath(os.fsencode(folder))
    return any(_unescape(fields[4]) == real for line in mounts if len(fields := line.split()) > 4)


def _unescape(path: bytes) -> bytes:
    """Return a path of mountinfo, where a blank is a backslash and its octal number, 040."""
    return re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), path)


def require_apart(output: Path, source: Path, names: tuple[str, str]) -> None:
    """Require that neither of two paths is the other or contains it. Links are followed; neither need exist.

    Args:
        output: a folder that is written or replaced.
        source: what is read.
        names: of the two arguments, for messages: `("OUTPUT", "RAW")`.

    Raises:
        UserError: one contains the other.
    """
    written, read = (f"{name} ({path})" for name, path in zip(names, (output, source), strict=True))
    inside, around = _contains(source, output), _contains(output, source)
    if inside and around:
        found = f"{written} is the same as {read}"
    elif inside:
        found = f"{written} is inside {read}"
    elif around:
        found = f"{read} is inside {written}"
    else:
        return
    raise UserError(f"{found}: name a folder outside for {names[0]}, so that nothing that is read is overwritten")


def _contains(folder: Path, path: Path) -> bool:
    """Return whether `path` is `folder`, or is below it."""
    real = Path(os.path.realpath(path))
    return any(_is_same(parent, folder) for parent in (real, *real.parents))


def _is_same(one: Path, other: Path) -> bool:
    try:  # by number, so that neither the case of letters nor a second mount makes one folder two
        return os.path.samefile(one, other)
    except OSError:  # one is missing
        return os.path.realpath(one) == os.path.realpath(other)
