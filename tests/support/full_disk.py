"""Exports on a disk that is full at a chosen write: `python full_disk.py NUMBER MARK REPOSITORY OUTPUT --format ...`.

The write of this number below OUTPUT fails for want of space, also of every file that is opened later; MARK is a file that
says so. Files that pyarrow writes by itself are not counted.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.crash import PROJECT, CountedWrites, finish, tree

EXPORTS = ("webdataset", "llamafactory", "vlmevalkit")


def export_onto_full_disk(repository: Path, output: Path, format: str, number: int) -> bool:
    """Export once with a full disk, and once more as it is.

    Returns:
        Whether there were so many writes.

    Raises:
        AssertionError: another message than that of a full disk, something is left behind, or the second export fails.
    """
    folder, mark = output.parent, output.parent.with_name(f"{output.parent.name}.mark")
    mark.unlink(missing_ok=True)
    folder.mkdir()
    split = ["--split", "test"] if format == "vlmevalkit" else []
    arguments = [str(repository), str(output), "--format", format, *split, "--quiet"]
    code, error = finish(_start(__file__, str(number), str(mark), *arguments))
    full = mark.exists()
    if full:
        expected = f"Error: No space left on device; {output} was not made. "
        assert code == 1, (code, error)
        assert error.startswith(expected.rstrip(". ")), error
        assert "Traceback" not in error, error
        assert not list(folder.iterdir()), list(folder.iterdir())
        assert finish(_start(str(PROJECT / "scripts" / "export.py"), *arguments)) == (0, "")
    else:
        assert (code, error) == (0, "")
    assert tree(output)
    shutil.rmtree(folder)
    return full


def _start(*command: str) -> subprocess.Popen[str]:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PROJECT)}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *command], env=environment, **pipes)


def _arm(number: int, mark: Path, output: Path) -> None:
    taken = 0

    def counted(write: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken >= number:
                os.close(os.open(mark, os.O_CREAT))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(*arguments)

        return step

    def open_counted(path: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = original(path, mode, *arguments, **options)
        inside = isinstance(path, str | os.PathLike) and os.fspath(path).startswith(os.fspath(output))
        return CountedWrites(file, counted(file.write)) if inside and set(mode) & set("wxa") else file

    original = io.open
    io.open = builtins.open = tarfile.bltn_open = open_counted  # type: ignore[assignment, attr-defined]


if __name__ == "__main__":
    from rocov2_commands.main import run_verb

    number, mark, *sys.argv[1:] = sys.argv[1:]
    _arm(int(number), Path(mark), Path(sys.argv[2]))
    run_verb("export")
