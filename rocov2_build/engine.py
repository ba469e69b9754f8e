"""Run the tasks: processes on this machine, or `cluster`. A task is pure: one that a dying worker left is run again."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from pathlib import Path

from rocov2_build.shards import AnyTask, FileFacts, ImageFault, run_task
from rocov2_errors import UserError

MAX_DEATHS = 3
"""Pools in a row that may break before one task is finished: then the tasks themselves kill the workers."""


def default_workers() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0))


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
        from rocov2_build.cluster import run_on_cluster  # not for the workers of this machine, which import this module

        yield from run_on_cluster(tasks, repository, scheduler)
        return
    # Where all processors are meant to be used, a worker's second thread takes one that another leaves idle: at the end of
    # the work, or while a file is synced.
    threads = 2 if workers >= default_workers() else 1
    source = iter(tasks)
    again: deque[AnyTask] = deque()
    deaths = 0
    while True:
        running: dict[Future[FileFacts | list[ImageFault]], AnyTask] = {}
        executor = _make_pool(workers)
        try:
            _start_pool(executor)
            while True:
                for task in _take(again, source, 2 * workers - len(running)):
                    again.appendleft(task)  # until it is submitted: a pool may break just then
                    with _interrupts_deferred():  # it starts another process where none is idle
                        future = executor.submit(run_task, task, str(repository), threads)
                    running[future] = task
                    again.popleft()
                if not running:
                    _end_idle_workers(executor)
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    deaths = 0
                    yield running.pop(future), result
        except BrokenProcessPool:
            deaths += 1
            if deaths == MAX_DEATHS:
                raise UserError(
                    f"the worker processes ended without a word {deaths} times in a row (killed, or out of memory?): run the "
                    "same command again with fewer --workers; it goes on where it stopped"
                ) from None
            again.extend(running.values())
        finally:
            executor.shutdown(cancel_futures=True)


def _end_idle_workers(pool: Executor) -> None:
    # One that is killed while it waits for work may hold the lock on which the pool's own way of ending the others waits, for
    # ever. None of them has anything to lose.
    processes = getattr(pool, "_processes", None) or {}  # Python 3.14 has kill_workers()
    for process in list(processes.values()):
        process.kill()


def _take(again: deque[AnyTask], source: Iterator[AnyTask], count: int) -> Iterator[AnyTask]:
    while again and count > 0:
        yield again.popleft()
        count -= 1
    yield from islice(source, max(count, 0))


def _context() -> multiprocessing.context.BaseContext:
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(["__main__", "rocov2_build.shards"])
    return context


def prepare_workers() -> None:
    """Let the process from which workers fork import what they need, while this one goes on: it has more to import."""
    if _context().get_start_method() == "forkserver":
        with _interrupts_deferred():
            resource_tracker.ensure_running()
            forkserver.ensure_running()


def _make_pool(workers: int) -> Executor:
    return ProcessPoolExecutor(workers, mp_context=_context(), initializer=_start_worker)


def _start_pool(executor: Executor) -> None:
    """Start the first process."""
    resource_tracker.ensure_running()  # before, since it lifts the block for its own start
    with _interrupts_deferred():
        executor.submit(os.getpid).result()


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Hold Ctrl-C back while processes are started, so that none is left half-started, which it would tell as an error.

    It is blocked for the processes, which inherit that, and kept for the end in this one.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread is ever interrupted
        yield
        return
    kept: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: kept.append(number))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, handler)
        if kept:
            raise KeyboardInterrupt


def _start_worker() -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # the shard at hand is finished, and no half of one is told as an error
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
