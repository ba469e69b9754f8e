"""Run the tasks, in processes on this machine or on a cluster. A task is pure: if its worker dies, it runs again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from rocov2_build.engine.deaths import Deaths
from rocov2_build.engine.processes import Worker, WorkerDiedError, wait_for
from rocov2_build.worker.task import AnyTask, FileFacts, ImageFault
from rocov2_build.worker.write import run_task
from rocov2_shared.files import remove_unfinished
from rocov2_shared.processors import usable_processors


def run_tasks(
    tasks: Iterable[AnyTask], repository: Path, workers: int, scheduler: str | None = None
) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
    """Run every task and yield it with its result, in the order in which they end.

    Args:
        tasks: taken one by one as workers become free, so that only a few are in memory.
        repository: folder under which the files are written.
        workers: number of processes.
        scheduler: address of a Dask scheduler whose workers do the work instead.

    Raises:
        UserError: workers die again and again, or the cluster is at fault.
        OSError: from a worker, as it came (no space left, no permission, ...).
    """
    if scheduler:
        from rocov2_build.engine.cluster import run_on_cluster  # most commands do not need it

        yield from run_on_cluster(tasks, repository, scheduler)
    else:
        yield from _run_here(tasks, repository, workers)


def _run_here(
    tasks: Iterable[AnyTask], repository: Path, workers: int
) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
    # If all processors are to be used, a worker's second thread takes one that another leaves idle: at the end of the
    # work, or while a file is synced.
    threads = 2 if workers >= usable_processors() else 1
    work = partial(run_task, repository=str(repository))
    source = iter(tasks)
    waiting: deque[Any] = deque()
    pool: list[Worker] = []
    deaths = Deaths()
    answers: list[tuple[AnyTask, FileFacts | list[ImageFault]]] = []
    try:
        while True:
            # Prepare one task ahead and refill all workers before yielding results, so that no worker waits for the caller.
            while _refill(waiting, source) and (worker := _free_worker(pool, workers, work)):
                task = waiting.popleft()
                worker.give(task, threads=1 if deaths.met(task) else threads)
            yield from answers
            busy = [worker for worker in pool if worker.task is not None]
            if not busy:
                return
            answers = []
            for worker in wait_for(busy):
                task = worker.task
                try:
                    answers.append(deaths.complete(task, worker.take()))
                except WorkerDiedError as death:
                    pool.remove(worker)
                    _end(worker, repository)
                    waiting.appendleft(deaths.record(task, death))
    finally:
        for worker in pool:
            _end(worker, repository)


def _refill(waiting: deque[Any], source: Iterator[AnyTask]) -> bool:
    """Make the next task wait, if one is left; return whether one waits."""
    if not waiting:
        waiting.extend(islice(source, 1))
    return bool(waiting)


def _free_worker(pool: list[Worker], workers: int, work: Callable[[Any], Any]) -> Worker | None:
    """Return an idle worker, started if the pool is not full; None if all are busy."""
    for worker in pool:
        if worker.task is None:
            return worker
    if len(pool) == workers:
        return None
    worker = Worker(work)
    pool.append(worker)  # before its start, which may be interrupted
    worker.start()
    return worker


def _end(worker: Worker, repository: Path) -> None:
    worker.kill()
    if worker.task is not None:
        remove_unfinished(repository / worker.task.path, worker.pid)
