"""Faults of a release whose outcome is known: which problem is reported, or that every row is built."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rocov2_build.raw.problems import CODES, Severity
from tests.support.fuzz import ids_of, rows_or_error
from tests.support.jpegs import UNWRITABLE, exif, header_of, with_segment, xmp
from tests.support.large_zips import write_large
from tests.support.raw import write_zip
from tests.support.repositories import problems_of

ESCAPE = "\x1b[31m"
OTHER_PROCESSES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
"""SOF markers of JPEGs that not every reader decodes: lossless, hierarchical, arithmetic coding."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        plant: puts it into a copy of a release, and returns the ids of the images that it concerns.
        code: of the problem that is reported; "" if everything is built.
    """

    plant: Callable[[Path, Random], list[str]]
    code: str = ""


def convert_faulty(raw: Path, target: Path, output: Path, name: str, random: Random, skip: bool) -> str:
    """Convert a copy of a release with a fault of the kind `name`, and hold what comes out against what has to.

    Returns:
        `built` or `reported`.

    Raises:
        AssertionError: another outcome, or a wrong row. Any other exception is a bug too.
    """
    fault = FAULTS[name]
    shutil.copytree(raw, target)
    whole = ids_of(raw)
    faulty = fault.plant(target, random)
    rows, message = rows_or_error(target, output, skip)
    if not fault.code:
        assert rows == whole, message
        return "built"
    told = [(code, image_id) for code, _, image_id in problems_of(output)] if message else []
    if skip and CODES[fault.code].severity is Severity.ROW:
        assert rows is not None, message
        assert rows == whole - set(faulty)
        return "built"
    assert rows is None
    assert {code for code, _ in told} == {fault.code}, told
    assert not faulty or [image_id for _, image_id in told] == faulty, told
    return "reported"


def _image(change: Callable[[bytes, Random], bytes]) -> Callable[[Path, Random], list[str]]:
    """A fault of one image of a zip."""

    def plant(raw: Path, random: Random) -> list[str]:
        path = random.choice(sorted(raw.glob("*.zip")))
        members = _members(path)
        victim = random.randrange(len(members))
        name, data = members[victim]
        members[victim] = (name, change(data, random))
        write_zip(path, members)
        return [Path(name).stem]

    return plant


def _members(path: Path) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def _before_end(kind: Callable[[Random], bytes]) -> Callable[[bytes, Random], bytes]:
    return lambda data, random: data[:-2] + kind(random) + data[-2:]


def _wrap(zip64: bool) -> Callable[[Path, Random], list[str]]:
    def plant(raw: Path, random: Random) -> list[str]:
        path = raw / "train_images.zip"
        write_large(path, _members(path), zip64=zip64)
        return []

    return plant


def _unpack(raw: Path, random: Random) -> list[str]:
    """Unpack some of the zips, each in one of the four ways that are accepted."""
    for path in sorted(raw.glob("*.zip")):
        split = path.name.removesuffix("_images.zip")
        way = random.choice(["", split, f"{split}/{split}", f"{split}_images", f"{split}_images/{split}"])
        if way:
            (raw / way).mkdir(parents=True)
            for name, data in _members(path):
                (raw / way / Path(name).name).write_bytes(data)
            path.unlink()
    return []


def _add_member(raw: Path, random: Random) -> list[str]:
    path = random.choice(sorted(raw.glob("*.zip")))
    write_zip(path, [*_members(path), (f"train/{ESCAPE}{random.randrange(100)}.jpg", b"")])
    return []


def _add_file(raw: Path, random: Random) -> list[str]:
    (raw / f"{ESCAPE}{random.randrange(100)}.csv").write_text("")
    return []


def _other_process(data: bytes, random: Random) -> bytes:
    return header_of(random.choice(OTHER_PROCESSES), random.choice([8, 12]), random.choice([1, 3]))


def _icc(data: bytes, random: Random) -> bytes:
    """A profile that is empty, cut, or numbered wrongly."""
    numbers = random.choice([b"\0\0", b"\1\0", b"\2\1", b"\1\2"])
    return with_segment(data, 0xE2, b"ICC_PROFILE\0" + numbers + random.randbytes(random.choice([0, 1, 40])))


def _adobe(data: bytes, random: Random) -> bytes:
    return with_segment(data, 0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([random.randrange(3, 256)]))


FAULTS = {
    "a JPEG of another process": Fault(_image(_other_process), "unsupported-jpeg"),
    "an orientation beside malformed Exif": Fault(
        _image(lambda data, random: with_segment(data, 0xE1, exif(random.randint(2, 8), UNWRITABLE))),
        "damaged-metadata",
    ),
    "malformed Exif without an orientation": Fault(
        _image(lambda data, random: with_segment(data, 0xE1, exif(random.choice([None, 1]), UNWRITABLE)))
    ),
    "an orientation in Exif": Fault(_image(lambda data, random: with_segment(data, 0xE1, exif(random.randint(0, 9))))),
    "an orientation in XMP": Fault(_image(lambda data, random: with_segment(data, 0xE1, xmp(random.randint(0, 9))))),
    "a broken colour profile": Fault(_image(_icc)),
    "a colour profile that is too short for Pillow": Fault(
        _image(lambda data, random: with_segment(data, 0xE2, b"ICC_PROFILE\0" + bytes(random.randrange(2)))),
        "damaged-jpeg",
    ),
    "an unknown Adobe code": Fault(_image(_adobe)),
    "other bytes at the end of a scan": Fault(
        _image(_before_end(lambda random: bytes(random.randrange(1, 255) for _ in range(random.randint(32, 99))))),
        "damaged-jpeg",
    ),
    "fill bytes at the end of a scan": Fault(_image(_before_end(lambda random: bytes(random.randint(1, 99))))),
    "a zip over 4 GiB": Fault(_wrap(zip64=True)),
    "a zip over 4 GiB without Zip64": Fault(_wrap(zip64=False), "damaged-zip"),
    "unpacked images": Fault(_unpack),
    "an escape sequence in the name of a member": Fault(_add_member, "stray-member"),
    "an escape sequence in the name of a file": Fault(_add_file, "extra-file"),
}
