"""The cluster engine on a real scheduler and real workers, each a process of its own: the same bytes, any fault told."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import distributed
import pytest

from rocov2_build.convert import Conversion, convert
from rocov2_build.engine import cluster
from rocov2_build.engine.cluster import run_on_cluster
from rocov2_build.engine.cluster_worker import find_faults, needs_of, run_apart, versions
from rocov2_build.worker.member import Member
from rocov2_build.worker.task import CheckTask, FileFacts, TextTask
from rocov2_shared.errors import UserError
from tests.conftest import PROJECT
from tests.support.crash import finish, leftovers, start, tree
from tests.support.processes import HANG_SECONDS, wait_until
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

LOCAL = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
OPTIONS = ("--max-shard-size", "10KB", "--row-group-size", "2KB", "--quiet")

BOMB = """
import os, signal, time
from pathlib import Path

here, sync = Path(__file__).parent, os.fsync

def take(name, new_name):
    try:
        os.rename(here / name, here / new_name)
    except FileNotFoundError:
        return False
    return True

def fsync(handle):
    if (here / "kill-always").exists() or take("kill-once", "killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if "validation" in os.readlink(f"/proc/self/fd/{handle}") and take("hold-once", "held"):
        while (here / "held").exists():
            time.sleep(0.02)
        (here / "released").touch()
    sync(handle)

os.fsync = fsync
"""
"""Loaded by the workers: what happens when one has written a file and not yet renamed it."""


class DaskCluster:
    """A scheduler and workers, each in a session of its own.

    Attributes:
        folder: their current folder; `kill-once`, `kill-always` and `hold-once` in it are what BOMB looks for.
        address: of the scheduler.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        (folder / "bomb.py").write_text(BOMB)
        file = folder / "scheduler.json"
        options = ("--port", "0", *LOCAL, "--scheduler-file", str(file))
        self.scheduler = self._start("scheduler", PROJECT, *options)
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        self.address: str = json.loads(file.read_text())["address"]

    def _start(self, kind: str, project: Path, *options: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", kind, *options],
                cwd=self.folder,
                env=os.environ
                | {"PYTHONPATH": f"{project}:{self.folder}", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def add_worker(self, *options: str, project: Path = PROJECT) -> None:
        """Start one worker; it joins a little later."""
        folder = ("--local-directory", str(self.folder), "--preload", "bomb")
        self._start("worker", project, self.address, "--nthreads", "2", *LOCAL, *folder, *options)

    def wait_for_worker(self) -> None:
        """Wait until there is one."""
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=HANG_SECONDS)

    @contextlib.contextmanager
    def armed(self, bomb: str) -> Iterator[None]:
        """With a file `bomb`, which becomes `killed` or `held` (then `released`) when it goes off once."""
        (self.folder / "released").unlink(missing_ok=True)
        (self.folder / bomb).touch()
        try:
            yield
        finally:
            for name in (bomb, "killed", "held"):
                (self.folder / name).unlink(missing_ok=True)

    def has(self, name: str) -> bool:
        """Whether there is such a file of a bomb."""
        return (self.folder / name).exists()

    def stop(self) -> None:
        """End every process."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler and two workers, which nannies start anew when they die."""
    dask = DaskCluster(tmp_path_factory.mktemp("cluster"))
    try:
        dask.add_worker()
        dask.add_worker()
        yield dask
    finally:
        dask.stop()


@pytest.fixture
def no_workers(tmp_path: Path) -> Iterator[DaskCluster]:
    """A scheduler to which a test adds what it needs."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    dask = DaskCluster(folder)
    try:
        yield dask
    finally:
        dask.stop()


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    """Logging as it was, after a command that ran in this process."""
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw().write(tmp_path_factory.mktemp("cluster") / "raw")


@pytest.fixture(scope="module")
def whole(raw: Path) -> dict[str, str]:
    """The tree of a conversion on this machine."""
    output = raw.with_name("whole")
    assert finish(start(raw, output, *OPTIONS)) == (0, "")
    found = tree(output)
    assert any(path.startswith("small/") for path in found)
    return found


def assert_same_command_finishes(raw: Path, output: Path, whole: dict[str, str], *options: str) -> None:
    assert finish(start(raw, output, *OPTIONS, *options)) == (0, "")
    assert tree(output) == whole
    assert leftovers(output) == []


def test_same_bytes_as_on_one_machine(
    raw: Path, tmp_path: Path, whole: dict[str, str], two_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere, so that relative paths would lead them astray
    shutil.copytree(raw, "raw")
    options = ("--scheduler", two_workers.address)
    assert_same_command_finishes(Path("raw"), Path("rocov2"), whole, *options)
    code, error = finish(start(Path("raw"), Path("rocov2"), *OPTIONS[:-1], "--workers", "1"))
    assert (code, "already built" in error) == (0, True)


def test_problems_of_the_release_are_told_by_the_workers(tmp_path: Path, two_workers: DaskCluster) -> None:
    release = make_raw()
    release.image("train", 0).data = release.image("train", 0).data[:-200]
    release.image("test", 0).caption = ""  # so that nothing is built, and every image is looked at
    raw = release.write(tmp_path / "raw")
    code, error = finish(start(raw, tmp_path / "rocov2", *OPTIONS, "--scheduler", two_workers.address))
    assert code == 1
    assert "empty-caption" in error
    assert "truncated-jpeg" in error
    assert not list(raw.glob(".*"))


def test_a_worker_killed_in_the_middle_is_survived(
    raw: Path, tmp_path: Path, whole: dict[str, str], two_workers: DaskCluster
) -> None:
    with two_workers.armed("kill-once"):
        assert_same_command_finishes(raw, tmp_path / "rocov2", whole, "--scheduler", two_workers.address)
        assert two_workers.has("killed")


def test_workers_that_die_again_and_again_are_told(
    raw: Path, tmp_path: Path, whole: dict[str, str], two_workers: DaskCluster
) -> None:
    output = tmp_path / "rocov2"
    with two_workers.armed("kill-always"):
        code, error = finish(start(raw, output, *OPTIONS, "--scheduler", two_workers.address))
    assert code == 1
    assert re.fullmatch(r"Error: every worker that began data/\S+ died, 2 times in a row .*\n", error)
    assert_same_command_finishes(raw, output, whole, "--scheduler", two_workers.address)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_an_ended_command_left_running_does_not_disturb_the_next(
    raw: Path, tmp_path: Path, whole: dict[str, str], two_workers: DaskCluster, number: signal.Signals
) -> None:
    output = tmp_path / "rocov2"
    with two_workers.armed("hold-once"):
        process = start(raw, output, *OPTIONS, "--scheduler", two_workers.address)
        wait_until(lambda: two_workers.has("held"))
        process.send_signal(number)
        code, error = finish(process)
        if number == signal.SIGINT:
            begun = any(tmp_path.glob("rocov2.building/*/facts/*.json"))
            hint = " Run the same command again to resume where this one stopped." if begun else ""
            assert (code, error.strip()) == (130, f"Interrupted.{hint}")
        assert_same_command_finishes(raw, output, whole, "--scheduler", two_workers.address)
        assert two_workers.has("held")
    wait_until(lambda: two_workers.has("released"))
    assert tree(output) == whole
    assert leftovers(output) == []


def test_a_scheduler_that_goes_is_told_and_one_machine_goes_on(
    raw: Path, tmp_path: Path, whole: dict[str, str], no_workers: DaskCluster
) -> None:
    no_workers.add_worker("--no-nanny")
    output = tmp_path / "rocov2"

    def facts() -> list[Path]:
        return list(output.parent.glob("rocov2.building/*/facts/*.json"))

    with no_workers.armed("hold-once"):
        process = start(raw, output, *OPTIONS, "--scheduler", no_workers.address)
        wait_until(lambda: no_workers.has("held") and facts())
        no_workers.scheduler.kill()
        code, error = finish(process)
    assert (code, error) == (
        1,
        f"Error: the scheduler at {no_workers.address} is gone: start it and its workers, and run the same command again to "
        "resume; this works without --scheduler too, on one machine\n",
    )
    paths = [json.loads(path.read_text())["facts"]["path"] for path in facts()]
    (folder,) = output.parent.glob("rocov2.building/*/repository")
    finished = {path: (folder / path).stat().st_mtime_ns for path in paths}
    assert_same_command_finishes(raw, output, whole)
    assert finished == {path: (output / path).stat().st_mtime_ns for path in finished}


@pytest.mark.parametrize("answer", ["none", "silence", "a worker"])
def test_an_address_without_a_scheduler_is_told(
    raw: Path, tmp_path: Path, two_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        if answer == "none":
            server.close()
        elif answer == "a worker":
            with distributed.Client(two_workers.address, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=HANG_SECONDS)
                address = next(iter(client.nthreads()))
        with pytest.raises(UserError, match=rf"^no Dask scheduler answers at {address} \(.+\): check that it runs"):
            convert(Conversion(raw, tmp_path / "rocov2", release="any", scheduler=address, quiet=True))


def test_an_address_that_is_none_is_wrong_usage(raw: Path, tmp_path: Path) -> None:
    code, error = finish(start(raw, tmp_path / "rocov2", "--scheduler", "localhost"))
    assert code == 2
    assert "'localhost' is not an address such as tcp://10.0.0.1:8786" in error


def test_a_scheduler_without_workers_is_told_at_the_start_and_later(
    raw: Path, tmp_path: Path, no_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Conversion(raw, tmp_path / "rocov2", release="any", scheduler=no_workers.address, quiet=True)
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.1)
    with pytest.raises(UserError, match="has had no worker for 1 seconds: start workers"):
        convert(options)
    no_workers.add_worker("--no-nanny")
    no_workers.wait_for_worker()
    with no_workers.armed("kill-once"):
        with pytest.raises(UserError, match="has had no worker for 1 seconds: start workers"):
            convert(options)
        assert no_workers.has("killed")


def test_workers_with_another_version_are_told(raw: Path, tmp_path: Path, no_workers: DaskCluster) -> None:
    other = tmp_path / "other"
    for package in ("rocov2_build", "rocov2_shared"):
        shutil.copytree(PROJECT / package, other / package)
    with (other / "rocov2_build" / "worker" / "jpeg.py").open("a") as file:
        file.write("# changed\n")
    no_workers.add_worker("--no-nanny", project=other)
    no_workers.wait_for_worker()
    code, error = finish(start(raw, tmp_path / "rocov2", *OPTIONS, "--scheduler", no_workers.address))
    assert code == 1
    assert re.fullmatch(
        r"Error: workers of the cluster cannot do this work; .*\n"
        r"    tcp://\S+: source of the project: expected \w{12}, found \w{12}\n"
        r"Restart them .*\n",
        error,
    )


def test_workers_without_the_project_are_told(
    tmp_path: Path, no_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "other" / "rocov2_build"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    no_workers.add_worker("--no-nanny", project=package.parent)
    no_workers.wait_for_worker()
    tasks = [TextTask("a", b"", ())]
    with pytest.raises(UserError, match=r"tcp://.*No module named 'rocov2_build\.engine'.*\nRestart them"):
        list(run_on_cluster(tasks, tmp_path, no_workers.address))
    # One that joins later ends when it is given a task, which it cannot even read.
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    monkeypatch.setattr(cluster, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr("rocov2_build.engine.cluster._Cluster.require", lambda *_: None)
    with pytest.raises(UserError, match=r"no worker for 1 seconds: start workers .* where this project is installed"):
        list(run_on_cluster(tasks, tmp_path, no_workers.address))


def test_workers_that_cannot_see_the_files_are_told(
    raw: Path, tmp_path: Path, two_workers: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(raw, "raw")
    here = Path("/proc/self/cwd")  # each process sees another folder there
    process = start(here / "raw", here / "rocov2", *OPTIONS, "--scheduler", two_workers.address)
    code, error = finish(process)
    assert code == 1
    missing = "No such file or directory"
    assert len(re.findall(rf"    tcp://\S+: \S+/repository: expected a folder, found {missing}\n", error)) == 2
    assert len(re.findall(rf"    tcp://\S+: \S+\.zip: expected [\d,]+ bytes, found {missing}\n", error)) == 2
    assert "Traceback" not in error


def test_a_worker_that_joins_late_is_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distributed.get_worker", lambda: SimpleNamespace(address="tcp://late:1"))
    with pytest.raises(UserError, match=r"tcp://late:1: pyarrow: expected 1\.0, found"):
        run_apart(versions() | {"pyarrow": "1.0"}, TextTask("a", b"", ()), "")


def test_what_a_worker_sees_is_compared(tmp_path: Path) -> None:
    file = tmp_path / "train" / "1.jpg"
    file.parent.mkdir()
    file.write_bytes(b"12")
    task = CheckTask("", str(file.parent), ("1",), (Member("1.jpg", -1, 2, 2, 0, 0),), "none")
    needs = needs_of(task, tmp_path)
    assert needs == versions() | {str(tmp_path): "a folder", str(file): "2 bytes"}
    assert find_faults(needs) == []
    file.write_bytes(b"123")
    assert find_faults(needs) == [f"{file}: expected 2 bytes, found 3 bytes"]


def test_a_file_that_is_not_seen_here_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "SEEN_SECONDS", 0.1)
    facts = FileFacts("../attempts/.a.tmp", 1, 1, "", 1, "")
    with pytest.raises(UserError, match=r"a worker wrote .*/\.a\.tmp, but no such file is seen here"):
        cluster._put_in_place(facts, "a", tmp_path)


def test_without_the_extra_its_name_is_told(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install -e '\.\[cluster\]'"):
        convert(Conversion(raw, tmp_path / "rocov2", release="any", scheduler="tcp://127.0.0.1:1", quiet=True))


def test_workers_of_one_machine_do_not_import_what_a_cluster_needs() -> None:
    program = "import sys, rocov2_build.engine.local; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert not {"rocov2_build.engine.cluster", "distributed", "dask", "asyncio", "rocov2", "datasets", "pandas"} & set(
        done.stdout.split()
    )


def test_commands_without_a_scheduler_do_not_import_dask() -> None:
    program = "import sys, rocov2_build.convert; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert not {"distributed", "dask"} & set(done.stdout.split())
