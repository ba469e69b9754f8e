"""How far apart perceptual hashes are: of variants of one picture, and of different pictures. Prints Markdown.

    python benchmarks/conversion/hashes.py                 # the 52 scans of sample/
    python benchmarks/conversion/hashes.py FOLDER          # any JPEGs

`hash_pairs.THRESHOLD` was chosen from this: see docs/facts.md.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import click
from PIL import Image, ImageDraw, ImageEnhance

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rocov2_build.facts.hash_pairs import BITS, THRESHOLD, are_flat, unpack_hashes
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.phash import hash_distance

SAMPLE = Path(__file__).resolve().parents[2] / "sample"
THRESHOLDS = (12, 16, 20, 24, 28, 31, 40, 50)
CLOSEST = 12


def resize(scale: float) -> Callable[[Image.Image], Image.Image]:
    """The picture in another size."""
    return lambda image: image.resize(
        (max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC
    )


def crop(share: float) -> Callable[[Image.Image], Image.Image]:
    """The picture without this share of its sides, half of it at each end."""

    def cut(image: Image.Image) -> Image.Image:
        x, y = round(image.width * share / 2), round(image.height * share / 2)
        return image.crop((x, y, image.width - x, image.height - y))

    return cut


def label(image: Image.Image) -> Image.Image:
    """The picture with a white panel letter in a corner, 5 % of its sides, and an arrow."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    width, height = image.size
    white = 255 if image.mode == "L" else (255, 255, 255)
    draw.rectangle((0.02 * width, 0.02 * height, 0.07 * width, 0.07 * height), fill=white)
    draw.line((0.5 * width, 0.5 * height, 0.58 * width, 0.42 * height), fill=white, width=max(2, width // 150))
    return image


VARIANTS: dict[str, tuple[Callable[[Image.Image], Image.Image], int]] = {
    "encoded again, quality 30": (lambda image: image, 30),
    "resized to 0.5": (resize(0.5), 90),
    "resized to 1.37": (resize(1.37), 90),
    "brighter by a fifth": (lambda image: ImageEnhance.Brightness(image).enhance(1.2), 90),
    "more contrast by three tenths": (lambda image: ImageEnhance.Contrast(image).enhance(1.3), 90),
    "with a panel letter and an arrow": (label, 90),
    "cropped by 1 %": (crop(0.01), 90),
    "cropped by 2 %": (crop(0.02), 90),
    "cropped by 5 %": (crop(0.05), 90),
    "mirrored": (lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), 90),
}
"""What is done to a picture, and the quality with which the result is encoded."""


def read_pictures(folder: Path) -> dict[str, bytes]:
    """JPEGs of a folder, and of the zips in it, by name."""
    pictures = {path.stem: path.read_bytes() for path in sorted(folder.rglob("*.jpg"))}
    for path in sorted(folder.glob("*_images.zip")):
        with zipfile.ZipFile(path) as archive:
            pictures |= {
                Path(name).stem: archive.read(name) for name in sorted(archive.namelist()) if name.endswith("jpg")
            }
    return pictures


def hash_variant(data: bytes, change: Callable[[Image.Image], Image.Image], quality: int) -> str:
    """Hash of a picture after a change."""
    image = Image.open(io.BytesIO(data))
    changed = change(image if image.mode == "L" else image.convert("RGB"))
    buffer = io.BytesIO()
    changed.save(buffer, "JPEG", quality=quality)
    return inspect(buffer.getvalue()).perceptual


def at(values: list[int], percent: int) -> int:
    """The least of the sorted values that `percent` in a hundred do not exceed."""
    return values[max(-(-len(values) * percent // 100) - 1, 0)]


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=SAMPLE)
def main(folder: Path) -> None:
    """Measure and report."""
    pictures = read_pictures(folder)
    hashes = {name: inspect(data).perceptual for name, data in pictures.items()}
    flat = are_flat(unpack_hashes(list(hashes.values()))).sum()
    bits = sorted(int(value, 16).bit_count() for value in hashes.values())
    click.echo(f"{len(pictures)} pictures, {bits[0]} to {bits[-1]} of {BITS} bits set, {flat} flat.\n")
    rows = {
        variant: sorted(hash_distance(hashes[name], hash_variant(data, *how)) for name, data in pictures.items())
        for variant, how in VARIANTS.items()
    }
    pairs = sorted((hash_distance(hashes[one], hashes[other]), one, other) for one, other in combinations(hashes, 2))
    rows["another picture"] = [distance for distance, *_ in pairs]
    click.echo(
        f"| bits that differ | least | 1 % | median | 90 % | most | {' | '.join(f'≤ {t}' for t in THRESHOLDS)} |"
    )
    click.echo("| --- " * (6 + len(THRESHOLDS)) + "|")
    for row, distances in rows.items():
        numbers = [at(distances, percent) for percent in (0, 1, 50, 90, 100)]
        within = [sum(distance <= threshold for distance in distances) for threshold in THRESHOLDS]
        shares = [f"{100 * count / len(distances):.{0 if count in (0, len(distances)) else 1}f} %" for count in within]
        click.echo(f"| {row} | {' | '.join(map(str, numbers))} | {' | '.join(shares)} |")
    click.echo(f"\nThe closest of {len(pairs):,} pairs of different pictures (the threshold is {THRESHOLD}):\n")
    for distance, one, other in pairs[:CLOSEST]:
        click.echo(f"- {distance}: {one}, {other}")


if __name__ == "__main__":
    main()
