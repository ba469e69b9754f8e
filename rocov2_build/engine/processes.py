"""Worker processes, each with its own pipe and one task at a time.

They share no lock, so any of them may be killed at any moment, even as it starts, and neither the others nor the parent wait
for it. The pool of the standard library shares queues, locks and a thread: a worker that dies while another one starts, or
while it has a lock, leaves its parent waiting for ever.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

from rocov2_build.worker import current
from rocov2_shared.gc_pause import collector_paused

_END_SECONDS = 5.0
_SERVER_SECONDS = 0.5
"""How long a killed fork server may still appear alive, in seconds; no other is started before that."""
_SOCKET_PATH = 103
"""Longest path of a Unix socket, in bytes: that of macOS; Linux allows 107."""
_SOCKET_NAME = len("/pymp-12345678/listener-12345678")
"""What `multiprocessing` appends to the temporary folder."""
_PROJECT = str(Path(__file__).resolve().parents[2])


_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}
"""Signals that a process gets for a fault of its own code, or of a library that it calls."""


class WorkerDiedError(Exception):
    """A worker ended without an answer; the text says how.

    Attributes:
        images: ids of the images that it was at.
        is_crash: whether a fault of its code ended it.
    """

    def __init__(self, how: str, images: Sequence[str] = (), is_crash: bool = False) -> None:
        super().__init__(how)
        self.images, self.is_crash = images, is_crash


class _WorkerTracebackError(Exception):
    """The cause of an error in a worker: its traceback there, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class Worker:
    """A process that applies one function to each task that it gets.

    Args:
        function: applied to each task, with the options that come with it; pickled by reference.

    Attributes:
        task: the current task, None if it is idle.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._pipe, self._other_end = multiprocessing.Pipe()
        self._current = _context().RawArray("c", current.BYTES)
        self._process = _context().Process(target=_serve, args=(self._other_end, function, self._current), daemon=True)
        self._started = False
        self.task: Any = None

    @property
    def pid(self) -> int | None:
        """Return the id of its process, None before it has one."""
        return self._process.pid if self._started else None

    def start(self) -> None:
        """Start the process. If it dies meanwhile, `take` raises that.

        Raises:
            OSError: no process can be started.
        """
        try:
            with _interrupts_deferred():
                _start_servers()
                with contextlib.suppress(ConnectionError, EOFError):  # it or its server was killed as it started
                    self._process.start()
                    self._started = True
        finally:
            self._other_end.close()  # now only the process has it: when it ends, the pipe does
        if not self._started:
            time.sleep(_SERVER_SECONDS)

    def give(self, task: Any, **options: Any) -> None:
        """Hand over a task, with further arguments of the function. If the process has died, `take` raises that."""
        self.task = task
        with contextlib.suppress(ConnectionError):
            self._pipe.send((task, options))

    def take(self) -> Any:
        """Wait for the result of the task.

        Raises:
            WorkerDiedError: the process ended, at any moment since its start.
            Exception: what the function raised.
        """
        try:
            done, value = self._pipe.recv()
        except (EOFError, OSError):  # no answer, or only its beginning
            how = self._how_it_ended()
            code = self._process.exitcode if self._started else None
            raise WorkerDiedError(
                how, current.read_current(self._current), code is not None and -code in _CRASHES
            ) from None
        self.task = None
        if done:
            return value
        error, text = value
        raise error from _WorkerTracebackError(text)

    def kill(self) -> None:
        """End the process at once, whatever it does, and wait until it has ended."""
        self._pipe.close()
        if self._started:
            self._process.kill()
            self._process.join()

    def _how_it_ended(self) -> str:
        if not self._started:
            return "as it started"
        self._process.join(_END_SECONDS)  # its end of the pipe goes a moment before it does
        code = self._process.exitcode
        if code is None:
            return "without a sign"
        known = {number.value: number.name for number in signal.Signals}
        return f"ended by {known.get(-code, f'signal {-code}')}" if code < 0 else f"ended with exit code {code}"


def wait_for(workers: Collection[Worker]) -> list[Worker]:
    """Wait for the first of some busy workers, and return those that have an answer or are dead."""
    ready = multiprocessing.connection.wait([worker._pipe for worker in workers])
    return [worker for worker in workers if worker._pipe in ready]


def prepare_workers() -> None:
    """Let the fork server import what workers need, while this process imports what it needs itself."""
    with _interrupts_deferred():
        _start_servers()


def _start_servers() -> None:
    """Start the processes that the start of a worker needs, unless they run."""
    resource_tracker.ensure_running()  # first, since it lifts the block of Ctrl-C for its own start
    if _context().get_start_method() != "forkserver":
        return
    # Otherwise it would first import from the working directory: another clone of the project, somebody's numpy.py.
    search = [_PROJECT, *filter(None, [os.environ.get("PYTHONPATH")])]
    with _environment(PYTHONSAFEPATH="1", PYTHONPATH=os.pathsep.join(search)):
        forkserver.ensure_running()


@contextlib.contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Environment variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _context() -> Any:
    if "forkserver" not in multiprocessing.get_all_start_methods() or not _has_place_for_sockets():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "rocov2_build.worker.write"])
    return context


def _has_place_for_sockets() -> bool:
    """Return whether the fork server can make its socket in the temporary folder; a new interpreter needs none."""
    try:
        folder = tempfile.gettempdir()
    except OSError:  # none can be written
        return False
    return len(os.fsencode(folder)) + _SOCKET_NAME <= _SOCKET_PATH


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Defer Ctrl-C while a process starts, so that it does not end half-started with an error.

    The new process inherits the blocked signal; this one handles it at the end.
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


def _serve(pipe: multiprocessing.connection.Connection, function: Callable[..., Any], memory: Any) -> None:
    """Answer tasks in the process, until the parent is gone."""
    current.share(memory)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides what it means
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            task, options = pipe.recv()
            try:
                with collector_paused():
                    answer = True, function(task, **options)
            except Exception as error:
                answer = False, (_portable(error), traceback.format_exc())
            pipe.send(answer)


def _portable(error: Exception) -> Exception:
    """Return the error, or one with the same text if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - its own bytes
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
