"""How far small pictures are from the full ones, by quality and way of scaling, and what they cost. Prints Markdown.

    python benchmarks/conversion/small.py                   # the 52 scans of sample/
    python benchmarks/conversion/small.py FOLDER FOLDER     # any JPEGs

Both pictures are stretched to a square of 224 or 336 pixels (bilinear, as readers do) and compared as RGB, in levels of 0
to 255. Pictures that are as small already count in the bytes and have no distance. `scale.QUALITY` was chosen from this.
"""

from __future__ import annotations

import io
import math
import statistics
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import click
import deflate
import numpy as np
import numpy.typing as npt
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conversion.hashes import SAMPLE, read_pictures
from benchmarks.conversion.measure import machine
from rocov2_build.worker import scale
from rocov2_build.worker.jpeg import inspect
from rocov2_shared.jpeg_segments import read_header

QUALITIES = (85, 86, 87, 88, 90, 92, 95)
SQUARES = (224, 336)

Pixels = npt.NDArray[np.int16]


class Picture(NamedTuple):
    """A JPEG, its size when it is small, and whether its chroma is full."""

    data: bytes
    size: tuple[int, int]
    full_chroma: bool
    grey: bool

    @property
    def scaled(self) -> bool:
        """Whether it has to be scaled."""
        return Image.open(io.BytesIO(self.data)).size != self.size


class Distance:
    """How often each difference occurs, of all pixels and channels of several pictures."""

    def __init__(self) -> None:
        self.counts = np.zeros(256, dtype=np.int64)
        self.means: list[float] = []

    def add(self, one: Pixels, other: Pixels) -> None:
        """Compare two pictures."""
        counts = np.bincount(np.abs(one - other).ravel(), minlength=256)
        self.counts += counts
        self.means.append(float(counts @ np.arange(256)) / counts.sum())

    def row(self) -> str:
        """Mean, 99th percentile, PSNR, and mean of the picture that differs most."""
        mean = statistics.fmean(self.means)
        at99 = int(np.searchsorted(np.cumsum(self.counts), 0.99 * self.counts.sum()))
        squares = float(self.counts @ np.arange(256) ** 2) / float(self.counts.sum())
        psnr = f"{10 * math.log10(255**2 / squares):.1f}" if squares else "∞"
        return f"{mean:.2f} | {at99} | {psnr} | {max(self.means):.2f}"


def look_at(data: bytes) -> Picture:
    """A picture of a folder; all of them are upright."""
    header = read_header(data)
    size = scale.scaled_size(header.width, header.height, scale.SIDE)
    return Picture(data, size, len(set(header.sampling)) == 1, header.components == 1)


def view(image: Image.Image, side: int) -> Pixels:
    """The picture as readers give it."""
    square = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(square, dtype=np.int16)


def opened(data: bytes) -> Image.Image:
    """A decoded picture."""
    image: Image.Image = Image.open(io.BytesIO(data))
    image.load()
    return image


def plain(image: Image.Image) -> Image.Image:
    """The picture in one of the two modes that are scaled."""
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def resized(picture: Picture, draft: bool = False, gap: float | None = None) -> Image.Image:
    """The picture scaled, not encoded; with `draft` decoded at 1/2 to 1/8, with `gap` averaged over whole pixels first."""
    image: Image.Image = Image.open(io.BytesIO(picture.data))
    if draft:
        image.draft(None, picture.size)
    return plain(image).resize(picture.size, scale.FILTER, reducing_gap=gap)


def encoded(picture: Picture, quality: int) -> bytes:
    """The small picture with another quality."""
    kept, scale.QUALITY = scale.QUALITY, quality
    try:
        return scale.scale(Image.open(io.BytesIO(picture.data)), picture.size, picture.full_chroma).data
    finally:
        scale.QUALITY = kept


def quality_table(pictures: list[Picture], kind: str) -> Iterable[str]:
    """Bytes and distances by quality."""
    chosen = [picture for picture in pictures if kind == "all" or (kind == "grey") == picture.grey]
    distances: dict[tuple[int, int], Distance] = defaultdict(Distance)
    sizes: dict[int, int] = defaultdict(int)
    for picture in chosen:
        if not picture.scaled:
            for quality in QUALITIES:
                sizes[quality] += len(picture.data)
            continue
        full = opened(picture.data)
        views = {side: view(full, side) for side in SQUARES}
        for quality in (*QUALITIES, 0):
            data = encoded(picture, quality) if quality else b""
            sizes[quality] += len(data)
            small = opened(data) if quality else resized(picture)
            for side in SQUARES:
                distances[quality, side].add(view(small, side), views[side])
    if not distances:
        return
    whole = sum(len(picture.data) for picture in chosen)
    scaled = len(distances[0, SQUARES[0]].means)
    for quality in (*QUALITIES, 0):
        bytes_of = f"{sizes[quality] / len(chosen):,.0f} | {sizes[quality] / whole:.3f}" if quality else " | "
        of = " | ".join(distances[quality, side].row() for side in SQUARES)
        yield f"| {kind}, {scaled} of {len(chosen)} | {quality or 'not encoded'} | {bytes_of} | {of} |"


def way_table(pictures: list[Picture], rounds: int) -> Iterable[str]:
    """Distance from the full picture through the filter, and time, of ways of scaling."""
    ways: dict[str, Callable[[Picture], Image.Image]] = {
        "decoded whole, Lanczos": resized,
        "decoded whole, averaged over 2 x 2 and so on, Lanczos": lambda picture: resized(picture, gap=1.0),
        "decoded at 1/2 to 1/8, Lanczos": lambda picture: resized(picture, draft=True),
    }
    scaled = [picture for picture in pictures if picture.scaled]
    for way, run in ways.items():
        distance = Distance()
        for picture in scaled:
            distance.add(*(np.asarray(image, dtype=np.int16) for image in (run(picture), resized(picture))))
        times = timed(scaled, {way: run}, rounds)
        yield f"| {way} | {times[way]:,.0f} | {distance.row()} |"


def timed(pictures: list[Any], steps: dict[str, Callable[[Any], Any]], rounds: int) -> dict[str, float]:
    """Microseconds of processor a picture: the mean over pictures of the median of rounds in which the steps take turns."""
    spent: dict[str, list[list[float]]] = {step: [[] for _ in pictures] for step in steps}
    for _ in range(rounds):
        for number, picture in enumerate(pictures):
            for step, run in steps.items():
                begin = time.thread_time()
                run(picture)
                spent[step][number].append(time.thread_time() - begin)
    return {step: 1e6 * statistics.fmean(map(statistics.median, times)) for step, times in spent.items()}


def cost_table(pictures: list[Picture], rounds: int) -> Iterable[str]:
    """What a worker does to a picture, beside the bare work."""

    def inflate(member: tuple[Picture, bytes]) -> bytes:
        data: bytes = deflate.deflate_decompress(member[1], len(member[0].data))
        return data

    def work(member: tuple[Picture, bytes]) -> bytes:
        picture = member[0]._replace(data=inflate(member))
        if not picture.scaled:
            return picture.data
        buffer = io.BytesIO()
        chroma = 0 if picture.full_chroma else 2
        resized(picture).save(buffer, "JPEG", quality=scale.QUALITY, subsampling=chroma, optimize=True)
        return buffer.getvalue()

    steps: dict[str, Callable[[Any], Any]] = {
        "inflate": inflate,
        "inflate, decode": lambda member: opened(inflate(member)),
        "inflate, decode, scale": lambda member: resized(member[0]._replace(data=inflate(member))),
        "inflate, decode, scale, encode: the bare work": work,
        "inflate, `inspect` (strict)": lambda member: inspect(inflate(member)),
        "inflate, `inspect` (strict) with the small picture": lambda member: inspect(inflate(member), side=scale.SIDE),
        "the same with `--verify none`": lambda member: inspect(inflate(member), "none", scale.SIDE),
    }
    members = [(picture, _compress(picture.data)) for picture in pictures]
    for step, microseconds in timed(members, steps, rounds).items():
        yield f"| {step} | {microseconds:,.0f} |"


def _compress(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


@click.command(help=__doc__)
@click.argument("folders", type=click.Path(exists=True, file_okay=False, path_type=Path), nargs=-1)
@click.option("--rounds", default=3, show_default=True, help="Rounds of the measurements of time.")
def main(folders: tuple[Path, ...], rounds: int) -> None:
    """Measure and report."""
    for folder in folders or (SAMPLE,):
        pictures = [look_at(data) for data in read_pictures(folder).values()]
        whole = sum(len(picture.data) for picture in pictures)
        click.echo(f"## {folder.name}: {len(pictures)} pictures, {whole / len(pictures):,.0f} bytes on average\n")
        of = " | ".join(f"mean at {side} | 99 % | PSNR | most" for side in SQUARES)
        click.echo(f"| pictures, scaled | quality | bytes | of the full ones | {of} |\n{'| --- ' * 12}|")
        for kind in ("all", "grey", "colour"):
            for line in quality_table(pictures, kind):
                click.echo(line)
        click.echo(f"\n{machine()}; microseconds of one processor a picture.\n")
        click.echo(f"| way of scaling | time | mean | 99 % | PSNR | most |\n{'| --- ' * 6}|")
        for line in way_table(pictures, rounds):
            click.echo(line)
        click.echo("\n| step | time |\n| --- | --- |")
        for line in cost_table(pictures, rounds):
            click.echo(line)
        click.echo()


if __name__ == "__main__":
    main()
