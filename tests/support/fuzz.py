"""Releases with random damage, and what must hold of a conversion: success with the right rows, or a reported problem."""

from __future__ import annotations

import csv
import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pyarrow.parquet as pq

from rocov2_build.convert import Conversion
from rocov2_shared.errors import UserError
from tests.support.repositories import convert_here

SPLITS = {"train": "train", "validation": "valid", "test": "test"}
SPECIAL = [
    b"\0",
    b'"',
    b"\r",
    b"\n",
    b",",
    b";",
    b"\xff",
    b"\xff\xd9",
    b"PK\3\4",
    b"PK\1\2",
    b"\xef\xbb\xbf",
    b"C0040405",
    b"../",
]


def damage(content: bytes, random: Random) -> bytes:
    """The bytes of a file with one random damage."""
    kind = random.randrange(8)
    offset = random.randrange(len(content) + 1)
    length = random.choice([1, 1, 2, 4, 16, 300])
    if kind == 0:  # a bit
        offset = min(offset, len(content) - 1)
        return content[:offset] + bytes([content[offset] ^ 1 << random.randrange(8)]) + content[offset + 1 :]
    if kind == 1:
        return content[:offset]
    if kind == 2:
        return content[:offset] + random.randbytes(length) + content[offset + length :]
    if kind == 3:
        return content[:offset] + bytes(length) + content[offset + length :]
    if kind == 4:
        return content[:offset] + random.choice(SPECIAL) + content[offset:]
    if kind == 5:
        return content[:offset] + content[offset + length :]
    if kind == 6:
        other = random.randrange(len(content) + 1)
        return content[:offset] + content[min(offset, other) : max(offset, other)][:5000] + content[offset:]
    return content + random.choice(SPECIAL) * length


def damage_release(raw: Path, target: Path, random: Random) -> list[str]:
    """Copy a release and damage one to three of its files, or images inside its zips; return which."""
    shutil.copytree(raw, target)
    damaged = []
    for _ in range(random.choice([1, 1, 2, 3])):
        path = random.choice(sorted(target.iterdir()))
        if path.suffix == ".zip" and random.random() < 0.5:
            _damage_image(path, random)
            damaged.append(f"an image in {path.name}")
        else:
            path.write_bytes(damage(path.read_bytes(), random))
            damaged.append(path.name)
    return damaged


def _damage_image(path: Path, random: Random) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {entry: archive.read(entry) for entry in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError):
        return  # damaged already
    victim = random.choice(list(members))
    members[victim] = damage(members[victim], random)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in members.items():
            archive.writestr(zipfile.ZipInfo(entry.filename), data, zipfile.ZIP_DEFLATED)


def convert_damaged(raw: Path, output: Path, skip: bool) -> str:
    """Convert a damaged release and hold the result against a reading of its own.

    Returns:
        `built` or `reported`.

    Raises:
        AssertionError: a wrong row, or something under OUTPUT after a failure. Any other exception is a bug as well.
    """
    return "reported" if rows_or_error(raw, output, skip)[0] is None else "built"


def rows_or_error(raw: Path, output: Path, skip: bool) -> tuple[set[str] | None, str]:
    """Convert as `convert_damaged`: the ids of the rows and "", or None and the message."""
    options = Conversion(raw, output, release="any", workers=1, skip_problems=skip, quiet=True)
    try:
        convert_here(options)
    except UserError as error:
        if output.exists():
            raise AssertionError("something under OUTPUT after a failure") from None
        return None, str(error)
    return compare(raw, output), ""


def ids_of(raw: Path) -> set[str]:
    """The ids of a release."""
    return {row[0] for row in _read(raw / "license_information.csv")}


def compare(raw: Path, output: Path) -> set[str]:
    """Every built row is what csv and zipfile (or the file system) read from the release, and no row occurs twice.

    Returns:
        The ids of the rows.
    """
    seen: set[str] = set()
    licenses = {row[0]: row[1:] for row in _read(raw / "license_information.csv")}
    for split, raw_split in SPLITS.items():
        captions, concepts, manual = (
            dict(_read(raw / f"{raw_split}_{name}.csv")) for name in ("captions", "concepts", "concepts_manual")
        )
        with _images(raw, raw_split) as read:
            for shard in sorted(output.glob(f"data/{split}-*.parquet")):
                for row in pq.read_table(shard, partitioning=None).to_pylist():
                    image_id = row["image_id"]
                    assert image_id not in seen, f"{image_id} twice"
                    seen.add(image_id)
                    assert row["image"]["path"] == f"{image_id}.jpg"
                    assert row["image"]["bytes"] == read(f"{image_id}.jpg")
                    assert row["caption"] == captions[image_id]
                    assert row["cuis"] == concepts[image_id].split(";")
                    assert row["manual_cuis"] == (manual[image_id].split(";") if manual[image_id] else [])
                    pmcid, attribution, link = licenses[image_id]
                    assert (row["pmcid"], row["url"]) == (pmcid, link)
                    assert attribution.startswith(row["license"])
                    assert attribution.endswith(row["attribution"])
    assert seen, "an empty repository"
    return seen


@contextmanager
def _images(raw: Path, raw_split: str) -> Iterator[Callable[[str], bytes]]:
    """Give what reads an image of a split by the name of its file."""
    path = raw / f"{raw_split}_images.zip"
    if not path.is_file():
        files = {file.name: file for file in raw.glob(f"{raw_split}*/**/*.jpg")}
        yield lambda name: files[name].read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        images = {entry.filename.rpartition("/")[2]: entry for entry in archive.infolist()}
        yield lambda name: archive.read(images[name])


def _read(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))[1:]
