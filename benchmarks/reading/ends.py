"""Count how programs and commands end that stream, or read Parquet, beside busy processes. Prints a table (Markdown).

    python benchmarks/reading/ends.py --runs 100

Any end but 0 is shown with its number: a negative one is a signal, `hangs` a run that does not end.

With --forked, the runs of a program are children of a process that has imported the libraries. Each ends its own interpreter,
as a program does, but starts in a fraction of the time.
"""

from __future__ import annotations

import shutil
import signal
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
from tests.support.ends import HANGS, LEFT, OPEN, count_ends, write_shard
from tests.support.environments import child_environment

PROJECT = Path(__file__).resolve().parents[2]
BUSY = "while True: pass"
LONGEST = 60
"""Seconds after which a run hangs, times the runs at once."""
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
FORKER = """
import os, signal, sys
sys.path.insert(0, {project!r})
import click, datasets, matplotlib.figure, pandas, PIL.Image, pyarrow.dataset, pyarrow.parquet
from rocov2_commands.group import group
for verb in group.list_commands(None):
    group.get_command(None, verb)
for number in range({runs}):
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
signal.alarm({patience})
nothing = os.open(os.devnull, os.O_RDWR)
for stream in range(3):
    os.dup2(nothing, stream)
sys.argv = ["rocov2", *(f"output-{{os.getpid()}}" if part == "output" else part for part in sys.argv[1:])]
program = {program!r}
exec(compile(program, "program", "exec"))
"""
"""A program whose children run `program`, one after the other, and end as it does. It prints how each ended."""
VERB = "from rocov2_commands.main import main; main()"
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
        called = f"`datasets` with `import rocov2`, a stream of large images is {name}"
        programs[called] = [python, "-c", program.format(first=HERE), "shard.parquet"]
    return programs


def count(command: list[str], runs: int, at_once: int, folder: Path) -> Counter[int | str]:
    """Run a command, some runs at once, each with an output of its own."""
    environment = child_environment(folder / "home") | {"PYTHONPATH": str(PROJECT)}

    def run(number: int) -> Counter[int | str]:
        output = f"output-{number}"
        own = [output if argument == "output" else argument for argument in command]
        ends = count_ends(own, 1, environment, folder, LONGEST * at_once)
        shutil.rmtree(folder / output, ignore_errors=True)
        return ends

    with ThreadPoolExecutor(at_once) as pool:
        return sum(pool.map(run, range(runs)), Counter[int | str]())


def count_forked(command: list[str], runs: int, at_once: int, folder: Path) -> Counter[int | str]:
    """Run a command as forks of processes, of which `at_once` run at once."""
    program, arguments = (command[2], command[3:]) if command[1] == "-c" else (VERB, command[1:])
    environment = child_environment(folder / "home") | {"PYTHONPATH": str(PROJECT)}

    def run(number: int) -> Counter[int | str]:
        share = len(range(number, runs, at_once))
        forker = FORKER.format(project=str(PROJECT), runs=share, patience=LONGEST * at_once, program=program)
        done = subprocess.run(
            [sys.executable, "-c", forker, *arguments],
            env=environment,
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return Counter(HANGS if end == f"-{signal.SIGALRM:d}" else int(end) for end in done.stdout.split())

    with ThreadPoolExecutor(at_once) as pool:
        ends = sum(pool.map(run, range(at_once)), Counter[int | str]())
    for output in folder.glob("output-*"):
        shutil.rmtree(output)
    return ends


@click.command(help=__doc__)
@click.option("--runs", default=100, show_default=True, help="Runs of each command.")
@click.option("--at-once", default=4, show_default=True, help="Runs that run at once.")
@click.option("--busy", default=2, show_default=True, help="Processes that compute beside them.")
@click.option("--only", multiple=True, help="Part of the name of a command; the others are left out.")
@click.option("--forked", is_flag=True, help="Start the runs as forks.")
def main(runs: int, at_once: int, busy: int, only: tuple[str, ...], forked: bool) -> None:
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
                    ends = (count_forked if forked else count)(command, runs, at_once, folder)
                    others = ", ".join(f"{end}: {number}" for end, number in ends.items() if end != 0)
                    click.echo(f"| {called} | {ends[0]} | {others or '0'} |")
    finally:
        for process in load:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
