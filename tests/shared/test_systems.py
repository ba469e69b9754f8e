"""Systems without `fcntl` and folders that open, such as Windows: reading works, making a repository ends with one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import PROJECT
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

WITHOUT = """\
import os, signal, sys

sys.modules["fcntl"] = sys.modules["resource"] = None
for name in ("O_DIRECTORY", "O_NOFOLLOW", "sched_getaffinity", "pread", "preadv"):
    delattr(os, name)
del signal.pthread_sigmask
"""
"""A `sitecustomize` that takes away what only POSIX has."""

RUN = """\
import json, sys
from rocov2_commands.main import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["rocov2", *arguments]
    try:
        main()
    except SystemExit as end:
        print(arguments[0], end.code, file=sys.stderr)
"""
"""Several commands in one process, which imports what they need once."""

READ = """\
import sys
import rocov2
from rocov2_tasks import subsets, views
from rocov2_tasks.pretraining import PretrainingStream

dataset = rocov2.load("rocov2", split="train")
assert len(list(PretrainingStream("rocov2", image_size=32))) == len(dataset)
assert len(list(PretrainingStream("rocov2", columns=["image"], window="1kB", decode="bytes"))) == len(dataset)
assert views.to_messages(dataset)[0]["messages"]
assert len(subsets.filter_article(dataset, dataset["pmcid"])) == len(dataset)
from rocov2_tasks.explorer.collection import Collection

assert sum(Collection("rocov2").counts.values())
"""

Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("systems")
    make_raw(train=6, valid=3, test=3).build(folder / "rocov2", shard=3_000, row_group=1_500)
    return folder


@pytest.fixture
def start(built: Path, environment: dict[str, str], tmp_path: Path) -> Start:
    """Run a program in the folder of the repository, on a system that is not POSIX."""
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "sitecustomize.py").write_text(WITHOUT)
    path = os.pathsep.join([str(tmp_path / "system"), str(PROJECT)])

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments]
        settings = environment | {"PYTHONPATH": path}
        return subprocess.run(
            command, cwd=built, env=settings, capture_output=True, text=True, check=False, timeout=300
        )

    return run


def test_every_command_that_reads_works_elsewhere(start: Start, built: Path) -> None:
    commands = [
        ["check", "rocov2"],
        ["show", "rocov2"],
        ["preview", "rocov2", "preview"],
        ["preview", "rocov2", "preview"],
        *(
            ["export", "rocov2", f"out-{name}", "--format", name]
            for name in ("webdataset", "llamafactory", "vlmevalkit")
        ),
        ["baseline", "rocov2"],
    ]
    done = start(RUN, json.dumps(commands))
    codes = [
        line for line in done.stderr.splitlines() if line in {f"{words[0]} {line.split()[-1]}" for words in commands}
    ]
    assert codes == [f"{words[0]} 0" for words in commands], done.stderr
    names = {"preview", "out-webdataset", "out-llamafactory", "out-vlmevalkit"}
    assert {path.name for path in built.iterdir()} - {"rocov2"} == names


def test_what_reads_from_python_works_elsewhere(start: Start) -> None:
    pytest.importorskip("duckdb")
    done = start(READ)
    assert done.returncode == 0, done.stderr


def test_a_submission_is_scored_elsewhere(start: Start, built: Path, tmp_path: Path) -> None:
    rows = pq.read_table(built / "rocov2" / "text" / "test.parquet", columns=["image_id", "cuis"]).to_pylist()
    lines = ["ID,CUIs", *(f"{row['image_id']},{';'.join(row['cuis'])}" for row in rows)]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    done = start(RUN, json.dumps([["score", str(tmp_path / "s.csv"), "rocov2"]]))
    assert done.stderr.splitlines()[-1] == "score 0", done.stderr
    assert "1.0000" in done.stdout


@pytest.mark.parametrize(
    ("command", "work"),
    [
        (["convert", "raw", "new"], "converting a release"),
        (["convert", "raw", "new", "--dry-run"], "converting a release"),
        (["download", "raw"], "downloading a release"),
    ],
    ids=["convert", "dry run", "download"],
)
def test_making_a_repository_ends_with_one_line_elsewhere(
    start: Start, built: Path, command: list[str], work: str
) -> None:
    before = sorted(built.iterdir())
    done = start(RUN, json.dumps([command]))
    expected = f"Error: {work} needs Linux or macOS: this system has no file locks (Python's fcntl)\n{command[0]} 1\n"
    assert (done.stdout, done.stderr) == ("", expected)
    assert sorted(built.iterdir()) == before


def test_what_converts_can_be_imported_elsewhere(start: Start) -> None:
    done = start("import rocov2_build.convert, rocov2_build.download, rocov2_build.publish, rocov2_shared.locks")
    assert done.returncode == 0, done.stderr
