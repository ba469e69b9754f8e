"""Find, read, compare and fingerprint the files of a raw release."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rocov2 import SPLITS
from rocov2_build.raw import releases
from rocov2_build.raw.archives import Images, find_images, open_images
from rocov2_build.raw.problems import Report, describe_count
from rocov2_build.raw.rows import join_tables
from rocov2_build.raw.tables import check_release, compare_ids, find_empty, read_tables
from rocov2_shared.errors import UserError
from rocov2_shared.files import file_sha256
from rocov2_shared.gc_pause import collector_paused
from rocov2_shared.sizes import format_count, format_size

# Notes, checksums and files of desktops. A stray table or archive may be a second version of a file, so it is reported.
_PASSED_OVER = re.compile(r"\..*|.*\.md|md5sums?(\.txt)?|sha256sums?(\.txt)?|__MACOSX|Thumbs\.db|desktop\.ini", re.I)


@dataclass(frozen=True)
class RawRelease:
    """A release as it was read.

    Attributes:
        name: of the release that was found, `sample`, or None if it is unknown.
        images: its images by split of the repository.
        rows: one row per image, with the columns of `rows.ROW_COLUMNS` and `size`, the bytes of the image.
        names: canonical name by CUI, as `cui_mapping.csv` lists them.
        files: by file name, what identifies its content: `{"sha256": ...}` of a table; of images their number, bytes and
            a fingerprint.
    """

    name: str | None
    images: dict[str, Images]
    rows: pd.DataFrame
    names: dict[str, str]
    files: dict[str, dict[str, int | str]]

    def forget_members(self) -> None:
        """Free the offsets of the images once all are read: a quarter of the memory of a release."""
        for images in self.images.values():
            images.members.clear()


def describe_release(raw: RawRelease, folder: Path, shards: int) -> tuple[str, str]:
    """Return the release, its numbers of images and that of the shards to build, as step and text of a line."""
    counts = {split: len(part.members) for split, part in raw.images.items()}
    size = format_size(sum(part.bytes for part in raw.images.values()))
    by_split = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return (
        f"ROCOv2 {raw.name or '(unknown release)'}:",
        f" {format_count(sum(counts.values()), 'image')} ({by_split}), {size} in {folder}/"
        + (f" -> {format_count(shards, 'shard')}" if shards else ""),
    )


def describe_tables(report: Report) -> str:
    """Return whether the files of a release agree, with the number of each warning."""
    if report.problems:
        return f"{format_count(len(report.problems), 'problem')} found."
    notes = ", ".join(describe_count(code, count) for code, count in sorted(report.warnings.items()))
    return f"{len(releases.FILES)} files agree." + (f" Noted: {notes}." if notes else "")


@collector_paused()
def read_release(raw: Path, wanted: str, report: Report) -> RawRelease:
    """Read the release in the folder `raw`.

    Args:
        raw: folder with the release's 14 files; unpacked folders of images may replace the zips.
        wanted: name of the release that it has to be, or `any`.
        report: takes every problem.

    Raises:
        UserError: the folder is missing.
    """
    if raw.exists() and not raw.is_dir():
        raise UserError(f"{raw} is a file: RAW is the folder with the release's {len(releases.FILES)} files")
    if not raw.is_dir():
        raise UserError(
            f"no folder {raw}: RAW is the folder with the release's {len(releases.FILES)} files (train_images.zip, "
            f"train_captions.csv, ...). `rocov2 download {shlex.quote(str(raw))}` downloads them from "
            f"{releases.RELEASES[releases.LATEST].url}"
        )
    found = {split: find_images(raw, raw_split) for split, raw_split in SPLITS.items()}
    _compare_files(raw, found, report)
    images = {
        split: open_images(paths[0], SPLITS[split], report) if paths else Images(raw / "", {}, "", 0)
        for split, paths in found.items()
    }
    tables = read_tables(raw, report)
    find_empty(tables, images, report)
    compare_ids(tables, images, report)
    release = releases.RELEASES.get(wanted)
    if release and not report.faulty_files:
        check_release(tables, release, report)
    rows = join_tables(tables, images, release, report)
    rows["size"] = [
        images[split].members[image_id].size for split, image_id in zip(rows["split"], rows["image_id"], strict=True)
    ]
    files: dict[str, dict[str, int | str]] = {
        name: {"sha256": file_sha256(raw / name)} for name in releases.HEADERS if (raw / name).is_file()
    }
    for split, part in images.items():
        files[releases.images_file(SPLITS[split])] = {
            "images": len(part.members),
            "bytes": part.bytes,
            "fingerprint": part.fingerprint,
        }
    # With a fault of a file, such as other numbers, it may be another release than the one that it has to be.
    name = wanted if release and not report.faulty_files else _identify(images)
    return RawRelease(name, images, rows, tables.names, files)


def _compare_files(raw: Path, images: dict[str, list[Path]], report: Report) -> None:
    present = {path.name for path in raw.iterdir()}
    used = {path.name for paths in images.values() for path in paths}
    for name in releases.HEADERS:
        if not (raw / name).is_file():
            report.add("missing-file", name, expected="a file of the release", found="none")
    for split, paths in images.items():
        if not paths:
            name = releases.images_file(SPLITS[split])
            report.add(
                "missing-file",
                name,
                expected=f"a zip, or a folder {Path(name).stem}/ or {SPLITS[split]}/",
                found="none",
            )
        for path in paths[1:]:
            found = f"{paths[0].name} and {path.name}: move one away"
            report.add("extra-file", path.name, expected=f"one form of the images of {SPLITS[split]}", found=found)
    for name in sorted(present - used - set(releases.HEADERS)):
        if not _PASSED_OVER.fullmatch(name):
            found = "a folder" if name in releases.FILES else "another"
            report.add("extra-file", name, expected=f"the {len(releases.FILES)} files of the release", found=found)


def _identify(images: dict[str, Images]) -> str | None:
    numbers = [releases.image_number(image_id) for part in images.values() for image_id in part.members]
    if not numbers:
        return None
    counts = {split: len(part.members) for split, part in images.items()}
    return releases.identify(counts, min(numbers), max(numbers))
