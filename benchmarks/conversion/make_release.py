"""Write a synthetic raw release of any size, in the release's format, with its distributions. The same seed, the same bytes.

    python benchmarks/conversion/make_release.py /tmp/raw --images 79789

Sizes of JPEGs are lognormal (median near 70 kB, a long tail), 70 % are grey; modalities, licences, numbers of concepts and
lengths of captions follow the release's published numbers. Pictures come from a pool of encoded ones and differ by a
comment, so that each decodes at its full cost and none equals another.
"""

from __future__ import annotations

import io
import math
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import click
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rocov2_build.raw.releases import RELEASES
from tests.support.raw import HEADERS, LICENSE_HEADER, MAPPING_HEADER, write_csv

POOL = 600
MEDIAN_BYTES = 70_000
SIGMA = 0.55
GREY = 0.7
COMMERCIAL = 0.73
WORDS = 1_900
RELEASE = RELEASES["2.0.1"]
SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def encode(random: Random, grey: bool, target: int) -> bytes:
    """A JPEG of about `target` bytes: smooth shapes with noise, as scans are, sized so that its bytes come out right.

    With Huffman tables of its own: with the standard ones a zip would save 1.5 % on noise, and take twice as long to inflate
    as it takes for scans.
    """
    side = max(64, round(math.sqrt(target / 0.19)))
    mode = "L" if grey else "RGB"
    bands = 1 if grey else 3
    coarse = Image.frombytes(mode, (12, 12), random.randbytes(144 * bands)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    noise = Image.frombytes(mode, (side, side), random.randbytes(side * side * bands))
    picture = Image.blend(coarse, noise, 0.12)
    low, high, best = 20, 95, b""
    while low <= high:  # the quality that comes nearest
        quality = (low + high) // 2
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if not best or abs(len(data) - target) < abs(len(best) - target):
            best = data
        low, high = (quality + 1, high) if len(data) < target else (low, quality - 1)
    return best


def with_comment(jpeg: bytes, text: str) -> bytes:
    """The JPEG with a comment segment behind its first marker."""
    comment = text.encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def sizes(images: int) -> dict[str, int]:
    """Images by split of the release, in the release's proportions."""
    total = sum(RELEASE.images.values())
    counts = {raw: max(1, round(images * RELEASE.images[split] / total)) for raw, split in SPLITS.items()}
    counts["train"] += images - sum(counts.values())
    return counts


def rows_of(split: str, count: int, random: Random) -> Iterator[tuple[str, str, list[str], list[str], str, str]]:
    """Id, caption, concepts, curated concepts, article and attribution of each image."""
    assert RELEASE.train_manual is not None
    manual = dict(RELEASE.train_manual)
    modalities = ["C0040405", "C1306645", "C0024485", "C0041618", "C0002978", "C0032743", ""]
    regions = ["C0817096", "C0037303", "C0023216", "C0000726", "C0030797", "C1140618", "C0037949", "C0006141"]
    directions = ["C1999039", "C1996865", "C0205129", "C0205106"]
    automatic = [f"C{8_000_000 + rank:07d}" for rank in range(WORDS)]
    popularity = [1 / (rank + 3) for rank in range(WORDS)]
    words = [f"word{rank}" for rank in range(WORDS)]
    for position in range(count):
        code = random.choices(modalities, [manual[code] for code in modalities])[0]
        curated = [code] if code else []
        if code == "C1306645":
            if random.random() < 16_224 / 16_603:
                curated += random.choices(regions, [manual[region] for region in regions])
            if random.random() < 12_401 / 16_603:
                curated += random.choices(directions, [manual[direction] for direction in directions])
        found = random.choices(automatic, popularity, k=min(1 + int(random.expovariate(0.75)), 12))
        length = max(1, min(700, round(random.lognormvariate(2.85, 0.65))))
        caption = " ".join(random.choices(words, popularity, k=length))
        license = "CC BY" if random.random() < COMMERCIAL else "CC BY-NC"
        yield (
            f"ROCOv2_2023_{split}_{position + position // 200 + 1:06d}",
            f"{caption}, {length} words." if random.random() < 0.4 else f"{caption}.",
            list(dict.fromkeys([*curated, *found])),
            curated,
            f"PMC{random.randrange(2_000_000, 9_000_000)}",
            f"{license} Author et al. ({random.randrange(2006, 2024)})",
        )


def write_release(folder: Path, images: int, seed: int, median: int = MEDIAN_BYTES, pool_size: int = POOL) -> int:
    """Write a release of `images` images of about `median` bytes; returns the bytes of all images."""
    random = Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    pool = [
        encode(random, random.random() < GREY, round(random.lognormvariate(math.log(median), SIGMA)))
        for _ in range(pool_size)
    ]
    licenses, names, total = [LICENSE_HEADER], {"C0040405": "X-Ray Computed Tomography"}, 0
    for split, count in sizes(images).items():
        tables = {name: [header] for name, header in HEADERS.items()}
        with zipfile.ZipFile(folder / f"{split}_images.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for image_id, caption, cuis, manual, pmcid, attribution in rows_of(split, count, random):
                tables["captions"].append([image_id, caption])
                tables["concepts"].append([image_id, ";".join(cuis)])
                tables["concepts_manual"].append([image_id, ";".join(manual)])
                licenses.append([image_id, pmcid, attribution, f"https://www.ncbi.nlm.nih.gov/pmc/articles/{pmcid}"])
                names |= {cui: f"concept {cui}" for cui in cuis}
                data = with_comment(random.choice(pool), image_id)
                total += len(data)
                archive.writestr(zipfile.ZipInfo(f"{split}/{image_id}.jpg"), data, zipfile.ZIP_DEFLATED, 1)
        for name, rows in tables.items():
            write_csv(folder / f"{split}_{name}.csv", rows)
    write_csv(folder / "license_information.csv", licenses)
    write_csv(folder / "cui_mapping.csv", [MAPPING_HEADER, *map(list, names.items())], last=False)
    return total


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--images", default=sum(RELEASE.images.values()), show_default=True, help="Number of images.")
@click.option("--median", default=MEDIAN_BYTES, show_default=True, help="Median bytes of a JPEG.")
@click.option("--seed", default=0, show_default=True, help="Seed of everything.")
def main(folder: Path, images: int, median: int, seed: int) -> None:
    """Parse, call, report."""
    total = write_release(folder, images, seed, median)
    click.echo(f"{folder}: {images:,} images, {total:,} bytes, mean {total // images:,}", err=True)


if __name__ == "__main__":
    main()
