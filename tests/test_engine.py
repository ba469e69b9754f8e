"""The engine: every task once, whatever dies; no worker outlives its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rocov2_build import engine
from rocov2_build.engine import default_workers, run_tasks
from rocov2_build.shards import FileFacts, TableTask, run_task, serialize
from rocov2_errors import UserError
from tests.conftest import PROJECT

SCHEMA = pa.schema([("number", pa.int32())])


def table_task(number: int) -> TableTask:
    table = pa.table({"number": [number]}, schema=SCHEMA)
    return TableTask(f"{number}.parquet", SCHEMA.serialize().to_pybytes(), serialize(table))


def test_every_task_is_run_once(tmp_path: Path) -> None:
    results = list(run_tasks(map(table_task, range(20)), tmp_path, workers=2))
    assert sorted(task.path for task, _ in results) == sorted(f"{number}.parquet" for number in range(20))
    assert all(isinstance(facts, FileFacts) and facts.rows == 1 for _, facts in results)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"{number}.parquet" for number in range(20))


def test_tasks_are_taken_only_as_workers_become_free(tmp_path: Path) -> None:
    taken = []

    def tasks() -> object:
        for number in range(50):
            taken.append(number)
            yield table_task(number)

    results = run_tasks(tasks(), tmp_path, workers=1)  # type: ignore[arg-type]
    next(results)
    assert len(taken) <= 4
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_a_worker_comes_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(run_tasks([table_task(1)], tmp_path / "nowhere", workers=1))


def test_the_end_does_not_wait_for_a_worker_that_cannot_go_on(tmp_path: Path) -> None:
    # As where one was killed while it waited for work, and took along the lock that the others need to hear of the end.
    results = run_tasks(map(table_task, range(4)), tmp_path, workers=2)
    for _ in range(4):
        next(results)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker.pid or 0, signal.SIGSTOP)
    ended = threading.Thread(target=lambda: list(results), daemon=True)
    ended.start()
    ended.join(30)
    for worker in workers:
        worker.kill()
    assert not ended.is_alive()


def test_workers_that_die_again_and_again_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "run_task", die)
    with pytest.raises(UserError, match="ended without a word 3 times in a row"):
        list(run_tasks([table_task(1)], tmp_path, workers=1))


def die(task: object, repository: str, threads: int) -> None:
    """A task that ends its worker without a word, as a kill does."""
    os._exit(7)


class _Breaking(ThreadPoolExecutor):
    """A pool that breaks when the task after so many is submitted."""

    def __init__(self, tasks: int) -> None:
        super().__init__(1)
        self._left = tasks

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> Any:
        if function is run_task:
            if not self._left:
                raise BrokenProcessPool
            self._left -= 1
        return super().submit(function, *arguments, **options)


@pytest.mark.parametrize("breaks", [0, 1, 2, 3])
def test_no_task_is_lost_when_a_pool_breaks_as_it_is_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: int
) -> None:
    pools = [_Breaking(breaks), _Breaking(breaks + 2), _Breaking(99)]
    monkeypatch.setattr(engine, "_make_pool", lambda _: pools.pop(0))
    paths = {task.path for task, _ in run_tasks(map(table_task, range(9)), tmp_path, workers=2)}
    assert paths == {f"{number}.parquet" for number in range(9)}


def children_of(pid: int) -> list[int]:
    """Processes of the session that `pid` leads, but itself."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != pid:
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[3]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def wait_until(condition: object, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from rocov2_build import engine\n"
        "def nap(task, folder, threads):\n"
        "    time.sleep(60)\n"
        "if __name__ == '__main__':\n"
        "    engine.run_task = nap\n"
        "    list(engine.run_tasks([1, 2], Path('.'), 2))\n"
    )
    with subprocess.Popen(
        [sys.executable, str(sleeper)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        start_new_session=True,
    ) as parent:
        wait_until(lambda: len(children_of(parent.pid)) >= 4)  # two workers, the fork server, its resource tracker
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not children_of(parent.pid))


@pytest.mark.parametrize("launch", [1, 2, 3])
def test_ctrl_c_as_a_worker_starts_leaves_no_half_started_one(tmp_path: Path, launch: int) -> None:
    # The parent is interrupted between the birth of a worker and the message that tells it what to do.
    program = tmp_path / "program.py"
    program.write_text(
        "import os, signal, sys, time\n"
        "from multiprocessing import forkserver\n"
        "from pathlib import Path\n"
        "from rocov2_build import engine\n"
        "def nap(task, folder, threads):\n"
        "    time.sleep(0.2)\n"
        "def connect(descriptors, connect=forkserver.connect_to_new_process, launches=[]):\n"
        "    ends = connect(descriptors)\n"
        "    launches.append(ends)\n"
        f"    if len(launches) == {launch}:\n"
        "        os.killpg(0, signal.SIGINT)\n"
        "    return ends\n"
        "if __name__ == '__main__':\n"
        "    engine.run_task = nap\n"
        "    engine.prepare_workers()\n"
        "    forkserver.connect_to_new_process = connect\n"
        "    try:\n"
        "        list(engine.run_tasks(range(9), Path('.'), 3))\n"
        "    except KeyboardInterrupt:\n"
        "        sys.exit('interrupted')\n"
    )
    result = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.returncode, result.stderr) == (1, "interrupted\n")


def test_workers_by_default_are_the_processors_that_may_be_used() -> None:
    assert default_workers() == len(os.sched_getaffinity(0))
