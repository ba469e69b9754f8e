"""Measure the explorer: seconds until its page is there, and until filters are answered. Prints a table (Markdown).

    python benchmarks/reading/explore.py rocov2

Each run starts `rocov2 explore` anew and asks every filter once, so that nothing of an answer is remembered from another run.
A row has the medians of the runs. With --hub the repository is a dataset of a Hub on this machine, and the cache is empty.
"""

from __future__ import annotations

import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from urllib.parse import quote_plus
from urllib.request import urlopen

import click
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import rocov2
from benchmarks.conversion.measure import machine
from tests.support.hub import Hub
from tests.support.processes import free_port

SECONDS_TO_START, SECONDS_TO_ANSWER = 2.0, 0.3
"""The goals: until the first page is there, and until the median filter is answered."""

TICKS = os.sysconf("SC_CLK_TCK")


def list_filters(root: Path) -> dict[str, str]:
    """Return queries of addresses by what they ask for: values that are common in the repository, and two of each kind."""
    rows = pq.read_table(root / "text" / "train.parquet", columns=["caption", "cuis", "modality", "region"])
    pairs = Counter(zip(rows["modality"].to_pylist(), rows["region"].to_pylist(), strict=True))
    (modality, _), _ = Counter(rows["modality"].to_pylist()).most_common(2)
    of_region, region = next(pair for pair, _ in pairs.most_common() if pair[1] is not None)
    names = {column: list(labels) for column, labels in rocov2.LABELS.items()}
    two_labels = f"modality={names['modality'][of_region]}&region={quote_plus(names['region'][region])}"
    cuis = Counter(pc.list_flatten(rows["cuis"]).to_pylist())
    for label in rocov2.LABELS.values():
        for cui in label.values():
            cuis.pop(cui, None)
    (concept, _), (second_concept, _) = cuis.most_common(2)
    words = Counter(word for text in rows["caption"].to_pylist() for word in set(re.findall(r"\w+", text.lower())))
    (word, _), *_, (rare, _) = words.most_common(200)
    return {
        "a label": f"modality={names['modality'][modality]}",
        "a concept": f"concept={concept}",
        "a word": f"text={quote_plus(word)}",
        "two labels": two_labels,
        "two concepts": f"concept={concept}&concept={second_concept}",
        "two words": f"text={quote_plus(f'{word} {rare}')}",
        "all of it": f"{two_labels}&concept={concept}&text={quote_plus(word)}",
    }


@contextmanager
def serving(repository: str, environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the explorer; its address and its process, when it says that it listens."""
    command = [str(Path(sys.executable).with_name("rocov2")), "explore", repository, "--port", str(free_port())]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            assert process.stdout
            yield process.stdout.readline().split()[0], process
            process.send_signal(signal.SIGINT)
        except BaseException:
            process.kill()
            raise


def ask(address: str) -> str:
    """Return the page at an address."""
    with urlopen(address) as answer:  # noqa: S310
        return str(answer.read().decode())


def ask_images(address: str, page: str) -> None:
    """Get the images of a page, six at a time, as a browser does."""
    images = [unescape(image) for image in re.findall(r'<img src="([^"]*)"', page)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda image: urlopen(address + image).read(), images))  # noqa: S310


def processor_seconds(process: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def measure(repository: str, environment: dict[str, str], filters: dict[str, str]) -> dict[str, tuple[float, ...]]:
    """Return seconds of one run: of the start and its processor time, and of each filter until its page and its images."""
    begun = time.perf_counter()
    found: dict[str, tuple[float, ...]] = {}
    with serving(repository, environment) as (address, process):
        ask(address)
        found["start"] = time.perf_counter() - begun, processor_seconds(process.pid)
        for name, query in filters.items():
            begun = time.perf_counter()
            page = ask(f"{address}?{query}")
            answered = time.perf_counter() - begun
            ask_images(address, page)
            count = re.search(r'id="found"[^>]*><b>([\d,]+)', page)
            assert count
            found[name] = answered, time.perf_counter() - begun, int(count[1].replace(",", ""))
    return found


@click.command(help=__doc__)
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--runs", default=7, show_default=True, help="Runs, each with a new process.")
@click.option("--hub", is_flag=True, help="Read it from a Hub on this machine, into an empty cache.")
def main(root: Path, runs: int, hub: bool) -> None:
    """Measure, and print the tables."""
    filters = list_filters(root)
    results: defaultdict[str, list[tuple[float, ...]]] = defaultdict(list)
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as home:
            if hub:
                with Hub({"org/rocov2": root}) as server:
                    environment = {**os.environ, **server.environment(Path(home)), "HF_HUB_OFFLINE": "0"}
                    found = measure("org/rocov2", environment, filters)
            else:
                found = measure(str(root), {**os.environ, "HF_HOME": home}, filters)
        for name, values in found.items():
            results[name].append(values)
    medians = {name: [statistics.median(part) for part in zip(*runs, strict=True)] for name, runs in results.items()}
    rows = sum(rocov2.Repository.open(root).counts["default"].values())
    start, processor = medians.pop("start")
    click.echo(f"{machine()}; Python {platform.python_version()}; {rows:,} rows; medians of {runs} runs.\n")
    click.echo(f"From the command to the first page: {start:.2f} s, {processor:.2f} s of processor time.\n")
    click.echo("| filter | images | page, ms | with its pictures, ms |\n| --- | ---: | ---: | ---: |")
    for name, (page, images, count) in medians.items():
        click.echo(f"| {name}: `{filters[name]}` | {count:,.0f} | {page * 1000:.0f} | {images * 1000:.0f} |")
    answer = statistics.median(page for page, _, _ in medians.values())
    click.echo(f"\nThe median filter: {answer * 1000:.0f} ms.")
    met = start <= SECONDS_TO_START and answer <= SECONDS_TO_ANSWER
    click.echo(f"Goals ({SECONDS_TO_START:g} s, {SECONDS_TO_ANSWER * 1000:.0f} ms): {'met' if met else 'missed'}.")


if __name__ == "__main__":
    main()
