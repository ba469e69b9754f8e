"""The cluster: the same tasks on the workers of a Dask scheduler, over a file system that all of them share.

A worker writes each file under a name that no other attempt has; only the command itself puts it in its place. So an
attempt for which nobody waits any more (its command was killed, its worker was taken for dead) can go on and harms nobody.
The workers import this module too; `distributed` is imported only where a scheduler is named.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import importlib.metadata
import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from rocov2_build.worker.task import AnyTask, CheckTask, FileFacts, ImageFault, ShardTask, Task
from rocov2_build.worker.write import run_task
from rocov2_shared.errors import UserError
from rocov2_shared.files import sync_path

if TYPE_CHECKING:
    import distributed

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""
PATIENCE = 60.0
"""Seconds without any worker before that is told."""
SEEN_SECONDS = 75.0
"""How long a file of a worker may take to be seen here: a little longer than NFS keeps what it knows of a folder."""
LOOK_SECONDS = 5.0
"""How often to look for workers that came or went while no task ends."""

_PROJECT = Path(__file__).resolve().parents[2]
_TOLD = 10
_AGAIN = "run the same command again; it goes on where it stopped, also without --scheduler on one machine"


@functools.cache
def versions() -> dict[str, str]:
    """What decides the bytes of a file; taken once, since a worker that was started earlier still runs the code of then."""
    source = hashlib.sha256()
    for package in ("rocov2_build", "rocov2_shared"):
        for path in sorted((_PROJECT / package).rglob("*.py")):
            source.update(path.relative_to(_PROJECT).as_posix().encode() + path.read_bytes())
    tools = {name: importlib.metadata.version(name) for name in ("pyarrow", "Pillow", "simplejpeg")}
    return {"source of the project": source.hexdigest()[:12], **tools}


def needs_of(task: Task | CheckTask, repository: Path) -> dict[str, str]:
    """What a worker has to have for `task`: versions by name, and by absolute path what is to be seen there."""
    paths = [repository]
    if isinstance(task, ShardTask | CheckTask):
        first = task.members[0]
        paths.append(
            Path(task.source, first.name) if first.offset < 0 else Path(task.source)
        )  # in a folder, or the zip
    return versions() | {str(path.absolute()): _state(path) for path in paths}


def _state(path: Path) -> str:
    try:
        facts = path.stat()
    except OSError as error:
        return error.strerror or str(error)
    return "a folder" if S_ISDIR(facts.st_mode) else f"{facts.st_size:,} bytes"


def find_faults(needs: dict[str, str]) -> list[str]:
    """On a worker: what it lacks of `needs`, one line each."""
    found = {name: _state(Path(name)) if name.startswith("/") else versions().get(name, "none") for name in needs}
    return [f"{name}: expected {needs[name]}, found {found[name]}" for name in needs if found[name] != needs[name]]


def run_apart(needs: dict[str, str], task: Task | CheckTask, repository: str) -> FileFacts | list[ImageFault]:
    """On a worker: run `task`. Its file, which `path` of the facts names, lies beside the folder `repository`.

    Raises:
        UserError: the worker lacks something of `needs`; one that joins late is looked at only here.
    """
    import distributed

    faults = find_faults(needs)
    if faults:
        raise UserError(_describe({distributed.get_worker().address: faults}))
    if isinstance(task, CheckTask):
        return run_task(task, repository)
    attempts = PurePosixPath("../attempts")
    Path(repository, attempts).mkdir(exist_ok=True)
    name = f".{PurePosixPath(task.path).name}.{os.urandom(8).hex()}.tmp"  # what is left is removed with all .tmp
    return run_task(replace(task, path=str(attempts / name)), repository)


def _describe(faults: dict[str, list[str]]) -> str:
    lines = [f"    {worker}: {fault}" for worker, found in sorted(faults.items()) for fault in found]
    if len(lines) > _TOLD:
        lines[_TOLD:] = [f"    and {len(lines) - _TOLD:,} more"]
    return "\n".join(
        [
            "workers of the cluster cannot do this work; they need this project and its packages in the same versions, and "
            "RAW and OUTPUT under the same paths, on a shared file system:",
            *lines,
            f"Start them anew (a running worker keeps the code that it began with), and {_AGAIN}",
        ]
    )


def require_scheduler(address: str) -> None:
    """See that there is a scheduler, before a release is read.

    Raises:
        UserError: there is none, or `distributed` is not installed.
    """
    with _Cluster(address):
        pass


def run_on_cluster(
    tasks: Iterable[AnyTask], repository: Path, address: str
) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
    """Run every task on the workers of a scheduler and yield it with its result, in the order in which they end.

    Args:
        tasks: taken one by one as workers become free, so that only a few are on the way.
        repository: folder under which the files are written.
        address: of the scheduler, such as `tcp://10.0.0.1:8786`.

    Raises:
        UserError: there is no scheduler or no worker, a worker lacks what it needs, or workers die again and again.
        OSError: from a worker, as it came (no space left, no permission, ...).
    """
    source = iter(tasks)
    first = next(source, None)
    if first is None:
        return
    source = chain([first], source)
    repository = repository.absolute()
    with _Cluster(address) as cluster:
        cluster.require(needs_of(first, repository))
        running: dict[distributed.Future[Any], AnyTask] = {}
        while True:
            slots = max(2 * cluster.count_threads(), 1)
            for task in islice(source, max(slots - len(running), 0)):
                running[cluster.submit(task, repository)] = task
            if not running:
                return
            for future in cluster.wait_for_some(list(running)):
                result = cluster.result(future, running[future])
                if result is None:
                    continue
                task = running.pop(future)
                yield task, _put_in_place(result, task, repository) if isinstance(result, FileFacts) else result


def _put_in_place(facts: FileFacts, task: Task | CheckTask, repository: Path) -> FileFacts:
    path = repository / task.path
    deadline = time.monotonic() + SEEN_SECONDS
    while True:
        try:
            (repository / facts.path).rename(path)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise UserError(
                    f"a worker wrote {repository / facts.path}, but no such file is seen here: OUTPUT must be on a file "
                    f"system that this machine and all workers share. Put it on one, and {_AGAIN}"
                ) from None
            time.sleep(0.2)
        else:
            sync_path(path.parent)
            return replace(facts, path=task.path)


class _Cluster:
    """A connection to a scheduler, for a `with` block; what is wrong with it is a UserError from every method."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._client = _connect(address)
        self._worker_seen = time.monotonic()

    def __enter__(self) -> _Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.close(timeout=CONNECT_SECONDS)

    @contextlib.contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # A client that lost its scheduler raises all sorts of errors.
            if isinstance(error, OSError | CancelledError) or self._client.status != "running":
                raise UserError(
                    f"the scheduler at {self._address} is gone: start it and its workers, and {_AGAIN}"
                ) from error
            raise

    def require(self, needs: dict[str, str]) -> None:
        """Let the workers that are there look for what they need, so that all that they lack is told at once."""
        with self._talking():
            answers = self._client.run(find_faults, needs, on_error="return")
        faults = {
            worker: [str(answer)] if isinstance(answer, Exception) else answer
            for worker, answer in answers.items()
            if answer and not isinstance(answer, OSError)  # of a worker that died just now
        }
        if faults:
            raise UserError(_describe(faults))

    def count_threads(self) -> int:
        """Number of tasks that the workers run at a time."""
        with self._talking():
            threads: int = sum(self._client.nthreads().values())
        if threads:
            self._worker_seen = time.monotonic()
        elif time.monotonic() - self._worker_seen > PATIENCE:
            raise UserError(
                f"the scheduler at {self._address} has had no worker for {PATIENCE:.0f} seconds: start workers (dask worker "
                f"{self._address}) where this project is installed, and {_AGAIN}"
            )
        return threads

    def submit(self, task: Task | CheckTask, repository: Path) -> distributed.Future[Any]:
        """Give the workers one task."""
        needs = needs_of(task, repository)
        if isinstance(task, ShardTask | CheckTask):
            task = replace(task, source=str(Path(task.source).absolute()))  # workers have another current folder
        with self._talking():
            return self._client.submit(run_apart, needs, task, str(repository), pure=False)

    def wait_for_some(self, futures: list[distributed.Future[Any]]) -> set[distributed.Future[Any]]:
        """The futures that ended; none after a while without any."""
        import distributed

        with self._talking():
            try:
                return set(distributed.wait(futures, LOOK_SECONDS, "FIRST_COMPLETED").done)
            except TimeoutError:
                return set()

    def result(self, future: distributed.Future[Any], task: Task | CheckTask) -> FileFacts | list[ImageFault] | None:
        """What a future that ended returned, None when its worker died with it: then it is made again.

        What it raised is raised as it came, unless it is about the workers.
        """
        import distributed

        if future.status != "error":
            with self._talking():
                try:
                    result: FileFacts | list[ImageFault] = future.result(LOOK_SECONDS)
                    return result
                except TimeoutError:
                    return None
        error: Exception = future.exception()
        if isinstance(error, distributed.KilledWorker):
            raise UserError(
                f"every worker that began {task.path} died, {error.allowed_failures + 1} times in a row (killed, out of "
                "memory, or without this project?): see what they logged, give them what they need (more memory, fewer "
                f"threads), and {_AGAIN}"
            )
        raise error


def _connect(address: str) -> distributed.Client:
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise UserError(
            "--scheduler needs the package distributed: pip install -e '.[cluster]' in this project"
        ) from None
    # What its threads say of a lost connection would come beside the message that says what to do.
    logging.disable()
    warnings.filterwarnings("ignore", module="distributed")
    dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"})
    try:
        kind = asyncio.run(_ask_kind(address))  # a client of anything but a scheduler would hang
        if kind == "Scheduler":
            return distributed.Client(address, timeout=CONNECT_SECONDS)
        reason = f"there is a {kind}"
    except Exception as error:  # whatever else answers there, HTTP or worse
        reason = str(error) or type(error).__name__
    raise UserError(
        f"no Dask scheduler answers at {address} ({reason}): is it running, and is this the address that it names?"
    )


async def _ask_kind(address: str) -> str:
    """What a server of Dask says that it is."""
    import distributed

    async with distributed.rpc(address) as server:
        return str((await asyncio.wait_for(server.identity(), 2 * CONNECT_SECONDS))["type"])
