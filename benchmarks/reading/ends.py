"""Count how programs and commands end that stream, or read Parquet, beside busy processes. Prints a table (Markdown).

    python benchmarks/reading/ends.py --runs 100

Any end but 0 is shown with its number: a negative one is a signal, `hangs` a run that does not end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.blocks import find_blocks
from tests.support.ends import LEFT, OPEN, count_ends, write_shard
from tests.support.environments import child_environment

PROJECT = Path(__file__).resolve().parents[2]
BUSY = "while True: pass"
LONGEST = 60
"""Seconds after which a run hangs, times the runs at once."""
ALONE = "alone"
RUNS_ALONE = 20
"""Most runs of a program that does not import rocov2: nearly each of them hangs."""
VERBS = {
    "rocov2 show": ["show", "rocov2"],
    "rocov2 check --decode": ["check", "rocov2", "--decode"],
    "rocov2 preview": ["preview", "rocov2", "output"],
    "rocov2 export --format webdataset": ["export", "rocov2", "output", "--format", "webdataset"],
    "rocov2 export --format llamafactory": ["export", "rocov2", "output", "--format", "llamafactory"],
    "rocov2 score": ["score", "submission.csv", "rocov2", "--split", "test"],
    "rocov2 baseline": ["baseline", "rocov2"],
}
"""Arguments by what the table calls them. Each starts in a folder that contains the sample, and may make `output`."""
HERE = f"sys.path.insert(0, {str(PROJECT)!r}); import rocov2"


def list_programs() -> dict[str, list[str]]:
    """Return the commands to count, by what the table calls them."""
    python = sys.executable
    programs = {name: [str(Path(python).with_name("rocov2")), *arguments] for name, arguments in VERBS.items()}
    for page in ("docs/streaming.md", "docs/views.md", "docs/trainers.md", "rocov2_build/card/template.md"):
        for number, block in enumerate(find_blocks((PROJECT / page).read_text(), "python"), 1):
            if "streaming=True" in block or "PretrainingStream" in block:
                programs[f"block {number} of {page}"] = [python, "-c", block]
    for name, program in (("open", OPEN), ("left early", LEFT)):
        for what, first in (("with `import rocov2`", HERE), (ALONE, "")):
            called = f"`datasets` {what}, a stream of large images is {name}"
            programs[called] = [python, "-c", program.format(first=first), "shard.parquet"]
    return programs


def count(name: str, command: list[str], runs: int, at_once: int, folder: Path) -> Counter[int | str]:
    """Run a command, some runs at once, each with an output of its own."""
    environment = child_environment(folder / "home") | {"PYTHONPATH": str(PROJECT)}
    patience = (10 if ALONE in name else LONGEST) * at_once

    def run(number: int) -> Counter[int | str]:
        output = f"output-{number}"
        own = [output if argument == "output" else argument for argument in command]
        ends = count_ends(own, 1, environment, folder, patience)
        shutil.rmtree(folder / output, ignore_errors=True)
        return ends

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(run, range(min(runs, RUNS_ALONE) if ALONE in name else runs)), Counter[int | str]())


@click.command(help=__doc__)
@click.option("--runs", default=100, show_default=True, help="Runs of each command.")
@click.option("--at-once", default=4, show_default=True, help="Runs that run at once.")
@click.option("--busy", default=2, show_default=True, help="Processes that compute beside them.")
@click.option("--only", multiple=True, help="Part of the name of a command; the others are left out.")
def main(runs: int, at_once: int, busy: int, only: tuple[str, ...]) -> None:
    """Count, and print the table."""
    load = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            convert = [str(PROJECT / "scripts" / "convert_to_parquet.py"), str(PROJECT / "sample"), "rocov2"]
            subprocess.run([sys.executable, *convert, "--release", "any", "--quiet"], cwd=folder, check=True)
            rows = pq.read_table(folder / "rocov2" / "text" / "test.parquet", columns=["image_id", "cuis"]).to_pylist()
            lines = [f"{row['image_id']},{';'.join(row['cuis'])}" for row in rows]
            (folder / "submission.csv").write_text("\n".join(["ID,CUIs", *lines, ""]))
            write_shard(folder / "shard.parquet")
            click.echo(
                f"| {runs} runs beside {busy} busy processes | ends with 0 | ends otherwise |\n| --- | --- | --- |"
            )
            for called, command in list_programs().items():
                if not only or any(part in called for part in only):
                    ends = count(called, command, runs, at_once, folder)
                    others = ", ".join(f"{end}: {number}" for end, number in ends.items() if end != 0)
                    click.echo(f"| {called} | {ends[0]} | {others or '0'} |")
    finally:
        for process in load:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
