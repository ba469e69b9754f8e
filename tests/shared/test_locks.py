"""A lock whose file is removed at the end: never two holders, never a file of somebody else removed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rocov2_shared.errors import UserError
from rocov2_shared.locks import locked_file
from tests.support.processes import HANG_SECONDS

PROGRAM = """
import os, sys, time
from pathlib import Path
from rocov2_shared.errors import UserError
from rocov2_shared.locks import locked_file
lock, inside, until = Path(sys.argv[1]), Path(sys.argv[2]), time.monotonic() + float(sys.argv[3])
held = 0
while time.monotonic() < until:
    try:
        with locked_file(lock, "busy"):
            os.close(os.open(inside, os.O_CREAT | os.O_EXCL))  # fails if another process is inside
            held += 1
            os.unlink(inside)
    except UserError as error:
        assert str(error) == "busy", error
print(held)
"""


def test_many_processes_never_hold_it_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "x.lock"), str(tmp_path / "inside"), "0.7"]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(6)]
    ends = [process.communicate(timeout=HANG_SECONDS) for process in processes]
    assert [error for _, error in ends] == [""] * len(processes)
    assert sum(int(held) for held, _ in ends) > len(processes)
    assert os.listdir(tmp_path) == []


def test_a_file_that_is_removed_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between opening and locking, in which the holder removes the file and a third process locks a new one."""
    lock, opened = tmp_path / "x.lock", []
    really_open = os.open

    def open_and_lose(path: object, *arguments: int) -> int:
        handle = really_open(str(path), *arguments)
        opened.append(handle)
        if len(opened) == 1:
            lock.unlink()
        return handle

    monkeypatch.setattr("os.open", open_and_lose)
    with locked_file(lock, "busy"):
        assert len(opened) == 2
        monkeypatch.undo()
        assert os.fstat(opened[1]).st_ino == lock.stat().st_ino
        with pytest.raises(UserError, match="busy"), locked_file(lock, "busy"):
            pass
    assert not lock.exists()


def test_a_lock_that_somebody_replaced_is_not_removed(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with locked_file(lock, "busy"):
        lock.unlink()
        lock.write_text("mine")
    assert lock.read_text() == "mine"


@pytest.mark.parametrize("kind", ["content", "folder", "link", "pipe"])
def test_what_is_somebody_elses_is_named_and_stays(tmp_path: Path, kind: str) -> None:
    """`poetry.lock` is beside a folder `poetry`, and no lock."""
    lock = tmp_path / "poetry.lock"
    if kind == "content":
        lock.write_text("[[package]]")
    elif kind == "folder":
        lock.mkdir()
    elif kind == "link":
        lock.symlink_to("nothing")
    else:
        os.mkfifo(lock)
    with pytest.raises(UserError) as caught, locked_file(lock, "busy"):
        pass
    assert str(caught.value) == (
        f"{lock} is needed as a lock, but this program did not make it: move it, or choose another folder"
    )
    assert os.listdir(tmp_path) == ["poetry.lock"]


def test_a_folder_that_became_read_only_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    with locked_file(tmp_path / "x.lock", "busy"):
        monkeypatch.setattr(Path, "unlink", refuse)
    with locked_file(tmp_path / "x.lock", "busy"):
        pass
