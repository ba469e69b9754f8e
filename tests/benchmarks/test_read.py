"""The benchmark of reading: it measures what it says, and no reader that loses or changes images gets a number."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from benchmarks.reading import run
from benchmarks.reading.goals import GOALS, SIZES, Run, goals, runs
from benchmarks.reading.readers import Job

pytestmark = pytest.mark.slow

IMAGES = 24
PARTS = ("bytes", "resume")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("read")
    command = [sys.executable, run.__file__, "--images", str(IMAGES), "--rounds", "1", "--folder", str(folder)]
    command += [*(f"--part={part}" for part in PARTS), "--method", "stream", "--method", "pyarrow"]
    done = subprocess.run([*command, "--output", str(folder / "table.md")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "table.md").read_text() in done.stdout
    return done.stdout


def test_every_part_has_its_table_and_its_goals(report: str) -> None:
    assert f"{IMAGES} images, 1 rounds" in report
    for line in (
        "| **`PretrainingStream`**, shuffled |",
        "| bare pyarrow, `iter_batches` |",
        "| JPEGs, in order / bare pyarrow, later epochs | >= 1.3 |",
        "| **`PretrainingStream`**, shuffled | yes |",
    ):
        assert line in report


def test_every_goal_names_runs_that_are_measured() -> None:
    keys = [run.key for run in runs()]
    assert len(keys) == len(set(keys))
    assert {key for goal in GOALS for key in (goal.run, *goal.beside)} <= {*keys, SIZES}


def test_a_goal_that_is_missed_is_told_so() -> None:
    ours = {"rate": 100.0}
    results = {"one stream `exact`, shuffled": [ours], "one memory `exact`": [{"rate": 125.0}]}
    limit = "limit: the JPEGs in memory, decoded and no more, `exact`"
    text = f"| `exact` / the same pixels in memory, one processor ({limit}) | >= 0.95 |"
    assert f"{text} **0.80** | no |" in list(goals(results))
    ours["rate"] = 120
    assert f"{text} **0.96** | yes |" in list(goals(results))


@pytest.mark.parametrize(("changed", "message"), [({"keys": "b"}, "once"), ({"level": 900}, "not those of the other")])
def test_a_reader_that_gives_something_else_gets_no_number(changed: dict[str, object], message: str) -> None:
    one = Run("one", Job("stream", "", "exact"))
    expected, levels = {"image_id": {"images": 24, "keys": "a"}}, {"exact, `default`": 800}
    good = {"images": 24, "keys": "a", "level": 850}  # within one level of each value
    run.check(one, good, expected, levels)
    with pytest.raises(click.ClickException, match=message):
        run.check(one, good | changed, expected, levels)


def test_a_missing_package_is_found() -> None:
    assert run.versions(sys.executable, "pyarrow") is not None
    run.PACKAGES["nothing"] = ("no-such-package-at-all",)
    try:
        assert run.versions(sys.executable, "nothing") is None
    finally:
        del run.PACKAGES["nothing"]


def test_a_wrong_interpreter_is_refused() -> None:
    with pytest.raises(click.UsageError, match="webdataset=/no/python"):
        run.parse_environments(("webdataset=/no/python",))
