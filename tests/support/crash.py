"""Conversions that are killed, or whose disk is full, at a chosen moment, and what must hold afterwards.

As a program this is `convert_to_parquet.py` with a bomb: `CRASH=parent:kill:17` ends the process before the 17th step that
it takes in the file system, `worker:full:3` lets the third write of the first worker that gets so far fail for want of
space. One bomb goes off once (`CRASH_MARK` is the file that says so). `CRASH_STEPS` lists the steps of a parent that ends.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.processes import HANG_SECONDS, workers_of

PROJECT = Path(__file__).resolve().parents[2]
SCRIPT = PROJECT / "scripts" / "convert_to_parquet.py"

_taken: list[str] = []


def _arm(role: str, kind: str, number: int) -> None:
    """Patch the file system's functions of this process so that the bomb goes off before step `number`."""

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **options: Any) -> Any:
            _taken.append(f"{original.__name__} {' '.join(map(str, arguments))}" if kind == "kill" else "write")
            if len(_taken) == number and _is_first():
                if kind == "kill":
                    os.kill(os.getpid(), signal.SIGKILL)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments, **options)

        return step

    if __name__ != {"parent": "__main__", "worker": "__mp_main__"}[role]:
        return
    if kind == "kill":
        for name in ("fsync", "rename", "unlink", "mkdir", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))
    else:
        original_open = Path.open

        def open_counted(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            file = original_open(self, mode, *arguments, **options)
            return CountedWrites(file, counted(file.write)) if mode == "xb" else file

        Path.open = open_counted  # type: ignore[method-assign]


class CountedWrites:
    """A file whose `write` is counted."""

    def __init__(self, file: Any, write: Callable[..., Any]) -> None:
        self._file, self.write = file, write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> CountedWrites:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _is_first() -> bool:
    try:
        os.close(os.open(os.environ["CRASH_MARK"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def start(raw: Path, output: Path, *options: str, bomb: str = "") -> subprocess.Popen[str]:
    """Start a conversion in a session of its own, with a bomb or as it is."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONPATH": str(PROJECT)}
    if bomb:
        mark = output.with_name("crash.mark")
        mark.unlink(missing_ok=True)
        environment |= {"CRASH": bomb, "CRASH_MARK": str(mark), "CRASH_STEPS": str(output.with_name("crash.steps"))}
    command = [
        sys.executable,
        str(Path(__file__) if bomb else SCRIPT),
        str(raw),
        str(output),
        "--release",
        "any",
        "--no-pictures",
        *options,
    ]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end: exit code and what was said on standard error."""
    _, error = process.communicate(timeout=HANG_SECONDS)
    return process.returncode, error


def went_off(output: Path) -> bool:
    """Whether the bomb of the last conversion went off."""
    return output.with_name("crash.mark").exists()


def steps_of(output: Path) -> list[str]:
    """What the parent of the last conversion with a bomb did, one line a step: its name and paths."""
    return output.with_name("crash.steps").read_text().splitlines()


def tree(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def leftovers(output: Path) -> list[str]:
    """What is left beside OUTPUT, and should not be, after a successful conversion."""
    return [path.name for path in output.parent.glob(f"{output.name}.*")]


def kill(process: subprocess.Popen[str], whom: str) -> None:
    """Kill -9 the `group`, the `parent` alone, or one `worker`."""
    if whom == "group":
        os.killpg(process.pid, signal.SIGKILL)
    elif whom == "parent":
        process.kill()
    else:
        for pid in workers_of(process.pid)[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def kill_after(process: subprocess.Popen[str], seconds: float, whom: str) -> None:
    """Kill after a while, or not at all when the conversion has ended by then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return
        time.sleep(0.002)
    kill(process, whom)


if "CRASH" in os.environ:  # also in the workers, which import the main module anew
    _role, _kind, _number = os.environ["CRASH"].split(":")
    _arm(_role, _kind, int(_number))

if __name__ == "__main__":
    from rocov2_commands.main import run_verb

    try:
        run_verb("convert")
    finally:
        Path(os.environ["CRASH_STEPS"]).write_text("\n".join(_taken))
