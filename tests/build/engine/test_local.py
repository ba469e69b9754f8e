"""The engine: every task once, whatever dies; no worker outlives its parent."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rocov2_build.engine import local
from rocov2_build.engine.local import run_tasks
from rocov2_build.worker.task import FileFacts, TableTask, serialize
from rocov2_shared.errors import UserError
from rocov2_shared.files import write_whole
from tests.support.processes import HANG_SECONDS, wait_until

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

    def tasks() -> Iterator[TableTask]:
        for number in range(50):
            taken.append(number)
            yield table_task(number)

    results = run_tasks(tasks(), tmp_path, workers=2)
    next(results)
    assert len(taken) <= 5  # two done, two at work, one ahead
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_a_worker_comes_as_it_was(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        list(run_tasks([table_task(1)], tmp_path / "nowhere", workers=1))
    assert "in run_task" in str(caught.value.__cause__)  # where it happened in the worker


def test_the_end_does_not_wait_for_a_worker_that_cannot_go_on(tmp_path: Path) -> None:
    results = run_tasks(map(table_task, range(4)), tmp_path, workers=2)
    for _ in range(4):
        next(results)
    workers = multiprocessing.active_children()
    assert len(workers) == 2
    for worker in workers:
        os.kill(worker.pid or 0, signal.SIGSTOP)
    ended = threading.Thread(target=lambda: list(results), daemon=True)
    ended.start()
    ended.join(HANG_SECONDS)
    for worker in workers:
        worker.kill()
    assert not ended.is_alive()


def test_a_task_that_kills_its_workers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "run_task", die)
    told = (
        r"^3 worker processes died while writing 1\.parquet \(the last one ended with exit code 7\): .* fewer --workers"
    )
    with pytest.raises(UserError, match=told):
        list(run_tasks([table_task(1)], tmp_path, workers=1))


def die(task: object, repository: str, threads: int) -> None:
    """A task that ends its worker without a word."""
    os._exit(7)


def test_a_killed_worker_costs_the_others_nothing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "run_task", be_killed_once)
    results: dict[str, Any] = {
        task.path: pid for task, pid in run_tasks(map(table_task, range(9)), tmp_path, workers=2)
    }
    assert sorted(results) == [f"{number}.parquet" for number in range(9)]
    killed = int((tmp_path / "killed").read_text())
    assert killed not in results.values()
    assert len(set(results.values())) == 2  # the other one went on, and one took the place of the dead
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*results, "killed"])


def be_killed_once(task: TableTask, repository: str, threads: int) -> int:
    """A task of which one is killed in the middle of its file; gives the process that has run it."""
    with write_whole(Path(repository, task.path)) as file:
        file.write(b"half")
        file.flush()
        with contextlib.suppress(FileExistsError), Path(repository, "killed").open("x") as mark:
            mark.write(str(os.getpid()))
            mark.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def test_ending_early_leaves_neither_workers_nor_parts_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "run_task", hang_in_the_second)
    results = run_tasks(map(table_task, range(9)), tmp_path, workers=1)
    assert next(results)[0].path == "0.parquet"
    wait_until(lambda: list(tmp_path.glob(".1.parquet.*")))
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()
    assert [path.name for path in tmp_path.iterdir()] == ["0.parquet"]


def hang_in_the_second(task: TableTask, repository: str, threads: int) -> None:
    """A task that takes very long in the middle of its file, unless it is the first."""
    with write_whole(Path(repository, task.path)):
        if task.path != "0.parquet":
            time.sleep(600)
