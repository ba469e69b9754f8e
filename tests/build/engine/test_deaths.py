"""Workers that die at an image: it is named, and can be left out like any other image at fault."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from rocov2_build.convert import Conversion, convert
from rocov2_build.engine import local
from rocov2_build.engine.deaths import Deaths
from rocov2_build.engine.processes import WorkerDiedError
from rocov2_build.worker import current
from rocov2_build.worker import jpeg as jpeg_module
from rocov2_build.worker.jpeg import ImageFacts
from rocov2_build.worker.task import CheckTask, FileFacts, ImageFault, TableTask
from rocov2_build.worker.write import run_task
from rocov2_shared.errors import UserError
from tests.support.jpegs import with_segment
from tests.support.processes import HANG_SECONDS
from tests.support.raw import jpeg, make_raw

CRASHES, KILLS = (0xFE, b"crashes"), (0xFE, b"kills")
"""Segments of images that end the process which inspects them."""


def run_fragile(task: Any, repository: str, threads: int) -> FileFacts | list[ImageFault]:
    """A task in a process that certain images end; `local.run_task` for these tests."""
    plain = jpeg_module.inspect

    def inspect(data: bytes, verify: str, side: int | None) -> ImageFacts:
        for number, (_, comment) in ((signal.SIGSEGV, CRASHES), (signal.SIGKILL, KILLS)):
            if comment in data:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                os.kill(os.getpid(), number)
                time.sleep(HANG_SECONDS)  # another thread may get the signal, a moment later
        return plain(data, verify, side)

    with patch("rocov2_build.worker.write.inspect", inspect):
        return run_task(task, repository, threads)


@pytest.fixture(autouse=True)
def fragile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "run_task", run_fragile)


def listed(output: Path) -> list[tuple[str, str, str]]:
    with output.with_name("rocov2.problems.csv").open(newline="", encoding="utf-8") as file:
        return [(row["code"], row["id"], row["found"]) for row in csv.DictReader(file)]


@pytest.mark.slow
def test_an_image_that_ends_its_workers_is_told_like_any_other_problem(tmp_path: Path) -> None:
    release = make_raw(train=12, valid=2, test=2)
    crashing, killing, damaged = (release.image("train", number) for number in (3, 5, 8))
    crashing.data = with_segment(jpeg(40, 32), *CRASHES)
    killing.data = with_segment(jpeg(40, 32, "L", 1), *KILLS)
    damaged.data = damaged.data[:-40]
    raw, output = release.write(tmp_path / "raw"), tmp_path / "rocov2"
    options: dict[str, Any] = {"release": "any", "workers": 2, "quiet": True}
    with pytest.raises(
        UserError, match=f"crashing-image: 2 images that end the processes .*\n.* {crashing.id}: expected"
    ):
        convert(Conversion(raw, output, **options))
    problems = listed(output)
    assert [(code, image_id) for code, image_id, _ in problems] == [
        ("crashing-image", crashing.id),
        ("crashing-image", killing.id),
        ("truncated-jpeg", damaged.id),
    ]
    assert problems[0][2].endswith("worker processes that died at it (the last one ended by SIGSEGV)")
    assert problems[1][2] == "3 worker processes that died at it (the last one ended by SIGKILL)"
    assert not output.exists()

    convert(Conversion(raw, output, skip_problems=True, **options))
    conversion = json.loads((output / "conversion.json").read_text())
    left_out = [(case["code"], case["image_id"]) for case in conversion["left_out"]]
    assert left_out == [(code, image_id) for code, image_id, _ in problems]
    built = sum(facts["rows"] for path, facts in conversion["files"].items() if path.startswith("data/"))
    assert built == 13
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("rocov2.b")] == []


@pytest.mark.slow
def test_it_is_told_in_a_release_that_has_other_faults(tmp_path: Path) -> None:
    release = make_raw(train=6, valid=2, test=2)
    release.image("train", 1).caption = " "
    release.image("train", 2).data = with_segment(jpeg(40, 32), *CRASHES)
    release.image("train", 3).data = b"text"
    raw = release.write(tmp_path / "raw")
    with pytest.raises(UserError):
        convert(Conversion(raw, tmp_path / "rocov2", release="any", workers=2, quiet=True))
    assert {code for code, _, _ in listed(tmp_path / "rocov2")} == {"empty-caption", "crashing-image", "not-a-jpeg"}


def crash(*images: str) -> WorkerDiedError:
    return WorkerDiedError("ended by SIGSEGV", images, is_crash=True)


def kill(*images: str) -> WorkerDiedError:
    return WorkerDiedError("ended by SIGKILL", images)


@pytest.mark.parametrize(
    ("deaths", "culprit"),
    [
        ([crash("a"), crash("a")], "a"),
        ([crash("a", "b"), crash("b")], "b"),
        ([crash("a", "b"), crash("a", "b")], None),
        ([crash("a"), crash("b")], None),
        ([crash("a"), kill("a")], None),
        ([crash("a"), kill(), crash("a")], "a"),
        ([kill("a"), kill("a")], None),
        ([kill("a"), kill("a", "b"), kill("a")], "a"),
    ],
)
def test_an_image_is_at_fault_only_when_that_is_certain(deaths: list[WorkerDiedError], culprit: str | None) -> None:
    task, found = CheckTask("train", "train_images.zip", ("a", "b", "c"), ((),) * 3, "strict"), Deaths()  # type: ignore[arg-type]
    for death in deaths:
        rest = found.record(task, death)
    assert rest.ids == tuple(image for image in task.ids if image != culprit)
    assert found.met(task) == (culprit is None)
    original, faults = found.complete(rest, [])
    assert original == task
    assert isinstance(faults, list)
    assert [fault.image_id for fault in faults] == [culprit] * (culprit is not None)


@pytest.mark.parametrize(
    ("deaths", "at"),
    [
        ([kill("a"), kill("b"), kill("c")], " at c"),
        ([kill(), kill(), kill("a", "b")], " at a and b"),
        ([kill(), kill(), kill()], ""),
    ],
)
def test_other_deaths_give_the_task_up_and_name_where_the_last_one_was(deaths: list[WorkerDiedError], at: str) -> None:
    task, found = CheckTask("train", "train_images.zip", ("a", "b", "c"), (), "strict"), Deaths()
    for death in deaths[:2]:
        assert found.record(task, death) is task
    with pytest.raises(
        UserError, match=rf"^3 worker processes died while writing train \(the last one ended by SIGKILL{at}\)"
    ):
        found.record(task, deaths[2])


def test_a_task_without_images_is_only_given_up() -> None:
    task, found = TableTask("text/train.parquet", b"", b""), Deaths()
    assert found.record(task, crash()) is task
    assert found.record(task, crash()) is task
    with pytest.raises(UserError, match="3 worker processes died"):
        found.record(task, crash())


def test_an_image_is_current_until_its_thread_leaves_it() -> None:
    memory = bytearray(current.BYTES)
    current.share(memory)
    try:
        slots = [current.enter(f"image {number}") for number in range(current.SLOTS + 2)]
        assert current.read_current(memory) == sorted(f"image {number}" for number in range(current.SLOTS))
        assert slots[-2:] == [None, None]
        for slot in slots:
            current.leave(slot)
        assert current.read_current(memory) == []
        current.leave(current.enter("é" * 500))
        assert current.enter("again") is not None
        assert current.read_current(memory) == ["again"]
    finally:
        current.share(None)
    assert current.enter("nowhere") is None
