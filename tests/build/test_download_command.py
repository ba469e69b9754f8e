"""`scripts/download_release.py` as a person starts it: exit codes, messages, and going on after every kind of end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT, Run
from tests.support.processes import HANG_SECONDS, wait_until
from tests.support.zenodo import BIG, BIG_SIZE, CONTENTS, Answer, Zenodo, files_in, md5

Start = Callable[[], "subprocess.Popen[str]"]
PART = f".{BIG}.part"
STUCK = Answer(hold=True)


@pytest.fixture
def start(zenodo: Zenodo, tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Starts the command and returns when it is in the middle of a file, of which no more comes."""
    started: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        zenodo.plan(BIG, [STUCK])
        command = [sys.executable, str(PROJECT / "scripts" / "download_release.py"), "--base-url", zenodo.url]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
        started.append(process)
        part = tmp_path / "raw" / PART

        def has_begun() -> bool:
            assert process.poll() is None, "ended too early"
            return part.exists() and part.stat().st_size > 0

        wait_until(has_begun)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_a_download(zenodo: Zenodo, tmp_path: Path, run: Run) -> None:
    done = run("download_release", "--base-url", zenodo.url)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "Done      raw/: 14 files, 911 kB, every MD5 verified."
    assert files_in(tmp_path / "raw") == CONTENTS


def test_every_option(tmp_path: Path, run: Run) -> None:
    with Zenodo(CONTENTS, number=42) as zenodo:
        options = ("--record", 42, "--csv-only", "--quiet", "--base-url", zenodo.url)
        done = run("download_release", "a/b", *options)
        again = run("download_release", "a/b", *options)
    assert [(end.returncode, end.stdout, end.stderr) for end in (done, again)] == [(0, "", "")] * 2
    assert files_in(tmp_path / "a" / "b") == {name: CONTENTS[name] for name in CONTENTS if name.endswith(".csv")}
    assert len(zenodo.requests) == 13


def test_the_fault_of_a_server_is_told_with_the_manual_steps(zenodo: Zenodo, tmp_path: Path, run: Run) -> None:
    zenodo.plan(BIG, [Answer(status=410)])
    failed = run("download_release", "--quiet", "--base-url", zenodo.url)
    assert (failed.returncode, failed.stdout) == (1, "")
    steps = zenodo.by_hand(Path("raw"), BIG, "valid_images.zip", "test_images.zip")
    assert failed.stderr == f"Error: {zenodo.url}{zenodo.path(BIG)}: the server answers 410 Gone{steps}\n"
    for name in (BIG, "valid_images.zip", "test_images.zip"):
        (tmp_path / "raw" / name).write_bytes(CONTENTS[name])
    assert run("download_release", "--base-url", zenodo.url).returncode == 0
    assert len(zenodo.asked(BIG)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--no-such-option"], "No such option"),
        (["--record", "0"], "Invalid value for '--record'"),
        (["--record", "latest"], "Invalid value for '--record'"),
        (["raw", "more"], "Got unexpected extra argument (more)"),
        (["a_file"], "Invalid value for '[RAW]'"),
    ],
)
def test_wrong_usage(tmp_path: Path, run: Run, arguments: list[str], message: str) -> None:
    (tmp_path / "a_file").write_bytes(b"")
    failed = run("download_release", *arguments)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert message in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


def check_going_on(zenodo: Zenodo, raw: Path, run: Run) -> None:
    """The same command again fetches what is missing of the big file, and then the rest."""
    there = (raw / PART).stat().st_size
    assert 0 < there < BIG_SIZE
    assert (raw / PART).read_bytes() == CONTENTS[BIG][:there]
    done = run("download_release", "--base-url", zenodo.url)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert files_in(raw) == CONTENTS
    begin = (f"bytes={there}-", f'"{md5(CONTENTS[BIG])}"')
    assert zenodo.begins(BIG)[1:] == [(begin, 206, BIG_SIZE - there)]
    assert {len(zenodo.asked(name)) for name in CONTENTS if name != BIG} == {1}


def test_an_interrupted_command_goes_on(zenodo: Zenodo, tmp_path: Path, run: Run, start: Start) -> None:
    process = start()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert told.lstrip("\n") == "Interrupted. Run the same command again to resume where this one stopped.\n"
    check_going_on(zenodo, tmp_path / "raw", run)


def test_a_killed_command_goes_on(zenodo: Zenodo, tmp_path: Path, run: Run, start: Start) -> None:
    process = start()
    process.kill()
    assert process.communicate(timeout=HANG_SECONDS)[1] == ""
    assert process.returncode == -signal.SIGKILL
    check_going_on(zenodo, tmp_path / "raw", run)


def test_a_second_command_on_the_same_folder_is_refused(zenodo: Zenodo, run: Run, start: Start) -> None:
    start()
    refused = run("download_release", "--base-url", zenodo.url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "Error: another command downloads into raw/: wait for it\n"
    assert len(zenodo.asked(None)) == 1
