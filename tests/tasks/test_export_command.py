"""The command that exports: what it says, and what is left when it is refused, interrupted, killed or out of space."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rocov2_tasks.formats import FORMATS
from tests.conftest import PROJECT, Run
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.repositories import files_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=24).build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


def test_the_command(built: Path, tmp_path: Path, run: Run) -> None:
    done = run("export", built, "out/tars", "--format", "webdataset", "--split", "test", "--max-shard-size", "1MB")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "Done      out/tars: 6 images for webdataset."
    assert sorted(os.listdir(tmp_path / "out" / "tars")) == ["sizes.json", "test-00000.tar"]
    quiet = run("export", built, "quiet", "--format", "llamafactory", "--prompt", "Why?", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["{built}", "full", "--format", "webdataset"],
            1,
            "Error: {tmp}/full is not empty: name a new folder, or remove it",
        ),
        (
            ["{built}", "file", "--format", "webdataset"],
            1,
            "Error: {tmp}/file is a file, not a folder: name a new folder",
        ),
        (["nowhere", "out", "--format", "webdataset"], 1, "Error: no folder 'nowhere' in {tmp}: build it with"),
        (["full", "out", "--format", "webdataset"], 1, "full is not a built repository, missing conversion.json"),
        (
            ["{built}", "out", "--format", "parquet"],
            2,
            "'parquet' is not one of 'webdataset', 'llamafactory', 'vlmevalkit'",
        ),
        (["{built}", "out"], 2, "Missing option '--format'"),
        (
            ["{built}", "out", "--format", "webdataset", "--split", "valid"],
            2,
            "'valid' is not one of 'train', 'validation'",
        ),
        (["{built}", "out", "--format", "webdataset", "--max-shard-size", "big"], 2, "invalid size 'big'"),
        (
            ["{built}", "out", "--format", "llamafactory", "--max-shard-size", "1MB"],
            2,
            "--max-shard-size does not apply to --format llamafactory: leave it out",
        ),
        (
            ["{built}", "out", "--format", "webdataset", "--prompt", "Why?"],
            2,
            "--prompt does not apply to --format webdataset, which has no questions",
        ),
        (
            ["{built}", "out", "--format", "webdataset", "--seed", "0"],
            2,
            "--seed does not apply to --format webdataset, which has no questions",
        ),
        (
            ["{built}", "out", "--format", "webdataset", "--on-marker", "escape"],
            2,
            "--on-marker does not apply to --format webdataset, which keeps captions as released: leave it out",
        ),
        (
            ["{built}", "out", "--format", "llamafactory", "--on-marker", "skip"],
            2,
            "'skip' is not one of 'raise', 'escape'",
        ),
        (
            ["{built}", "out", "--format", "llamafactory", "--prompt", " "],
            2,
            "--prompt: ' ' is blank or not valid text",
        ),
        (
            ["{built}", "out", "--format", "vlmevalkit", "--prompt", "\udcff"],
            2,
            r"--prompt: '\udcff' is blank or not valid text",
        ),
        (
            ["{built}", "out", "--format", "llamafactory", "--prompt", "<image>q"],
            2,
            "--prompt: '<image>q' contains <image>, which trainers do not",
        ),
    ],
)
def test_refusals(arguments: list[str], code: int, message: str, built: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note").write_text("")
    (tmp_path / "file").write_text("")
    done = run("export", *(argument.format(built=built) for argument in arguments))
    assert done.returncode == code
    assert message.format(tmp=tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(os.listdir(tmp_path)) == ["file", "full"]


def test_captions_with_markers_are_refused_or_escaped(tmp_path: Path, run: Run) -> None:
    raw = make_raw(train=8)
    first, second = raw.image("train", 1), raw.image("train", 6)
    first.caption, second.caption = "see <image>", "end<|im_end|>"
    built = raw.build(tmp_path / "rocov2")
    done = run("export", built, "out", "--format", "llamafactory")
    assert done.returncode == 1
    refusal = done.stderr.splitlines()[-1]
    assert re.match(
        r"Error: (1 answer contains|2 answers contain) a marker, which trainers do not read as text: ", refusal
    )
    assert refusal.endswith(
        "; run again with --on-marker escape, which puts a blank after the first character of a marker"
    )
    assert {first.id, second.id} & set(re.findall(r"ROCOv2_\w+", done.stderr))
    assert os.listdir(tmp_path) == ["rocov2"]
    done = run("export", built, "out", "--format", "llamafactory", "--on-marker", "escape")
    assert done.returncode == 0, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Escaped   the markers of 2 of 20 answers: ")
    assert f"{first.id} (<image>)" in last
    assert f"{second.id} (<|im_end|>)" in last
    rows = [row for file in (tmp_path / "out" / "train").iterdir() for row in pq.read_table(file).to_pylist()]
    answers = {row["image_id"]: row["conversations"][1]["value"] for row in rows}
    released = {image.id: image.caption for image in raw.splits["train"]}
    assert answers == released | {first.id: "see < image>", second.id: "end< |im_end|>"}
    quiet = run("export", built, "quiet", "--format", "llamafactory", "--on-marker", "escape", "--quiet")
    assert (quiet.returncode, quiet.stderr) == (0, "")
    for format in set(FORMATS) - {"llamafactory"}:  # nothing is trained on them as a chat
        assert run("export", built, format, "--format", format).returncode == 0


def test_a_split_that_is_not_built_is_told(tmp_path: Path, run: Run) -> None:
    make_raw(train=6).build(tmp_path / "rocov2", splits=("test",))
    done = run("export", "rocov2", "out", "--format", "webdataset", "--split", "train")
    assert (done.returncode, done.stderr) == (1, "Error: no split 'train': there are test\n")


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_told_and_leaves_nothing(format: str, built: Path, tmp_path: Path) -> None:
    limited = f"ulimit -f 4; exec {sys.executable} {PROJECT}/scripts/export.py {built} out --format {format} --quiet"
    ignoring = f"trap '' XFSZ; {limited}"  # so that writing fails, as on a full disk, instead of killing
    done = subprocess.run(["bash", "-c", ignoring], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "File too large" in done.stderr
    assert done.stderr.endswith("out was not made\n")
    assert os.listdir(tmp_path) == []


_SLOWLY = """
import runpy, sys, time
import rocov2_tasks.export as module

read = module._read_groups

def read_slowly(*arguments):
    for table in read(*arguments):
        yield table
        print("read", flush=True)
        time.sleep(600)

module._read_groups = read_slowly
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def _start(built: Path, tmp_path: Path) -> subprocess.Popen[str]:
    """An export that stands still in the middle."""
    script = str(PROJECT / "scripts" / "export.py")
    command = [sys.executable, "-c", _SLOWLY, script, str(built), "out", "--format", "webdataset"]
    started = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "read\n"
    return started


def test_interrupting_leaves_nothing(built: Path, tmp_path: Path) -> None:
    started = _start(built, tmp_path)
    assert os.listdir(tmp_path) == ["out.exporting"]
    started.send_signal(signal.SIGINT)
    _, told = started.communicate(timeout=HANG_SECONDS)
    assert started.returncode == 130
    assert told.endswith("Interrupted.\n")
    assert os.listdir(tmp_path) == []


def test_what_a_kill_leaves_is_replaced(built: Path, tmp_path: Path, run: Run) -> None:
    started = _start(built, tmp_path)
    second = run("export", built, "out", "--format", "webdataset")
    assert second.returncode == 1
    assert f"another process is writing {tmp_path}/out: wait for it, or name another folder" in second.stderr
    started.kill()
    started.communicate(timeout=HANG_SECONDS)
    assert os.listdir(tmp_path) == ["out.exporting"]
    assert run("export", built, "out", "--format", "webdataset").returncode == 0
    assert os.listdir(tmp_path) == ["out"]
    run("export", built, "again", "--format", "webdataset")
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")
