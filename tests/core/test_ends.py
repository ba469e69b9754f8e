"""A program that imports `rocov2` ends cleanly in the middle of a stream of `datasets`, in each version."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset
import pytest

import rocov2
from tests.conftest import PROJECT, Seeds
from tests.support.ends import LEFT, OPEN, count_ends, write_shard
from tests.support.environments import VERSIONS, child_environment, python_of

PROGRAMS = {"open": OPEN, "left": LEFT}


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shard(tmp_path_factory.mktemp("ends") / "shard.parquet")


def program(name: str, shard: Path, python: Path | str = sys.executable) -> list[str]:
    first = f"sys.path.insert(0, {str(PROJECT)!r}); import rocov2"
    return [str(python), "-c", PROGRAMS[name].format(first=first), str(shard)]


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_a_program_ends_cleanly_with_an_open_stream(version: str, shard: Path, tmp_path: Path) -> None:
    command = program("open", shard, python_of(version))
    assert count_ends(command, 1, child_environment(tmp_path), tmp_path) == {0: 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_cleanly_again_and_again(name: str, shard: Path, tmp_path: Path, seeds: Seeds) -> None:
    runs = len(seeds(1))
    assert count_ends(program(name, shard), runs, child_environment(tmp_path), tmp_path) == {0: runs}


class _SlowFile:
    """A file whose reads block until they are allowed."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.allowed = threading.Event()
        self.allowed.set()
        self.waiting = threading.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        if not self.allowed.is_set():
            self.waiting.set()
            self.allowed.wait()
        return self._file.read(size)


def test_tasks_of_pyarrow_are_counted(shard: Path) -> None:
    file = _SlowFile(shard)
    fragment = pyarrow.dataset.ParquetFileFormat().make_fragment(pa.PythonFile(file, "r"))
    fragment.ensure_complete_metadata()
    file.allowed.clear()
    reader = threading.Thread(target=fragment.head, args=(1,))
    reader.start()
    try:
        assert file.waiting.wait(60)
        assert rocov2._count_arrow_tasks() > 0
    finally:
        file.allowed.set()
        reader.join()
    deadline = time.monotonic() + 60
    while rocov2._count_arrow_tasks():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_read_that_does_not_end_does_not_keep_a_program_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rocov2, "_LONGEST_END", 0.02)
    monkeypatch.setattr(rocov2, "_count_arrow_tasks", lambda: 1)
    rocov2._end_streams()


def test_a_library_that_hides_its_threads_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert rocov2._count_arrow_tasks() == 0
