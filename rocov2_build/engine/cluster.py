"""Run tasks on the workers of a Dask scheduler, over a file system that all of them share.

`distributed` is imported only if a scheduler is named.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocov2_build.engine.cluster_worker import RUN_AGAIN, describe_faults, find_faults, needs_of, run_apart
from rocov2_build.worker.task import AnyTask, CheckTask, FileFacts, ImageFault, ShardTask, Task
from rocov2_shared.errors import UserError, how_to_install
from rocov2_shared.files import sync_path

if TYPE_CHECKING:
    import distributed

CONNECT_SECONDS = 10.0
"""How long a scheduler may take to answer."""
PATIENCE = 60.0
"""Seconds without any worker after which the command ends."""
SEEN_SECONDS = 75.0
"""How long a file of a worker may take to appear here: a little longer than NFS caches a folder."""
LOOK_SECONDS = 5.0
"""How often to look for new and lost workers while no task ends."""


def require_scheduler(address: str) -> None:
    """Check that a scheduler answers, before a release is read.

    Raises:
        UserError: none answers, or `distributed` is not installed.
    """
    with _Cluster(address):
        pass


def run_on_cluster(
    tasks: Iterable[AnyTask], repository: Path, address: str
) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
    """Run every task on the workers of a scheduler and yield it with its result, in the order in which they end.

    Args:
        tasks: taken one by one as workers become free, so that few are in memory.
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
                yield task, _put_all_in_place(result, task, repository) if isinstance(result, FileFacts) else result


def _put_all_in_place(facts: FileFacts, task: Task | CheckTask, repository: Path) -> FileFacts:
    if facts.scaled and isinstance(task, ShardTask) and task.scaling:
        facts = replace(facts, scaled=_put_in_place(facts.scaled, task.scaling.path, repository))
    return _put_in_place(facts, task.path, repository)


def _put_in_place(facts: FileFacts, name: str, repository: Path) -> FileFacts:
    path = repository / name
    deadline = time.monotonic() + SEEN_SECONDS
    while True:
        try:
            (repository / facts.path).rename(path)
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise UserError(
                    f"a worker wrote {repository / facts.path}, but no such file is seen here: OUTPUT must be on a file "
                    f"system that this machine and all workers share. Put it there, and {RUN_AGAIN}"
                ) from None
            time.sleep(0.2)
        else:
            sync_path(path.parent)
            return replace(facts, path=name)


class _Cluster:
    """A connection to a scheduler, a context manager; every method raises its faults as UserError."""

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
            # A client without its scheduler raises many kinds of errors.
            if isinstance(error, OSError | CancelledError) or self._client.status != "running":
                raise UserError(
                    f"the scheduler at {self._address} is gone: start it and its workers, and {RUN_AGAIN}"
                ) from error
            raise

    def require(self, needs: dict[str, str]) -> None:
        """Check what the present workers need, so that everything they lack is reported at once."""
        with self._talking():
            answers = self._client.run(find_faults, needs, on_error="return")
        faults = {
            worker: [str(answer)] if isinstance(answer, Exception) else answer
            for worker, answer in answers.items()
            if answer and not isinstance(answer, OSError)  # of a worker that has just died
        }
        if faults:
            raise UserError(describe_faults(faults))

    def count_threads(self) -> int:
        """Return the number of tasks that the workers run at a time."""
        with self._talking():
            threads: int = sum(self._client.nthreads().values())
        if threads:
            self._worker_seen = time.monotonic()
        elif time.monotonic() - self._worker_seen > PATIENCE:
            raise UserError(
                f"the scheduler at {self._address} has had no worker for {PATIENCE:.0f} seconds: start workers (dask worker "
                f"{self._address}) where this project is installed, and {RUN_AGAIN}"
            )
        return threads

    def submit(self, task: Task | CheckTask, repository: Path) -> distributed.Future[Any]:
        """Hand one task to the workers."""
        needs = needs_of(task, repository)
        if isinstance(task, ShardTask | CheckTask):
            task = replace(task, source=str(Path(task.source).absolute()))  # workers have another working directory
        with self._talking():
            return self._client.submit(run_apart, needs, task, str(repository), pure=False)

    def wait_for_some(self, futures: list[distributed.Future[Any]]) -> set[distributed.Future[Any]]:
        """Return the futures that ended, an empty set if none did for a while."""
        import distributed

        with self._talking():
            try:
                return set(distributed.wait(futures, LOOK_SECONDS, "FIRST_COMPLETED").done)
            except TimeoutError:
                return set()

    def result(self, future: distributed.Future[Any], task: Task | CheckTask) -> FileFacts | list[ImageFault] | None:
        """Return the result of a future that ended, None if its worker died with it, so that it runs again.

        An error of the task is raised unchanged, unless it is about the workers.
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
                f"threads), and {RUN_AGAIN}, which names an image at which workers die"
            )
        raise error


def _connect(address: str) -> distributed.Client:
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise UserError(f"--scheduler needs the package distributed: {how_to_install('cluster')}") from None
    # The log of its threads about a lost connection would surround the message that says what to do.
    logging.disable()
    warnings.filterwarnings("ignore", module="distributed")
    dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"})
    arguments = _connection_arguments(address)
    try:
        kind = asyncio.run(_ask_kind(address, arguments))  # a client of anything but a scheduler would hang
        if kind == "Scheduler":
            return distributed.Client(address, timeout=CONNECT_SECONDS)
        reason = f"there is a {kind}"
    except Exception as error:  # anything else may answer there, for example HTTP
        reason = str(error) or type(error).__name__
    checks = ["that it runs", "that this is its address"]
    checks += ["that both sides have certificates of one authority"] if address.startswith("tls://") else []
    raise UserError(f"no Dask scheduler answers at {address} ({reason}): check {', and '.join(checks)}")


def _connection_arguments(address: str) -> dict[str, Any]:
    """Return what a connection needs besides its address: of tls://, the certificates that the settings of Dask name.

    Raises:
        UserError: the settings name no certificates, or they cannot be read.
    """
    import distributed

    try:
        arguments: dict[str, Any] = distributed.Security().get_connection_args("client")
    except (OSError, RuntimeError, ValueError) as error:  # an SSLError is an OSError
        raise UserError(
            f"the certificates in the settings of Dask (distributed.comm.tls) cannot be used ({error}): docs/scale.md says "
            "how TLS is set up"
        ) from error
    if address.startswith("tls://") and arguments.get("ssl_context") is None:
        raise UserError(
            "--scheduler tls://... needs certificates: set distributed.comm.tls.ca-file, .client.cert and .client.key in "
            "the settings of Dask (docs/scale.md says how)"
        )
    return arguments


async def _ask_kind(address: str, arguments: dict[str, Any]) -> str:
    """Return the type that a Dask server reports."""
    import distributed

    async with distributed.rpc(address, connection_args=arguments) as server:
        return str((await asyncio.wait_for(server.identity(), 2 * CONNECT_SECONDS))["type"])
