"""The whole way at full size, each step with its time, memory and disk, and a kill in the middle. Prints Markdown.

    python benchmarks/conversion/rehearsal.py --folder /large/disk

Needs about 35 GB there: a synthetic release of 79,789 images, the repository, its twin of an interrupted conversion, and
the cache that a map-style load makes. Releases that are there from an earlier run (`full79789`) are taken again. Each
`--part` prints one table: `steps` takes about ten minutes on two processors, `sizes` five, `rows` fifteen, without making
the releases.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conversion.make_release import write_release
from benchmarks.conversion.measure import Usage, machine, run
from benchmarks.synthetic.figures import MEDIAN_BYTES

PROJECT = Path(__file__).resolve().parents[2]
FULL, TENTH = 79_789, 8_000
MANY, TINY_BYTES = 800_000, 1_500

Goals = list[tuple[str, float, int]]
"""What, how much of it was measured, and the most that it should be."""

MAP_STYLE = """
import sys, datasets
rows = datasets.load_dataset(sys.argv[1], *sys.argv[3:])
assert 0 < sum(len(split) for split in rows.values()) <= int(sys.argv[2])
"""
ALL_ROWS = """
import sys, datasets
rows = datasets.load_dataset(sys.argv[1])
raw = {name: split.cast_column("image", datasets.Image(decode=False)) for name, split in rows.items()}
assert sum(len(batch["image_id"]) for split in raw.values() for batch in split.iter(100)) == int(sys.argv[2])
"""
FIRST_ROW = """
import sys, datasets, rocov2  # rocov2 ends the stream
row = next(iter(datasets.load_dataset(sys.argv[1], *sys.argv[3:], split="train", streaming=True)))
assert row["image"].size == (row["width"], row["height"])
"""
STREAMED = """
import sys, datasets
found = 0
for split in ("train", "validation", "test"):
    stream = datasets.load_dataset(sys.argv[1], *sys.argv[3:], split=split, streaming=True)
    raw = stream.cast_column("image", datasets.Image(decode=False))
    found += sum(len(batch["image_id"]) for batch in raw.iter(100))
assert found == int(sys.argv[2])
"""
CAPTIONS = """
import sys, datasets
found = 0
for split in ("train", "validation", "test"):
    found += sum(1 for row in datasets.load_dataset(sys.argv[1], "text", split=split, streaming=True))
assert found == int(sys.argv[2])
"""
TABLES = """
import sys, time
from pathlib import Path
from rocov2_build.raw.release import read_release
from rocov2_build.shards.plan import Layout, plan_shards
from rocov2_build.raw.problems import Report

begin = time.perf_counter()
plan_shards(read_release(Path(sys.argv[1]), "any", Report()).rows, Layout())
print(time.perf_counter() - begin, file=sys.stderr)
"""


def script(name: str, *arguments: object) -> list[str]:
    """Command line of one of the project's scripts."""
    return [sys.executable, str(PROJECT / "scripts" / f"{name}.py"), *map(str, arguments)]


def disk(path: Path) -> int:
    """Bytes of a folder's files."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file() and not file.is_symlink())


def report(step: str, usage: Usage, images: int | None, space: int | None = None) -> None:
    """A row of the table; `images` is the number that the step read."""
    cells = [
        step,
        f"{usage.seconds:.1f}",
        f"{usage.processor:.1f}",
        f"{images / usage.seconds:,.0f}" if images else "",
        f"{usage.parent / 1e6:.0f}",
        f"{usage.worker / 1e6:.0f}" if usage.worker else "",
        f"{space / 1e9:.2f} GB" if space is not None else "",
    ]
    click.echo(f"| {' | '.join(cells)} |")


def interrupted(raw: Path, output: Path, shards: int) -> tuple[float, Usage]:
    """Convert, kill every process when that many shards are done, and give the same command again.

    Returns:
        Seconds before the kill, and what the second command needed.
    """
    command = script("convert_to_parquet", raw, output, "--release", "any", "--quiet")
    begin = time.monotonic()
    with subprocess.Popen(command, start_new_session=True) as process:
        while len(list(output.parent.glob(f"{output.name}.building/*/facts/data--*"))) < shards:
            if process.poll() is not None:
                raise RuntimeError("the conversion ended before it was killed")
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    return time.monotonic() - begin, run(command)


def same_files(one: Path, other: Path) -> bool:
    """Whether two repositories state the same hashes (which `check_repository.py` has compared with the files)."""
    files = [json.loads((path / "conversion.json").read_text())["files"] for path in (one, other)]
    return bool(files[0] == files[1])


def steps(folder: Path, images: int) -> Goals:
    """Every step at full size."""
    raw, output, twin, home = (folder / name for name in (f"full{images}", "rocov2", "twin", "home"))
    click.echo(f"### {images:,} images, {disk(raw) / 1e9:.2f} GB\n")
    click.echo("| step | s | processor s | images/s | process MB | worker MB | on disk |")
    click.echo("| --- " * 7 + "|")
    options = ("--release", "any", "--quiet")
    whole = run(script("convert_to_parquet", raw, output, *options))
    report("convert, strict, with `small` and `mini`", whole, images, disk(output))
    usage = run(script("convert_to_parquet", raw, twin, *options, "--small", "none"))
    report("convert, strict, `--small none`", usage, images, disk(twin))
    shutil.rmtree(twin)
    for name, flags in (("check", ()), ("check --fast", ("--fast",)), ("check --decode", ("--decode",))):
        report(name, run(script("check_repository", output, *flags)), None if "--fast" in flags else images)
    half = len(list((output / "data").iterdir())) // 2
    goals = [("MB of a worker", whole.worker / 1e6, 300), ("MB of the command", whole.parent / 1e6, 450)]
    before, usage = interrupted(raw, twin, half)
    done = f"{half} shards done in {before:.1f} s"
    report(f"convert, killed with {done}; the same command again", usage, images, disk(twin))
    run(script("check_repository", twin))
    if not same_files(output, twin):
        raise RuntimeError("the interrupted conversion gave other files")
    shutil.rmtree(twin)
    environment = os.environ | {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}

    def load(step: str, code: str, space: Path | None = None, all_rows: bool = True, name: str = "default") -> None:
        usage = run([sys.executable, "-c", code, str(output), str(images), name], environment)
        report(step, usage, images if all_rows else None, disk(space) if space else None)

    load("`load_dataset`, map-style, the first time (makes the cache)", MAP_STYLE, home)
    load("`load_dataset`, map-style, again", MAP_STYLE, all_rows=False)
    load("map-style, every row, undecoded", ALL_ROWS)
    shutil.rmtree(home)
    load("`load_dataset` of `mini`, map-style, the first time", MAP_STYLE, home, all_rows=False, name="mini")
    load("streaming, first row, decoded", FIRST_ROW, all_rows=False)
    load("streaming, first row of `small`, decoded", FIRST_ROW, all_rows=False, name="small")
    load("streaming, every row, undecoded", STREAMED)
    load("streaming, every row of `small`, undecoded", STREAMED, name="small")
    load("streaming, every row of `text`", CAPTIONS)
    shutil.rmtree(output)
    shutil.rmtree(home, ignore_errors=True)
    click.echo()
    return goals


def compare_sizes(folder: Path, counts: tuple[int, ...]) -> Goals:
    """Cost per image at several sizes, without the card's pictures, which cost the same for any."""
    click.echo("| images | s | processor us per image | parent MB | worker MB |\n| --- | --- | --- | --- | --- |")
    for images in counts:
        output = folder / "rocov2"
        options = ("--release", "any", "--no-pictures", "--quiet")
        usage = run(script("convert_to_parquet", folder / f"full{images}", output, *options))
        shutil.rmtree(output)
        each = usage.processor / images * 1e6
        click.echo(
            f"| {images:,} | {usage.seconds:.1f} | {each:,.0f} | {usage.parent / 1e6:.0f} | {usage.worker / 1e6:.0f} |"
        )
    click.echo()
    return []


def compare_rows(folder: Path, counts: tuple[int, ...]) -> Goals:
    """Tables and plan alone, without the start of the process, and a whole conversion, of tiny images."""
    click.echo("| rows | tables, plan s | us per row | parent MB | conversion s | parent MB | bytes per further row |")
    click.echo("| --- " * 7 + "|")
    first: tuple[int, int] | None = None
    goals: Goals = []
    for rows in counts:
        raw, output = folder / f"tiny{rows}", folder / "rocov2"
        plan = run([sys.executable, "-c", TABLES, str(raw)])
        whole = run(script("convert_to_parquet", raw, output, "--release", "any", "--no-pictures", "--quiet"))
        seconds = float(plan.error)
        shutil.rmtree(output)
        beyond = ""
        if first:
            further = (whole.parent - first[1]) / (rows - first[0])
            beyond, goals = f"{further:,.0f}", [("bytes of the command for a further row", further, 2_000)]
        first = first or (rows, whole.parent)
        click.echo(
            f"| {rows:,} | {seconds:.2f} | {seconds / rows * 1e6:.0f} | {plan.parent / 1e6:.0f} | "
            f"{whole.seconds:.0f} | {whole.parent / 1e6:.0f} | {beyond} |"
        )
    click.echo()
    return goals


PARTS = ("steps", "sizes", "rows")


@click.command(help=__doc__)
@click.option("--images", default=FULL, show_default=True, help="Images of the full release.")
@click.option("--tenth", default=TENTH, show_default=True, help="Images of the smaller one.")
@click.option("--rows", default=MANY, show_default=True, help="Rows of the large tables.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work [default: the temporary folder].")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), default=PARTS, help="Only these tables.")
def main(images: int, tenth: int, rows: int, folder: Path | None, parts: tuple[str, ...]) -> None:
    """Make the releases, walk."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = folder or Path(temporary)
        for part, name, count, median in (
            ("sizes", f"full{tenth}", tenth, MEDIAN_BYTES),
            ("steps sizes", f"full{images}", images, MEDIAN_BYTES),
            ("rows", f"tiny{images}", images, TINY_BYTES),
            ("rows", f"tiny{rows}", rows, TINY_BYTES),
        ):
            if set(part.split()) & set(parts) and not (folder / name).is_dir():
                write_release(folder / name, count, seed=0, median=median)
        click.echo(f"{machine()}; Python {platform.python_version()}, Linux {platform.release()}.\n")
        goals: Goals = []
        if "steps" in parts:
            goals += steps(folder, images)
        if "sizes" in parts:
            goals += compare_sizes(folder, (tenth, images))
        if "rows" in parts:
            goals += compare_rows(folder, (images, rows))
        click.echo("| goal | | measured | reached |\n| --- | --- | --- | --- |")
        for text, found, limit in goals:
            click.echo(f"| {text} | <= {limit:,} | **{found:,.0f}** | {'yes' if found <= limit else 'no'} |")


if __name__ == "__main__":
    main()
