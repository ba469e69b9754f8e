"""Try to lose data: kills at random moments and at every step, full disks, damaged releases. Prints a table (Markdown).

    python benchmarks/conversion/reliability.py --kills 150 --fuzz 5000 --steps

Every fourth of the damaged releases has one fault of a known kind and outcome, the others have random damage.

Anything lost ends the run with a traceback that names the seed or step; the same command repeats it.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from unittest.mock import patch

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.crash import finish, kill_after, leftovers, start, steps_of, tree, went_off
from tests.support.full_disk import EXPORTS, export_onto_full_disk
from tests.support.fuzz import convert_damaged, damage_release
from tests.support.known_faults import FAULTS, convert_faulty
from tests.support.raw import make_raw

OPTIONS = ("--max-shard-size", "10KB", "--row-group-size", "2KB", "--workers", "2", "--quiet")
WORKER_STEPS = 12
WRITES = 24
FOREIGN = 12
PROGRESS = 500


class Trial:
    """A raw release, the tree of its undisturbed conversion, and a folder for disturbed ones."""

    def __init__(self, folder: Path) -> None:
        self.raw = make_raw().write(folder / "raw")
        self.output = folder / "trial" / "rocov2"
        self.output.parent.mkdir()
        whole = folder / "whole"
        begin = time.monotonic()
        self._require(finish(start(self.raw, whole, *OPTIONS)), "the undisturbed conversion")
        self.seconds = time.monotonic() - begin
        self.whole = tree(whole)

    @staticmethod
    def _require(end: tuple[int, str], what: str) -> None:
        if end != (0, ""):
            raise RuntimeError(f"{what} ended with {end}")

    def finish_undisturbed(self, what: str) -> None:
        """The same command must finish, with the bytes of an undisturbed run; clean up."""
        self._require(finish(start(self.raw, self.output, *OPTIONS)), what)
        if tree(self.output) != self.whole or leftovers(self.output):
            raise RuntimeError(f"{what}: other bytes, or leftovers {leftovers(self.output)}")
        for path in self.output.parent.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def random_kill(self, seed: int) -> str:
        """Kill the group, the parent alone, or a worker, one to three times; then finish."""
        random = Random(seed)
        whom = random.choice(["group", "parent", "worker"])
        for _ in range(random.choice([1, 1, 2, 3])):
            process = start(self.raw, self.output, *OPTIONS)
            kill_after(process, random.uniform(0.0, 1.1 * self.seconds), whom)
            if whom == "worker":
                self._require(finish(process), f"kill {seed} of a worker")
            elif whom == "group":
                finish(process)
            self._require_whole_or_nothing(f"kill {seed} of the {whom}")
        self.finish_undisturbed(f"kill {seed} of the {whom}")
        process.communicate()
        return f"kill -9 of the {whom} at a random moment"

    def _require_whole_or_nothing(self, what: str) -> None:
        if self.output.exists() and tree(self.output) != self.whole:
            raise RuntimeError(f"{what}: OUTPUT is half-written")

    def bomb(self, bomb: str) -> bool:
        """One conversion with a bomb; whether it went off."""
        code, error = finish(start(self.raw, self.output, *OPTIONS, bomb=bomb))
        gone_off = went_off(self.output)
        self._require_whole_or_nothing(bomb)
        if "Traceback" in error:
            raise RuntimeError(f"{bomb}: {error}")
        if code == 0 and not self.output.exists():
            raise RuntimeError(f"{bomb}: exit 0 and no OUTPUT")
        self.finish_undisturbed(bomb)
        return gone_off


def _every(trial: Trial, role: str, kind: str, last: int) -> int:
    count = 0
    for number in range(1, last + 1):
        if not trial.bomb(f"{role}:{kind}:{number}"):
            break
        count += 1
    return count


def _exports(repository: Path, format: str) -> int:
    count = 0
    while count < WRITES and export_onto_full_disk(
        repository, repository.with_name("exports") / "out", format, count + 1
    ):
        count += 1
    return count


def _foreign_folders(trial: Trial, seed: int) -> int:
    for number in range(FOREIGN):
        random = Random(seed + number)
        folder = trial.output.with_name(f"{trial.output.name}.building") / random.choice(
            ["", "notes", "repository/data"]
        )
        folder.mkdir(parents=True)
        (folder / random.choice(["plan.json", "complete.json", ".git", "x"])).write_bytes(random.randbytes(20))
        before = tree(trial.output.parent)
        code, error = finish(start(trial.raw, trial.output, *OPTIONS))
        if code != 1 or "Traceback" in error or tree(trial.output.parent) != before:
            raise RuntimeError(f"a folder of others, {number}: {code}, {error}")
        shutil.rmtree(trial.output.with_name(f"{trial.output.name}.building"))
        trial.finish_undisturbed("after a folder of others")
    return FOREIGN


def _convert_one(small: Path, folder: Path, number: int) -> str:
    """Convert one damaged release, and return what the table calls it."""
    damaged, output, random = folder / "damaged", folder / "built" / "rocov2", Random(number)
    skip = bool(number // 4 // len(FAULTS) % 2)
    name = list(FAULTS)[number // 4 % len(FAULTS)] if number % 4 == 0 else ""
    damages = [name]
    try:
        if name:
            result = convert_faulty(small, damaged, output, name, random, skip)
        else:
            damages = damage_release(small, damaged, random)
            result = convert_damaged(damaged, output, skip=bool(number % 2))
    except BaseException:
        click.echo(f"seed {number}: {', '.join(damages)}", err=True)
        raise
    finally:
        for path in (damaged, output.parent):
            shutil.rmtree(path, ignore_errors=True)
    return f"release with {name or 'random damage'}: {'problems reported' if result == 'reported' else 'built, rows right'}"


@click.command(help=__doc__)
@click.option("--kills", default=100, show_default=True, help="Kills at random moments.")
@click.option("--fuzz", default=5000, show_default=True, help="Damaged releases.")
@click.option("--steps", is_flag=True, help="Also kill, and fill the disk, at every single step.")
@click.option("--seed", default=0, show_default=True, help="First seed.")
def main(kills: int, fuzz: int, steps: bool, seed: int) -> None:
    """Run what is asked for and print what happened."""
    rows: Counter[str] = Counter()
    begin = time.monotonic()

    def report(what: str, count: Callable[[], int]) -> None:
        rows[what] += count()
        click.echo(f"{time.monotonic() - begin:7.0f} s  {what}: {rows[what]:,}", err=True)

    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        for number in range(seed, seed + kills):
            rows[trial.random_kill(number)] += 1
        if steps:
            finish(start(trial.raw, trial.output, *OPTIONS, bomb="parent:kill:999999"))
            every = len(steps_of(trial.output))
            trial.finish_undisturbed("counting")
            report("kill -9 of the parent at every step", lambda: _every(trial, "parent", "kill", every))
            report("kill -9 of a worker at a step", lambda: _every(trial, "worker", "kill", WORKER_STEPS))
            report("no space at a write of the parent", lambda: _every(trial, "parent", "full", WRITES))
            report("no space at a write of a worker", lambda: _every(trial, "worker", "full", WRITES))
            whole = trial.raw.with_name("whole")
            for format in EXPORTS:
                report(f"no space at a write of an export to {format}", partial(_exports, whole, format))
            report("a folder of others is called OUTPUT.building", partial(_foreign_folders, trial, seed))
        small = make_raw(train=8, valid=3, test=3).write(Path(folder) / "small")
        with patch(
            "os.fsync", lambda handle: None
        ):  # what reaches the disk is tested above, and takes most of the time
            for number in range(seed, seed + fuzz):
                rows[_convert_one(small, Path(folder), number)] += 1
                if (number - seed + 1) % PROGRESS == 0:
                    click.echo(f"{time.monotonic() - begin:7.0f} s  {number - seed + 1:,} releases", err=True)
    seconds = time.monotonic() - begin
    click.echo(
        f"Summary: seed {seed}, {sum(rows.values()):,} trials in {seconds:,.0f} s, nothing lost or wrong.", err=True
    )
    click.echo("| what | times | lost or wrong |\n| --- | --- | --- |")
    for what, count in sorted(rows.items()):
        click.echo(f"| {what} | {count:,} | 0 |")


if __name__ == "__main__":
    main()
