"""The files of a release that a folder has, compared with each other: what can be said of them without the record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rocov2 import SPLITS
from rocov2_build.raw.archives import Images, open_images
from rocov2_build.raw.problems import Report
from rocov2_build.raw.releases import Release, images_file
from rocov2_build.raw.tables import check_release, compare_ids, find_empty, read_tables


def compare_placed(raw: Path, found: Mapping[str, Path], release: Release | None, report: Report) -> None:
    """Read the tables and the directories of the zips, and compare ids and numbers; no image is decoded.

    Args:
        raw: folder with the eleven tables.
        found: by name of a file of the release, what is there for it: from `find_placed`; zips may be missing.
        release: whose numbers the tables must have, None if they are not known.
        report: takes every problem.
    """
    images = {
        split: open_images(found[name], raw_split, report) if name in found else Images(raw / name, {}, "", 0)
        for split, raw_split in SPLITS.items()
        for name in [images_file(raw_split)]
    }
    tables = read_tables(raw, report)
    find_empty(tables, images, report)
    compare_ids(tables, images, report)
    if release and not report.faulty_files:
        check_release(tables, release, report)
