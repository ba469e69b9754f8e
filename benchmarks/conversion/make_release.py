"""Write a synthetic raw release of any size that is like the real one. The same seed, the same bytes.

    python benchmarks/conversion/make_release.py /tmp/raw --images 79789

`benchmarks/synthetic/figures.py` has the numbers that it follows, and their source: kinds of JPEGs, their sides, bytes and
metadata, articles, licences, captions, concepts. Some hundred columns are drawn and encoded, twice as high as a picture.
Each image is a window of a column, cut out of the encoded bits (`benchmarks/synthetic/rows.py`), behind metadata of its own.
So no two images are equal, though windows of one column overlap, and a few look alike; and none is encoded by itself. It
takes two milliseconds an image, mostly for the deflate of the zip.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.synthetic import figures
from benchmarks.synthetic.pictures import Column, Painter
from benchmarks.synthetic.segments import Metadata, segment
from benchmarks.synthetic.texts import RELEASE, Writer, draw_articles
from tests.support.raw import HEADERS, LICENSE_HEADER, MAPPING_HEADER, write_csv

POOL = 480
SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_LEVEL = 1
_TRIES = 20


def sizes(images: int) -> dict[str, int]:
    """Images by split of the release, in the release's proportions."""
    total = sum(RELEASE.images.values())
    counts = {raw: max(1, round(images * RELEASE.images[split] / total)) for raw, split in SPLITS.items()}
    counts["train"] += images - sum(counts.values())
    return counts


def draw_columns(random: Random, scale: float, count: int) -> list[Column]:
    """Return columns of all kinds, in the shares that the kinds have."""
    painter = Painter(random, scale)
    shares = [(number + random.random()) / count for number in range(count)]
    random.shuffle(shares)
    columns: list[Column] = []
    due = 0.0
    for kind in figures.KINDS:
        due += kind.share * count
        columns += [painter.column(kind, share) for share in shares[len(columns) : round(due)]]
    return columns


class Images:
    """Draws images, no two alike."""

    def __init__(self, random: Random, scale: float, pool_size: int) -> None:
        self._random = random
        self._metadata = Metadata(random, scale)
        self._columns = draw_columns(random, scale, pool_size)
        self._drawn: set[tuple[int, int, int]] = set()

    def draw(self, image_id: str) -> bytes:
        """Return a JPEG."""
        number = self._random.randrange(len(self._columns))
        column = self._columns[number]
        metadata = self._metadata.draw(column.thumbnail)
        for _ in range(_TRIES):
            start, height = column.draw(self._random)
            if (number, start, height) not in self._drawn:
                break
        else:  # more images than windows
            metadata += segment(0xFE, image_id.encode())
        self._drawn.add((number, start, height))
        return b"\xff\xd8" + metadata + column.rows.cut(start, height)


def image_ids(split: str, count: int) -> Iterator[str]:
    """Ids of a split; like the release's they have gaps."""
    return (f"ROCOv2_2023_{split}_{position + position // 200 + 1:06d}" for position in range(count))


def write_release(
    folder: Path, images: int, seed: int, median: int = figures.MEDIAN_BYTES, pool_size: int = POOL
) -> int:
    """Write a release of `images` images of about `median` bytes; returns the bytes of all images."""
    random = Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    pictures = Images(random, median / figures.MEDIAN_BYTES, min(pool_size, images))
    writer, articles = Writer(random), draw_articles(images, random)
    licenses, used, total = [LICENSE_HEADER], set[str](), 0
    for split, count in sizes(images).items():
        tables = {name: [header] for name, header in HEADERS.items()}
        with zipfile.ZipFile(
            folder / f"{split}_images.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL
        ) as archive:
            for image_id in image_ids(split, count):
                row = writer.row(*next(articles))
                tables["captions"].append([image_id, row.caption])
                tables["concepts"].append([image_id, ";".join(row.cuis)])
                tables["concepts_manual"].append([image_id, ";".join(row.manual)])
                link = f"https://www.ncbi.nlm.nih.gov/pmc/articles/{row.pmcid}"
                licenses.append([image_id, row.pmcid, row.attribution, link])
                used.update(row.cuis)
                data = pictures.draw(image_id)
                total += len(data)
                archive.writestr(zipfile.ZipInfo(f"{split}/{image_id}.jpg"), data, zipfile.ZIP_DEFLATED, _LEVEL)
        for name, rows in tables.items():
            write_csv(folder / f"{split}_{name}.csv", rows)
    write_csv(folder / "license_information.csv", licenses)
    write_csv(folder / "cui_mapping.csv", [MAPPING_HEADER, *map(list, writer.names(used))], last=False)
    return total


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=sum(RELEASE.images.values()), show_default=True, help="Number of images.")
@click.option("--median", default=figures.MEDIAN_BYTES, show_default=True, help="Median bytes of a JPEG.")
@click.option("--seed", default=0, show_default=True, help="Seed of everything.")
def main(folder: Path, images: int, median: int, seed: int) -> None:
    """Parse, call, report."""
    total = write_release(folder, images, seed, median)
    click.echo(f"{folder}: {images:,} images, {total:,} bytes, mean {total // images:,}", err=True)


if __name__ == "__main__":
    main()
