"""What a Dask worker runs: a task, after it has checked that it has what the task needs.

A worker writes each file under a name of this attempt alone; only the command moves it into place. So an attempt that nobody
waits for any more (its command was killed, its worker was taken for dead) can go on without harm.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from stat import S_ISDIR

from rocov2_build.worker.scale import scaler_versions
from rocov2_build.worker.task import CheckTask, FileFacts, ImageFault, ShardTask, Task
from rocov2_build.worker.write import run_task
from rocov2_shared.errors import UserError

RUN_AGAIN = "run the same command again to resume; this works without --scheduler too, on one machine"
"""The remedy of most faults of a cluster."""

_PROJECT = Path(__file__).resolve().parents[2]
_LINES = 10
"""How many faults a message lists."""


@functools.cache
def versions() -> dict[str, str]:
    """Return what decides the bytes of a file; computed once, since a worker keeps running the code that it started with."""
    source = hashlib.sha256()
    for package in ("rocov2_build", "rocov2_shared"):
        for path in sorted((_PROJECT / package).rglob("*.py")):
            source.update(path.relative_to(_PROJECT).as_posix().encode() + path.read_bytes())
    return {
        "source of the project": source.hexdigest()[:12],
        "pyarrow": importlib.metadata.version("pyarrow"),
        **scaler_versions(),
    }


def needs_of(task: Task | CheckTask, repository: Path) -> dict[str, str]:
    """Return what a worker needs for `task`: versions by name, and by absolute path what is there."""
    paths = [repository]
    if isinstance(task, ShardTask | CheckTask):
        first = task.members[0]
        paths.append(
            Path(task.source, first.name) if first.offset < 0 else Path(task.source)
        )  # in a folder, or the zip
    return versions() | {str(path.absolute()): _state(path) for path in paths}


def _state(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError as error:
        return error.strerror or str(error)
    return "a folder" if S_ISDIR(stat.st_mode) else f"{stat.st_size:,} bytes"


def find_faults(needs: dict[str, str]) -> list[str]:
    """Return, on a worker, a line for each of `needs` that is missing."""
    found = {name: _state(Path(name)) if name.startswith("/") else versions().get(name, "none") for name in needs}
    return [f"{name}: expected {needs[name]}, found {found[name]}" for name in needs if found[name] != needs[name]]


def run_apart(needs: dict[str, str], task: Task | CheckTask, repository: str) -> FileFacts | list[ImageFault]:
    """Run `task` on a worker; its files, at the paths of the returned facts, are beside the folder `repository`.

    Raises:
        UserError: the worker lacks one of `needs`; one that joins late is checked only here.
    """
    import distributed

    faults = find_faults(needs)
    if faults:
        raise UserError(describe_faults({distributed.get_worker().address: faults}))
    if isinstance(task, CheckTask):
        return run_task(task, repository)
    attempts = PurePosixPath("../attempts")
    Path(repository, attempts).mkdir(exist_ok=True)

    def attempt(path: str) -> str:
        return str(attempts / f".{PurePosixPath(path).name}.{os.urandom(8).hex()}.tmp")  # removed with all .tmp

    if isinstance(task, ShardTask) and task.scaling:
        task = replace(task, scaling=replace(task.scaling, path=attempt(task.scaling.path)))
    return run_task(replace(task, path=attempt(task.path)), repository)


def describe_faults(faults: dict[str, list[str]]) -> str:
    """Return the message about workers that lack something, from their faults by address."""
    lines = [f"    {worker}: {fault}" for worker, found in sorted(faults.items()) for fault in found]
    if len(lines) > _LINES:
        lines[_LINES:] = [f"    and {len(lines) - _LINES:,} more"]
    return "\n".join(
        [
            "workers of the cluster cannot do this work; they need this project and its packages in the same versions, and "
            "RAW and OUTPUT under the same paths, on a shared file system:",
            *lines,
            f"Restart them (a running worker keeps the code that it started with), and {RUN_AGAIN}",
        ]
    )
