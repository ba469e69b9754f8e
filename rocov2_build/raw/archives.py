"""The images of one split: the directory of its zip, or of the folder that the zip was unpacked into."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rocov2_build.raw import releases
from rocov2_build.raw.problems import Report
from rocov2_build.worker.member import ENCRYPTED, MAX_IMAGE_BYTES, Member
from rocov2_shared.ids import image_id_pattern

_PASSED_OVER = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|\._|desktop\.ini$)", re.IGNORECASE)

_WRAPPED = (
    "offsets that begin again at 0 after each 4 GiB, as macOS's Archive Utility writes them. Download the zip anew, or "
    "unpack it where it was made and give the folder {folder}/"
)


@dataclass(frozen=True)
class Images:
    """The images of one split.

    Attributes:
        path: the zip or folder.
        members: its images, by image id, in the order of the zip or of the names.
        fingerprint: of the images by id, size and CRC-32: the same for any order and compression of a zip, and unpacked.
            It is empty if the zip could not be read.
        bytes: size of the images.
    """

    path: Path
    members: dict[str, Member]
    fingerprint: str
    bytes: int

    @property
    def is_open(self) -> bool:
        """Return whether the zip or folder could be read."""
        return bool(self.fingerprint)


def find_images(raw: Path, raw_split: str) -> list[Path]:
    """Return every form of a split's images in `raw`: the zip, and the folders that it was unpacked into."""
    archive = raw / releases.images_file(raw_split)
    folders = [folder for folder in (raw / archive.stem, raw / raw_split) if folder.is_dir()]
    return [archive, *folders] if archive.is_file() else folders


def find_placed(raw: Path) -> dict[str, Path]:
    """Return what a folder has of a release, by name of its files: the file, or a folder that a zip was unpacked into."""
    found = {name: raw / name for name in releases.FILES if (raw / name).exists()}
    for raw_split in releases.RAW_SPLITS:
        for folder in filter(Path.is_dir, find_images(raw, raw_split)):
            if any(folder.iterdir()):
                found.setdefault(releases.images_file(raw_split), folder)
    return found


def open_images(path: Path, raw_split: str, report: Report) -> Images:
    """List the images of a zip or folder; everything else in it goes to the report."""
    return _open_folder(path, raw_split, report) if path.is_dir() else _open_zip(path, raw_split, report)


def _open_zip(path: Path, raw_split: str, report: Report) -> Images:
    members: dict[str, Member] = {}
    twice: set[str] = set()
    pattern = image_id_pattern(raw_split)
    usual = re.compile(rf"{raw_split}/({pattern.pattern})\.jpg", re.ASCII)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            is_wrapped = archive.fp is not None and _begin_in_nothing(archive.fp, entries)
    except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, EOFError) as error:
        report.add("damaged-zip", path.name, expected="a zip of images", found=str(error) or type(error).__name__)
        return Images(path, {}, "", 0)
    if is_wrapped:
        expected = f"offsets in Zip64 form, since the zip has {path.stat().st_size:,} bytes"
        report.add("damaged-zip", path.name, expected=expected, found=_WRAPPED.format(folder=path.stem))
        return Images(path, {}, "", 0)
    for entry in entries:
        name = entry.filename
        match = usual.fullmatch(name)
        if match:
            image_id: str | None = sys.intern(match[1])
        elif name.endswith("/") or _PASSED_OVER.search(name):
            continue
        elif _unsafe(name):
            report.add("unsafe-member", path.name, expected=f"{raw_split}/<id>.jpg", found=repr(name))
            continue
        else:
            image_id = _image_id(_strip_folder(name, raw_split), pattern)
        if image_id is None:
            report.add("stray-member", path.name, expected=f"{raw_split}/<id>.jpg", found=repr(name))
        elif image_id in members:
            twice.add(image_id)
        else:
            members[image_id] = Member(
                name, entry.header_offset, entry.compress_size, entry.file_size, entry.CRC, entry.compress_type
            )
            if entry.flag_bits & ENCRYPTED:
                report.add(
                    "encrypted-member", path.name, image_id, expected="no encryption", found="an encrypted member"
                )
    for image_id in twice:
        report.add("duplicate-member", path.name, image_id, expected="one member", found="several")
    return _images(path, members)


def _begin_in_nothing(file: IO[bytes], entries: list[zipfile.ZipInfo]) -> bool:
    """Return whether the offsets of a zip are modulo 2^32.

    `zipfile` then takes what is missing in the offset of the directory for bytes before the zip: all members seem to begin
    behind the first 4 GiB. In a zip that has so many bytes before it, the first member is at its offset.
    """
    first = min((entry.header_offset for entry in entries), default=0)
    if first < 1 << 32:
        return False
    file.seek(first)
    return file.read(4) != b"PK\3\4"


def _unsafe(name: str) -> bool:
    return not name or name.startswith("/") or ".." in name.split("/") or ":" in name or "\\" in name


def _strip_folder(name: str, raw_split: str) -> str:
    """Return a member's name without the folder that was zipped: `train_images/train/<id>.jpg` -> `train/<id>.jpg`."""
    folder, _, rest = name.partition("/")
    within = folder in (raw_split, Path(releases.images_file(raw_split)).stem) and rest.startswith(f"{raw_split}/")
    return rest if within else name


def _open_folder(path: Path, raw_split: str, report: Report) -> Images:
    members: dict[str, Member] = {}
    pattern = image_id_pattern(raw_split)
    roots = (os.path.realpath(path.parent), os.path.realpath(path))
    for name in _list_names(path, raw_split, roots):
        file = path / name
        if _PASSED_OVER.search(f"{name}/" if file.is_dir() else name):
            continue
        image_id = _image_id(file.name, pattern)
        if _leads_elsewhere(file, roots):
            expected, found = "a file, or a link into RAW", f"{name!r}, a link to {os.path.realpath(file)!r}"
            report.add("unsafe-member", path.name, image_id or "", expected=expected, found=found)
        elif image_id is None or not file.is_file():
            report.add("stray-member", path.name, expected="<id>.jpg", found=repr(name))
        elif image_id in members:
            found = f"{members[image_id].name} and {name}"
            report.add("duplicate-member", path.name, image_id, expected="one file", found=found)
        else:
            size = file.stat().st_size
            members[image_id] = Member(name, -1, size, size, _file_crc(file, size), zipfile.ZIP_STORED)
    return _images(path, members)


def _list_names(path: Path, raw_split: str, roots: tuple[str, ...]) -> Iterator[str]:
    """Yield the names in a folder, and in the split's own folder inside it (`unzip -d train_images` makes one)."""
    for name in sorted(os.listdir(path)):
        if name == raw_split and (path / name).is_dir() and not _leads_elsewhere(path / name, roots):
            yield from (f"{name}/{inner}" for inner in sorted(os.listdir(path / name)))
        else:
            yield name


def _leads_elsewhere(file: Path, roots: tuple[str, ...]) -> bool:
    """Return whether a file is a link out of RAW: an archive can contain one, and may not bring in other files by it."""
    return file.is_symlink() and not any(Path(os.path.realpath(file)).is_relative_to(root) for root in roots)


def _file_crc(file: Path, size: int) -> int:
    """CRC-32 of a file, as in the directory of a zip: the same images are the same release in either form."""
    try:
        return zlib.crc32(file.read_bytes()) if size <= MAX_IMAGE_BYTES else 0
    except OSError:  # reported when the image is read
        return 0


def _images(path: Path, members: dict[str, Member]) -> Images:
    content = sorted((image_id, member.size, member.crc) for image_id, member in members.items())
    fingerprint = hashlib.sha256(repr(content).encode()).hexdigest()
    return Images(path, members, fingerprint, sum(member.size for member in members.values()))


def _image_id(name: str, pattern: re.Pattern[str]) -> str | None:
    folder, _, file = name.rpartition("/")
    stem, _, suffix = file.rpartition(".")
    return stem if suffix == "jpg" and "/" not in folder and pattern.fullmatch(stem) else None
