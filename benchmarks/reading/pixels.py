"""How far each way of decoding moves the pixels, and what it costs, beside Pillow's plain way.

    python benchmarks/reading/pixels.py rocov2 --image-size 224

The plain way is `image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)`. Differences are in levels,
of 0 to 255, over all pixels and channels of all images. Times are medians over rounds in which the ways take turns.
"""

from __future__ import annotations

import io
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow.parquet as pq
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conversion.measure import machine
from rocov2_tasks.stream.decoding import Decoder

BILINEAR = Image.Resampling.BILINEAR


def ways(side: int) -> dict[str, Callable[[bytes], Any]]:
    """The ways of decoding, by name; the first is the plain one."""

    def draft(data: bytes) -> Any:
        image = Image.open(io.BytesIO(data))
        image.draft(None, (side, side))
        return np.asarray(image.convert("RGB").resize((side, side), BILINEAR))

    def plain(data: bytes) -> Any:
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((side, side), BILINEAR))

    own = {f"`{name}`": Decoder(name, (side, side), "stretch", "bilinear") for name in ("exact", "scaled", "fast")}
    return {"Pillow, plainly": plain, **own, "Pillow's draft": draft}


def differences(images: list[bytes], way: Callable[[bytes], Any], plain: Callable[[bytes], Any]) -> Any:
    """How often each difference occurs: counts of 0 to 255."""
    counts = np.zeros(256, dtype=np.int64)
    for data in images:
        counts += np.bincount(np.abs(way(data).astype(np.int16) - plain(data)).ravel(), minlength=256)
    return counts


def seconds(images: list[bytes], way: Callable[[bytes], Any]) -> float:
    """Time of one pass."""
    begin = time.perf_counter()
    for data in images:
        way(data)
    return time.perf_counter() - begin


@click.command(help=__doc__)
@click.argument("repository", default="rocov2", type=click.Path(path_type=Path, exists=True))
@click.option("--image-size", default=224, show_default=True, help="Side of the output in pixels.")
@click.option("--limit", default=500, show_default=True, help="Number of images at most.")
@click.option("--rounds", default=5, show_default=True, help="Passes of each way.")
def main(repository: Path, image_size: int, limit: int, rounds: int) -> None:
    """Parse, measure, print a table."""
    images: list[bytes] = []
    for file in sorted(repository.glob("data/*.parquet")):
        images += [
            row["bytes"] for row in pq.read_table(file, columns=["image"], partitioning=None)["image"].to_pylist()
        ]
    images = images[:limit]
    methods = ways(image_size)
    plain = next(iter(methods.values()))
    times: dict[str, list[float]] = {name: [] for name in methods}
    for number in range(rounds):
        order = list(methods) if number % 2 else list(reversed(methods))
        for name in order:
            times[name].append(seconds(images, methods[name]))
    kilobytes = sum(map(len, images)) / len(images) / 1000
    click.echo(
        f"{machine()}; {len(images)} images of {kilobytes:.0f} kB on average, {image_size} x {image_size}, one thread.\n"
    )
    click.echo("| way | mean | 99th percentile | largest | microseconds | of the plain way's time |")
    click.echo("| --- | --- | --- | --- | --- | --- |")
    base = statistics.median(times[next(iter(methods))])
    for name, way in methods.items():
        counts = differences(images, way, plain)
        mean = (counts * np.arange(256)).sum() / counts.sum()
        percentile = int(np.searchsorted(np.cumsum(counts), 0.99 * counts.sum()))
        median = statistics.median(times[name])
        cost = f"{median / len(images) * 1e6:,.0f} | {median / base:.2f}"
        click.echo(f"| {name} | {mean:.2f} | {percentile} | {np.flatnonzero(counts)[-1]} | {cost} |")


if __name__ == "__main__":
    main()
