"""Reading for training beside its peers: whole processes, interleaved, medians and their ratios. Prints Markdown.

    python benchmarks/reading/run.py --folder DIR --http --environment webdataset=PYTHON --environment mosaicml=PYTHON ...

The data are made once under --folder: a synthetic release whose train split has --images images, converted by this project,
and the same JPEGs in the peers' own formats by their own writers. A peer whose package is missing is left out, and named. An
environment for the peers, and one for mosaicml-streaming, which needs an older numpy:

    python -m venv peers     && peers/bin/pip install -r benchmarks/reading/environments/peers.txt
    python -m venv mosaicml  && mosaicml/bin/pip install -r benchmarks/reading/environments/mosaicml.txt

1,500 images take about six minutes a round on two processors, without `--part same` and `--part resume` five. Every run must
give each image once, and (`exact`, peers as they ship) the same pixels: otherwise the command fails.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import click
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conversion.make_release import POOL, sizes, write_release
from benchmarks.conversion.measure import machine, run
from benchmarks.reading.goals import NAMES, PEERS, SIZES, TITLES, Run, beside_peers, goals, runs, tables
from benchmarks.reading.peers import READERS
from benchmarks.synthetic.figures import MEDIAN_BYTES

PROJECT = Path(__file__).resolve().parents[2]
DELAY = 0.02
TINY_BYTES = 1_500
PACKAGES = {
    "stream": ("rocov2-hub",),
    "stream-torch": ("rocov2-hub", "torch"),
    "memory": ("rocov2-hub",),
    "pyarrow": ("pyarrow",),
    "datasets": ("datasets", "torch", "torchdata"),
    "datasets-map": ("datasets", "torch", "torchdata"),
    "webdataset": ("webdataset", "torch"),
    "mosaicml": ("mosaicml-streaming", "torch"),
    "litdata": ("litdata", "torch"),
}
"""What the environment of a reader must have."""
OTHERS = (*PEERS, "stream-torch")
"""Readers that may need an environment other than the project's."""

VERSIONS = (
    "import importlib.metadata as m, sys; print(*(f'{name} {m.version(name)}' for name in sys.argv[1:]), sep=', ')"
)


def versions(python: str, reader: str) -> str | None:
    """The versions of a reader's packages; None where one is missing."""
    done = subprocess.run(
        [python, "-c", VERSIONS, *PACKAGES[reader]], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    return done.stdout.strip() if done.returncode == 0 else None


class Data:
    """The data of all readers, made under a folder where they are not there yet."""

    def __init__(self, folder: Path, images: int, rows: int, pythons: dict[str, str]) -> None:
        self._places: dict[str, str] = {}
        self.folder, self._images, self._rows, self._pythons = folder / str(images), images, rows, pythons
        self.folder.mkdir(parents=True, exist_ok=True)
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        self.environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "home")}
        self.environment |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

    def _make(self, name: str, *command: str) -> None:
        """Make a folder by a command, whose last argument is that folder: whole, or not at all."""
        if not (self.folder / name).exists():
            click.echo(f"making {self.folder / name}", err=True)
            work = self.folder / f"{name}.making"
            shutil.rmtree(work, ignore_errors=True)
            run([*command, str(work)], self.environment)
            work.rename(self.folder / name)

    def path(self, name: str) -> str:
        """Where the data called `name` are; what is missing is made."""
        if name in self._places:
            return self._places[name]
        self._places[name] = self._place(name)
        return self._places[name]

    def _place(self, name: str) -> str:
        if name not in ("rocov2", "shards", "tiny"):
            python = self._pythons[name]
            self._make(name, python, str(PROJECT / "benchmarks" / "reading" / "formats.py"), name, self.path("rocov2"))
            return str(self.folder / name)
        tiny = name == "tiny"
        raw, output = self.folder / ("rawtiny" if tiny else "raw"), self.folder / name
        if not raw.exists():
            wanted = self._rows if tiny else self._images
            total = next(total for total in count(wanted) if sizes(total)["train"] >= wanted)
            work = self.folder / f"{raw.name}.making"
            shutil.rmtree(work, ignore_errors=True)
            write_release(work, total, 0, TINY_BYTES if tiny else MEDIAN_BYTES, pool_size=min(POOL, self._images))
            work.rename(raw)
        # Each group in several shards, so that two workers of datasets can share them.
        options = ["--max-shard-size", f"{max(1, self._images // 150)}MB"] if name == "shards" else []
        script = str(PROJECT / "scripts" / "convert_to_parquet.py")
        run([sys.executable, script, str(raw), str(output), "--release", "any", "--no-pictures", "--quiet", *options])
        return str(output)

    def expected(self, name: str = "rocov2") -> dict[str, dict[str, Any]]:
        """What every reader must give, by its first column: ids, or captions where there are no ids."""
        table = pq.read_table(Path(self.path(name), "text", "train.parquet"), columns=["image_id", "caption"])
        facts = {}
        for name in table.column_names:
            keys = "\n".join(sorted(table[name].to_pylist())).encode()
            facts[name] = {"images": table.num_rows, "keys": hashlib.sha256(keys).hexdigest()}
        return facts


@contextmanager
def hub(data: Data) -> Iterator[tuple[dict[str, str], dict[str, int]]]:
    """A Hub that serves the repository: variables for its clients, and, afterwards, the requests."""
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as home:
        command = [
            sys.executable,
            str(PROJECT / "benchmarks" / "reading" / "serve.py"),
            data.path("rocov2"),
            home,
            str(DELAY),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            environment = data.environment | json.loads(server.stdout.readline())
            del environment["HF_HUB_OFFLINE"]
            try:
                yield environment, counts
            finally:
                counts |= json.loads(server.communicate("")[0])


def measure(one: Run, data: Data, python: str, images: int) -> dict[str, Any]:
    """Run a job in a process of its own.

    Raises:
        RuntimeError: it failed.
    """
    batch = min(one.job.batch, max(1, images // 3))
    path = one.job.data or data.path(one.data)
    job = replace(one.job, data=path, batch=batch, batches=max(1, images // batch // 2))
    command = [python, str(PROJECT / "benchmarks" / "reading" / "measure_reader.py"), json.dumps(asdict(job))]
    with ExitStack() as stack:
        environment, counts = data.environment, None
        if one.job.data:
            environment, counts = stack.enter_context(hub(data))
        usage = run(command, environment)
    result: dict[str, Any] = json.loads(usage.output.splitlines()[-1])
    result |= {"tree": usage.tree, "private": usage.private}
    if counts is not None:
        result |= {"requests": 1000 * counts["data"] / result["images"], "all requests": counts["all"]}
    return result


def check(one: Run, result: dict[str, Any], expected: dict[str, dict[str, Any]], levels: dict[str, int]) -> None:
    """Raise an error unless a run gave what it had to."""
    job = one.job
    if job.task != "epoch":
        return
    wanted = expected["image_id" if "image_id" in job.columns else "caption"]
    if any(result[key] != wanted[key] for key in wanted):
        raise click.ClickException(
            f"{one.key}: expected each of {wanted['images']:,} images once, found {result['images']:,}"
        )
    if "image" not in job.columns:
        return
    kind = f"{'exact' if job.decode == 'pillow' else job.decode}, `{job.name}`"
    level = levels.setdefault(kind, result["level"])
    if abs(level - result["level"]) > (3 * result["images"] if "exact" in kind else 0):  # one level of three channels
        raise click.ClickException(f"{one.key}: its images are not those of the other readers ({kind})")


def parse_environments(given: tuple[str, ...]) -> dict[str, str]:
    """Interpreter by reader."""
    pythons = dict.fromkeys(READERS, sys.executable)
    for pair in given:
        name, _, python = pair.partition("=")
        if name not in OTHERS or not shutil.which(python):
            raise click.UsageError(
                f"--environment {pair!r}: expected NAME=PYTHON with an interpreter, NAME one of {', '.join(OTHERS)}"
            )
        pythons[name] = python
    return pythons


def report(images: int, rounds: int, used: dict[str, str], missing: list[str], results: Any, order: list[Run]) -> str:
    """All that came out, as Markdown."""
    packages = list(dict.fromkeys(part for text in used.values() for part in text.split(", ")))
    lines = [
        f"{machine()}; Python {platform.python_version()}, Linux {platform.release()}; {', '.join(packages)}.",
        f"{images:,} images, {rounds} rounds, medians, page cache warm; rates count opening, not imports.",
        "The peers read in the order of their files, the stream shuffles where it says so. They decode with Pillow, also "
        "litdata, whose own JPEG items need torchvision and were not measured.\n",
        *(f"Left out, since its package is missing: {NAMES[name]}.\n" for name in missing),
        *tables(results, order),
        *goals(results),
        "\nWhere another is level or ahead:\n",
        *(list(beside_peers(results)) or ["- nowhere in this run."]),
    ]
    return "\n".join(lines) + "\n"


@click.command(help=__doc__)
@click.option("--images", default=1_500, show_default=True, type=click.IntRange(1), help="Images of the train split.")
@click.option("--rows", default=59_958, show_default=True, type=click.IntRange(1), help="Rows of the captions alone.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--folder", type=click.Path(path_type=Path), help="Where the data are made, and found again.")
@click.option("--method", "methods", multiple=True, type=click.Choice(list(READERS)), help="Only these.")
@click.option("--part", "parts", multiple=True, type=click.Choice(list(TITLES)), help="Only these tables.")
@click.option("--http", is_flag=True, help="Read from a Hub on this machine as well.")
@click.option("--environment", "environments", multiple=True, metavar="NAME=PYTHON", help="Interpreter of a peer.")
@click.option("--output", type=click.Path(path_type=Path), help="Write the tables there as well.")
def main(
    images: int,
    rows: int,
    rounds: int,
    folder: Path | None,
    methods: tuple[str, ...],
    parts: tuple[str, ...],
    http: bool,
    environments: tuple[str, ...],
    output: Path | None,
) -> None:
    """Parse, call, report."""
    try:
        compare(images, rows, rounds, folder, methods, parts, http, environments, output)
    except RuntimeError as error:  # a process failed: its output explains why
        raise click.ClickException(str(error)) from error


def compare(
    images: int,
    rows: int,
    rounds: int,
    folder: Path | None,
    methods: tuple[str, ...],
    parts: tuple[str, ...],
    http: bool,
    environments: tuple[str, ...],
    output: Path | None,
) -> None:
    """Measure, print."""
    pythons = parse_environments(environments)
    found = {name: versions(pythons[name], name) for name in methods or READERS}
    used = {name: text for name, text in found.items() if text is not None}
    order = [one for one in runs() if one.job.reader in used and (http or one.part != "hub")]
    order = [one for one in order if not parts or one.part in parts]
    with ExitStack() as stack:
        data = Data(folder or Path(stack.enter_context(tempfile.TemporaryDirectory())), images, rows, pythons)
        expected = data.expected()
        if any(one.data == "tiny" for one in order):
            expected["caption"] = data.expected("tiny")["caption"]
        for name in dict.fromkeys(one.data for one in order):
            data.path(name)
        if "datasets-map" in used:
            data.path("datasets")
        results: dict[str, list[dict[str, Any]]] = {one.key: [] for one in order}
        small, default = (
            sum(path.stat().st_size for path in Path(data.path("rocov2"), name).iterdir()) for name in ("small", "data")
        )
        results[SIZES] = [{"share": small / default}]
        levels: dict[str, int] = {}
        for number in range(rounds):
            for one in order[:: 1 if number % 2 == 0 else -1]:
                result = measure(one, data, pythons[one.job.reader], expected["image_id"]["images"])
                check(one, result, expected, levels)
                results[one.key].append(result)
                click.echo(f"round {number + 1} {one.key}: {json.dumps(result)}", err=True)
    count_of = expected["image_id"]["images"]
    text = report(count_of, rounds, used, [name for name in found if name not in used], results, order)
    click.echo(text)
    if output:
        output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
