"""Conversion beside its peers: whole processes from start to exit, interleaved, medians and their ratios. Prints Markdown.

    python benchmarks/conversion/run.py --images 16000 --rounds 3

Makes the synthetic releases that it needs (`make_release.py`) in a folder that is removed at the end, unless `--folder`
names one to keep. Every method runs once in every round, in the other order in every other round, and as often on a release
of a few images, which shows its start-up time; above 50,000 images there are half as many rounds of half the methods.
`--cold` adds a run that has to read the disk (needs root). 16,000 images take about two and a half minutes a round on two
processors.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conversion.make_release import write_release
from benchmarks.conversion.measure import Usage, drop_caches, machine, run
from tests.support.environments import python_of

PROJECT = Path(__file__).resolve().parents[2]
PEER_VERSION = "5.2.0"
FEW = 40
FULL, LARGE = 79_789, 50_000

SMALL, STRICT, ONE, MARKERS, NONE = "small", "strict", "strict, 1 worker", "markers", "none"
INFLATE, GENERATOR, PILLOW, LIMIT, LIMIT_SMALL = "inflate", "from_generator", "pillow", "limit", "limit_small"
OWN = {
    SMALL: ["--workers", "2"],
    STRICT: ["--workers", "2", "--small", "none"],
    ONE: ["--workers", "1", "--small", "none"],
    MARKERS: ["--workers", "2", "--small", "none", "--verify", "markers"],
    NONE: ["--workers", "2", "--small", "none", "--verify", "none"],
}
NAMES = {
    SMALL: "**the defaults: strict, with `small` and `mini`, 2 workers**",
    STRICT: "**`--small none`, strict, 2 workers**",
    ONE: "`--small none`, strict, 1 worker",
    MARKERS: "`--small none --verify markers`, 2 workers",
    NONE: "`--small none --verify none`, 2 workers",
    INFLATE: "`zipfile`: inflate alone, nothing written",
    GENERATOR: "datasets: `from_generator` over bytes + `to_parquet`, nothing verified",
    PILLOW: "pyarrow + full Pillow decode, 2 processes",
    LIMIT: "limit: inflate + strict decode alone, 2 processes, nothing written",
    LIMIT_SMALL: "limit of `small`: inflate + strict decode + resize + encode alone, 2 processes, nothing written",
}
SHORT = {
    SMALL: "the defaults",
    STRICT: "`--small none`",
    ONE: "`--small none`, 1 worker",
    MARKERS: "`--verify markers`",
    INFLATE: "`zipfile` inflating",
    GENERATOR: "datasets `from_generator`",
    PILLOW: "pyarrow + full Pillow decode",
    LIMIT: "the limit",
    LIMIT_SMALL: "the limit of `small`",
}
AT_LARGE = (SMALL, STRICT, ONE, GENERATOR)
GOALS = [
    (STRICT, GENERATOR, "<= 1.0"),
    (SMALL, LIMIT_SMALL, "<= 1.2"),
    (ONE, STRICT, ">= 1.9"),
    (STRICT, PILLOW, ""),
    (MARKERS, INFLATE, ""),
    (LIMIT, GENERATOR, ""),
    (SMALL, STRICT, ""),
]
"""A method, another, and what the ratio of their medians should be ("": only reported)."""
WORKER_MB = 300


def commands(raw: Path, output: Path) -> dict[str, list[str]]:
    """What is timed, by name."""
    script = PROJECT / "scripts" / "convert_to_parquet.py"
    own = [sys.executable, str(script), str(raw), str(output), "--release", "any", "--no-pictures", "--quiet"]
    peers = str(PROJECT / "benchmarks" / "conversion" / "peers.py")
    python = str(python_of(PEER_VERSION))
    return {
        **{name: [*own, *options] for name, options in OWN.items()},
        **{name: [python, peers, name, str(raw), str(output)] for name in (INFLATE, GENERATOR, PILLOW)},
        **{name: [sys.executable, peers, name, str(raw), str(output)] for name in (LIMIT, LIMIT_SMALL)},
    }


def run_once(command: list[str], output: Path, cold: bool = False) -> Usage:
    """Run one method, from nothing to nothing."""
    for path in output.parent.glob(f"{output.name}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.sync()  # what an earlier run still has to write must not slow this one
    if cold:
        drop_caches()
    usage = run(command, os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(output.with_name("home"))})
    shutil.rmtree(output, ignore_errors=True)
    return usage


def measure_release(raw: Path, work: Path, rounds: int, methods: tuple[str, ...]) -> dict[str, list[Usage]]:
    """Run the methods in turn, and the other way round in every other round."""
    runs: dict[str, list[Usage]] = {name: [] for name in methods}
    order = [(name, command) for name, command in commands(raw, work / "output").items() if name in methods]
    for number in range(rounds):
        for name, command in order[:: 1 if number % 2 == 0 else -1]:
            runs[name].append(run_once(command, work / "output"))
            click.echo(f"{raw.name} round {number + 1} {name}: {runs[name][-1].seconds:.2f} s", err=True)
    return runs


def seconds(runs: list[Usage]) -> float:
    """Median of the seconds of some runs."""
    return statistics.median(usage.seconds for usage in runs)


def print_table(title: str, images: int, runs: dict[str, list[Usage]], few: dict[str, list[Usage]]) -> None:
    """The runs of one release, as Markdown."""
    click.echo(f"### {title}\n")
    click.echo("| method | median s | all s | of it start-up s | images/s | processor s | parent MB | worker MB |")
    click.echo("| --- " * 8 + "|")
    for name, usages in runs.items():
        median = seconds(usages)
        cells = [
            NAMES[name],
            f"{median:.2f}",
            " ".join(f"{usage.seconds:.2f}" for usage in usages),
            f"{seconds(few[name]):.2f}",
            f"{images / median:,.0f}",
            f"{statistics.median(usage.processor for usage in usages):.2f}",
            f"{max(usage.parent for usage in usages) / 1e6:.0f}",
            f"{max(usage.worker for usage in usages) / 1e6:.0f}" if any(usage.worker for usage in usages) else "",
        ]
        click.echo(f"| {' | '.join(cells)} |")
    click.echo()


def reached(found: float, goal: str) -> str:
    """Whether a number is what a goal, as `<= 1.2`, wants of it."""
    sign, _, limit = goal.partition(" ")
    return "" if not goal else "yes" if (found <= float(limit) if sign == "<=" else found >= float(limit)) else "no"


def print_goals(results: dict[int, dict[str, list[Usage]]]) -> None:
    """The ratios of medians beside their goals, as Markdown."""
    click.echo("| goal | images | | measured | reached |\n| --- | --- | --- | --- | --- |")
    for images, runs in results.items():
        for one, other, goal in GOALS:
            if {one, other} <= runs.keys():
                found = seconds(runs[one]) / seconds(runs[other])
                click.echo(
                    f"| {SHORT[one]} / {SHORT[other]} | {images:,} | {goal} | **{found:.2f}** | {reached(found, goal)} |"
                )
        worker = max(usage.worker for name in OWN if name in runs for usage in runs[name]) / 1e6
        goal = f"<= {WORKER_MB}"
        click.echo(f"| MB of a worker, at most | {images:,} | {goal} | **{worker:.0f}** | {reached(worker, goal)} |")


@click.command(help=__doc__)
@click.option("--images", "counts", multiple=True, type=int, default=(16_000,), show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Where the releases are made, and found again.")
@click.option("--cold", is_flag=True, help="Add one run of the largest release with empty caches of files.")
def main(counts: tuple[int, ...], rounds: int, folder: Path | None, cold: bool) -> None:
    """Measure, print."""
    click.echo(f"{machine()}; Python {platform.python_version()}, Linux {platform.release()}; {rounds} rounds.\n")
    results: dict[int, dict[str, list[Usage]]] = {}
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        releases = {count: (folder or work) / f"raw{count}" for count in (FEW, *counts)}
        for count, raw in releases.items():
            if not raw.is_dir():
                write_release(raw, count, seed=0)
        few = measure_release(releases[FEW], work, rounds, tuple(NAMES))
        for count in counts:
            size = sum(path.stat().st_size for path in releases[count].iterdir())
            large = count > LARGE
            runs = measure_release(
                releases[count], work, (rounds + 1) // 2 if large else rounds, AT_LARGE if large else tuple(NAMES)
            )
            results[count] = runs
            print_table(f"{count:,} images, {size / 1e6:,.0f} MB", count, runs, few)
        print_goals(results)
        if cold:
            largest = max(counts)
            usage = run_once(commands(releases[largest], work / "output")[STRICT], work / "output", cold=True)
            click.echo(f"\nWith a cold cache, {largest:,} images, {NAMES[STRICT]}: {usage.seconds:.2f} s, one run.")


if __name__ == "__main__":
    main()
