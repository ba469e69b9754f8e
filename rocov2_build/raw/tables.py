"""Read the release's CSV files, and compare them with each other, the archives and the published numbers.

Values stay as released: captions are not stripped, lists keep their order, "NA" is text and not a missing value.
"""

from __future__ import annotations

import csv
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rocov2 import SPLITS
from rocov2_build.raw import releases
from rocov2_build.raw.archives import Images
from rocov2_build.raw.problems import Report
from rocov2_shared.ids import image_id_pattern, is_cui


@dataclass(frozen=True)
class SplitTables:
    """The three tables of one split: value by image id, in the order of the release."""

    captions: dict[str, str]
    concepts: dict[str, list[str]]
    manual: dict[str, list[str]]

    def by_file(self, raw_split: str) -> dict[str, dict[str, str] | dict[str, list[str]]]:
        """The tables by the name of their file."""
        return {
            releases.captions_file(raw_split): self.captions,
            releases.concepts_file(raw_split): self.concepts,
            releases.concepts_file(raw_split, manual=True): self.manual,
        }


class Source(NamedTuple):
    """A row of `license_information.csv`."""

    pmcid: str
    attribution: str
    url: str


@dataclass(frozen=True)
class Tables:
    """All tables of a release; `splits` by split of the repository, `names` by CUI."""

    splits: dict[str, SplitTables]
    sources: dict[str, Source]
    names: dict[str, str]


def read_tables(raw: Path, report: Report) -> Tables:
    """Read the eleven tables of the release in the folder `raw`; faults go to the report."""
    splits = {}
    for split, raw_split in SPLITS.items():
        ids = image_id_pattern(raw_split)
        captions = dict(_read_by_id(raw, releases.captions_file(raw_split), ids, report))
        concepts = {
            i: _split_codes(text) for i, text in _read_by_id(raw, releases.concepts_file(raw_split), ids, report)
        }
        split_manual = cache(_split_codes)  # there are few different ones, so most rows share a list
        manual_file = releases.concepts_file(raw_split, manual=True)
        manual = {i: split_manual(text) for i, text in _read_by_id(raw, manual_file, ids, report)}
        splits[split] = SplitTables(captions, concepts, manual)
    anywhere = image_id_pattern(*SPLITS.values())
    sources = {
        image_id: Source(*values) for image_id, *values in _read_by_id(raw, releases.LICENSE_FILE, anywhere, report)
    }
    return Tables(splits, sources, read_mapping(raw, report))


def read_csv(path: Path, report: Report) -> Iterator[list[str]]:
    """Rows of a table of the release below its header, each with as many fields as the header; faults go to the report.

    Line breaks inside quotes survive; both CRLF and LF end a row; a byte order mark is passed over.
    """
    header = releases.HEADERS[path.name]
    if not path.is_file():  # reported by the search for the release's files
        return
    fault = _find_fault(path)
    if fault:
        report.add("bad-csv", path.name, expected=fault[0], found=fault[1])
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            first = next(reader, [])
            if tuple(first) != header:
                report.add("bad-header", path.name, expected=",".join(header), found=",".join(first) or "an empty file")
                return
            for row in reader:
                if len(row) == len(header):
                    yield row
                    continue
                found = f"{len(row)} in line {reader.line_num:,}"
                report.add("bad-csv", path.name, expected=f"{len(header)} fields", found=found)
        except csv.Error as error:
            report.add("bad-csv", path.name, expected="CSV", found=f"{error} in line {reader.line_num:,}")


def _find_fault(path: Path) -> tuple[str, str] | None:
    """Return what was expected and what was found in a file that is not text, None for text."""
    try:
        with path.open(encoding="utf-8", newline="") as file:  # in parts: it may be large
            if not any("\0" in part for part in iter(lambda: file.read(1 << 20), "")):
                return None
    except UnicodeDecodeError:
        pass
    content = path.read_bytes()
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return "UTF-8", f"byte {content[error.start]:#04x} at {error.start:,}"
    return "text", f"a NUL character in line {content.count(bytes([10]), 0, content.index(0)) + 1:,}"


def read_mapping(raw: Path, report: Report) -> dict[str, str]:
    """Return the canonical names by CUI, in the order of `cui_mapping.csv`."""
    names: dict[str, str] = {}
    for cui, name in read_csv(raw / releases.MAPPING_FILE, report):
        if not is_cui(cui) or not name.strip():
            report.add("bad-mapping", releases.MAPPING_FILE, cui, expected="a CUI and its name", found=f"{cui},{name}")
        elif cui in names:
            report.add("bad-mapping", releases.MAPPING_FILE, cui, expected="one name", found="the CUI twice")
        else:
            names[cui] = name
    return names


def _read_by_id(raw: Path, file: str, ids: re.Pattern[str], report: Report) -> Iterator[list[str]]:
    """Yield the rows of a table that begin with a valid id, once for each id."""
    anywhere = image_id_pattern(*SPLITS.values())
    found: set[str] = set()
    for row in read_csv(raw / file, report):
        image_id = row[0] = sys.intern(row[0])  # each is in five files
        if image_id in found:
            report.add("duplicate-id", file, image_id, expected="one row", found="several")
        elif ids.fullmatch(image_id):
            found.add(image_id)
            yield row
        elif anywhere.fullmatch(image_id):
            report.add("id-in-two-splits", file, image_id, expected="ids of this split", found="an id of another split")
        else:
            report.add("bad-id", file, image_id, expected="ROCOv2_2023_<split>_<six digits>", found=repr(image_id))


def _split_codes(text: str) -> list[str]:
    return [sys.intern(code) for code in text.split(";")] if text else []


def compare_ids(tables: Tables, images: dict[str, Images], report: Report) -> None:
    """Find ids that are not in every table, images without ids and ids without images.

    A split is skipped if its archive or one of its tables is empty or could not be read: that is reported already, and each
    of its images would be reported again.
    """
    known: set[str] = set()
    for split, raw_split in SPLITS.items():
        by_file = tables.splits[split].by_file(raw_split)
        archive = images[split]
        known.update(i for table in by_file.values() for i in table)
        if not archive.members or not all(by_file.values()) or not tables.sources:
            known.update(filter(image_id_pattern(raw_split).fullmatch, tables.sources))
            continue
        listed = dict.fromkeys(i for table in by_file.values() for i in table)
        for image_id in listed:
            for file, table in by_file.items():
                if image_id not in table:
                    report.add("missing-row", file, image_id, expected="a row", found="none")
            if image_id not in archive.members:
                expected = f"{raw_split}/{image_id}.jpg"
                report.add("id-without-image", archive.path.name, image_id, expected=expected, found="no such image")
            if image_id not in tables.sources:
                report.add("missing-license", releases.LICENSE_FILE, image_id, expected="a row", found="none")
        for image_id in archive.members:
            if image_id not in listed:
                expected = f"a row in {releases.captions_file(raw_split)}"
                report.add("image-without-id", archive.path.name, image_id, expected=expected, found="none")
    for image_id in tables.sources:
        if image_id not in known:
            report.add(
                "id-without-image", releases.LICENSE_FILE, image_id, expected="ids of images", found="no such image"
            )


def find_empty(tables: Tables, images: dict[str, Images], report: Report) -> None:
    """Find archives without images and tables without rows, while other files of the split have some."""
    reported = {problem.file for problem in report.problems}
    has_rows = False
    for split, raw_split in SPLITS.items():
        by_file, archive = tables.splits[split].by_file(raw_split), images[split]
        if not archive.members and not any(by_file.values()):
            continue
        has_rows = True
        if not archive.members and archive.is_open:
            report.add("missing-file", archive.path.name, expected=f"images of {raw_split}", found="none")
        for file in (file for file, table in by_file.items() if not table and file not in reported):
            report.add("bad-csv", file, expected="a row for each image", found="only the header")
    if has_rows and not tables.sources and releases.LICENSE_FILE not in reported:
        report.add("bad-csv", releases.LICENSE_FILE, expected="a row for each image", found="only the header")


def check_release(tables: Tables, release: releases.Release, report: Report) -> None:
    """Compare the tables with the published numbers of a release; each difference goes to the report."""

    def compare(file: str, what: str, expected: int | None, found: int) -> None:
        if expected is not None and expected != found:
            report.add(
                "wrong-count", file, expected=f"{expected:,} {what} in release {release.name}", found=f"{found:,}"
            )

    for split, raw_split in SPLITS.items():
        for file, table in tables.splits[split].by_file(raw_split).items():
            compare(file, "images", release.images[split], len(table))
        highest = max((releases.image_number(i) for i in tables.splits[split].captions), default=0)
        compare(releases.captions_file(raw_split), "as the highest id", release.highest[split], highest)
        if release.concepts:
            found = sum(map(len, tables.splits[split].concepts.values()))
            compare(releases.concepts_file(raw_split), "concepts", release.concepts[split], found)
    if release.train_manual:
        manual = tables.splits["train"].manual.values()
        counts = Counter(code for codes in manual for code in codes)
        counts[""] = sum(not codes for codes in manual)
        file = releases.concepts_file(SPLITS["train"], manual=True)
        for code, expected in release.train_manual.items():
            compare(file, f"images with {code}" if code else "empty lists", expected, counts[code])
