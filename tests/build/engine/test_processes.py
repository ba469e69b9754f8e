"""Workers: killed or interrupted at any moment, they hold nobody up, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocov2_build.engine.processes import Worker, WorkerDiedError, prepare_workers, wait_for
from tests.conftest import PROJECT
from tests.support.processes import HANG_SECONDS, led_by, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(answer)
    yield worker
    worker.kill()


def answer(task: object) -> object:
    """What the workers of these tests do."""
    if task == "big":
        return bytes(10**7)
    if task == "exit":
        os._exit(3)
    if task == "fail":
        raise ValueError("no such luck")
    if task == "fail strangely":
        raise StrangeError(1, 2)
    if task == "sleep":
        time.sleep(600)
    return os.getpid()


class StrangeError(Exception):
    """Cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def test_one_worker_answers_task_after_task(worker: Worker) -> None:
    assert worker.pid is None
    worker.start()
    for _ in range(3):
        assert worker.task is None
        worker.give("pid")
        assert worker.task == "pid"
        assert wait_for([worker]) == [worker]
        assert worker.take() == worker.pid != os.getpid()


def test_a_temporary_folder_with_a_long_path_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    prepare_workers()
    worker = Worker(answer)
    worker.start()
    worker.give("pid")
    assert worker.take() == worker.pid
    worker.kill()
    assert not list(folder.iterdir())


def test_errors_come_as_they_were_with_where_they_arose(worker: Worker) -> None:
    worker.start()
    worker.give("fail")
    with pytest.raises(ValueError, match=r"^no such luck$") as caught:
        worker.take()
    assert 'raise ValueError("no such luck")' in str(caught.value.__cause__)
    worker.give("fail strangely")
    with pytest.raises(RuntimeError, match=r"^StrangeError: 1 and 2$") as caught_too:
        worker.take()
    assert "raise StrangeError(1, 2)" in str(caught_too.value.__cause__)
    worker.give("pid")  # and it still is there
    assert worker.take() == worker.pid


def test_a_death_is_told_with_its_kind(worker: Worker) -> None:
    worker.start()
    worker.give("exit")
    with pytest.raises(WorkerDiedError, match=r"^ended with exit code 3$"):
        worker.take()
    assert worker.task == "exit"


def test_one_that_was_killed_before_it_was_given_a_task(worker: Worker) -> None:
    worker.start()
    worker.give("pid")
    worker.take()
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.give(bytes(10**6))  # more than a pipe takes in
    assert wait_for([worker]) == [worker]
    with pytest.raises(WorkerDiedError, match=r"^ended by SIGKILL$"):
        worker.take()


def test_one_that_was_killed_in_the_middle_of_its_answer(worker: Worker) -> None:
    worker.start()
    worker.give("big")
    assert wait_for([worker]) == [worker]  # it has begun, and waits until somebody reads on
    os.kill(worker.pid or 0, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match=r"^ended by SIGKILL$"):
        worker.take()


def test_killing_does_not_wait_for_the_task(worker: Worker) -> None:
    worker.start()
    worker.give("sleep")
    worker.kill()
    assert not Path(f"/proc/{worker.pid}").exists()
    worker.kill()  # once more does no harm


PROGRAM = """
import os, signal, sys, time
from contextlib import suppress
from multiprocessing import forkserver
from pathlib import Path
from rocov2_build.engine import local
from rocov2_build.engine import processes
from rocov2_build.worker.task import TableTask
from tests.support.processes import workers_of

def nap(task, repository, threads):
    time.sleep(0.2)

def kill(pid):
    os.kill(pid, signal.SIGKILL)
    with suppress(FileNotFoundError, ProcessLookupError):
        while " Z " not in Path(f"/proc/{pid}/stat").read_text():
            time.sleep(0.001)

def before(launch):
    pass

def after(launch):
    pass

launches = []

def connect(descriptors, connect=forkserver.connect_to_new_process):
    # As the parent asks for a new worker, and between its birth and the message that tells it what to do.
    launches.append(0)
    before(len(launches))
    ends = connect(descriptors)
    after(len(launches))
    return ends

%s

if __name__ == "__main__":
    local.run_task = nap
    processes.prepare_workers()
    forkserver.connect_to_new_process = connect
    try:
        tasks = [TableTask(str(number), b"", b"") for number in range(9)]
        done = [task.path for task, _ in local.run_tasks(tasks, Path("."), 3)]
    except KeyboardInterrupt:
        sys.exit("interrupted")
    print(*sorted(done), len(launches))
"""


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(PROJECT)}


def run_program(folder: Path, what_happens: str) -> subprocess.CompletedProcess[str]:
    """Run nine tasks on three workers, while something happens as they start."""
    program = folder / "program.py"
    program.write_text(PROGRAM % what_happens)
    return subprocess.run(
        [sys.executable, str(program)],
        cwd=folder,
        env=environment(),
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05, 0.1])
@pytest.mark.parametrize("launch", [2, 3])
def test_one_killed_as_another_starts(tmp_path: Path, launch: int, pause: float) -> None:
    result = run_program(
        tmp_path,
        f"""
def before(launch):
    if launch == {launch}:
        os.kill(workers_of(os.getpid())[0], signal.SIGKILL)
        time.sleep({pause})
""",
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "0 1 2 3 4 5 6 7 8 4\n", "")


@pytest.mark.parametrize("launch", [1, 2, 3])
def test_one_killed_as_it_starts(tmp_path: Path, launch: int) -> None:
    result = run_program(
        tmp_path,
        f"""
def after(launch):
    if launch == {launch}:
        while len(workers_of(os.getpid())) < {launch}:
            time.sleep(0.001)
        kill(max(workers_of(os.getpid())))
""",
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "0 1 2 3 4 5 6 7 8 4\n", "")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_the_server_that_makes_them_killed_as_one_starts(tmp_path: Path, moment: str) -> None:
    # What is told by a worker that has lost its server half-way is Python's own; all tasks are done all the same.
    result = run_program(
        tmp_path,
        f"""
def {moment}(launch):
    if launch == 2:
        kill(forkserver._forkserver._forkserver_pid)
""",
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("0 1 2 3 4 5 6 7 8 ")


@pytest.mark.parametrize("launch", [1, 2, 3])
def test_ctrl_c_as_one_starts_leaves_no_half_started_one(tmp_path: Path, launch: int) -> None:
    result = run_program(
        tmp_path,
        f"""
def after(launch):
    if launch == {launch}:
        os.killpg(0, signal.SIGINT)
""",
    )
    # An interpreter that is interrupted as it starts says so itself, before any code of the project runs in it.
    assert (result.returncode, result.stderr.splitlines()[-1:]) == (1, ["interrupted"])


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from rocov2_build.engine import local\n"
        "def nap(task, repository, threads):\n"
        "    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    local.run_task = nap\n"
        "    list(local.run_tasks([1, 2], Path('.'), 2))\n"
    )
    with subprocess.Popen(
        [sys.executable, str(sleeper)],
        cwd=tmp_path,
        env=environment(),
        start_new_session=True,
    ) as parent:
        wait_until(lambda: len(led_by(parent.pid)) >= 4)  # two workers, the fork server, its resource tracker
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        wait_until(lambda: not led_by(parent.pid))
