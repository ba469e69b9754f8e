"""The rule of facts.json: its numbers match the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

import rocov2
from rocov2_build.checks.footers import UNREADABLE, Footers
from rocov2_build.checks.json_files import read_json
from rocov2_build.checks.records import Records
from rocov2_build.checks.violations import Check
from rocov2_build.facts.columns import Columns
from rocov2_build.facts.compute import compute_row_facts, measure_files
from rocov2_build.facts.hash_pairs import BITS, THRESHOLD
from rocov2_build.facts.overlaps import find_duplicates, pair_name
from rocov2_build.worker.task import IMAGE_DIGITS, FileFacts
from rocov2_shared.ids import image_id_pattern
from rocov2_shared.json_values import ANYTHING, differences
from rocov2_shared.shapes import Shape, choice, each, nullable, record, text, whole

_FILE = "facts.json"


def check_facts(check: Check, footers: Footers, records: Records, images: Mapping[str, list[str]] | None) -> None:
    """Compare facts.json with the footers, the records and the rows.

    Images that look alike, which need all images decoded, are not searched again: only the form of their numbers is checked.

    Args:
        check: collects the violations. While a file of a configuration breaks an error rule, its numbers mean nothing.
        footers: what the footers of the Parquet files contain.
        records: what `conversion.json` records.
        images: SHA-256 of every image by file; None if the rows were not read.
    """
    facts = read_json(check, _FILE)
    # The violation of an image or a row names its file before the id.
    if facts is None or any(file.partition("/")[0] in rocov2.FOLDERS for file in check.broken()):
        return
    sizes = {file: (check.root / file).stat().st_size for file in footers.sizes}
    rows = {
        split: footers.sizes[file].rows for file in sizes for split in [rocov2.CONFIGS["text"].split_of(file)] if split
    }
    expected = {
        "images": rows,
        "modes": records.image_modes if records.content else ANYTHING,
        "bytes": measure_files(sizes),
        "duplicates": ANYTHING,
    }
    try:
        if images is not None:
            exact = find_duplicates(Columns.open(check.root), list(_contents(footers, images)))["exact"]
            expected = compute_row_facts(check.root) | expected | {"duplicates": {"exact": exact, "near": ANYTHING}}
    except UNREADABLE as error:
        check.add("facts", _FILE, expected="rows that can be counted", found=error)
        return
    found = {key: value for key, value in facts.items() if key in expected} if images is None else facts
    faults = [*differences(expected, found)]
    if "duplicates" in facts and not any(fault.key.startswith("duplicates") for fault in faults):
        faults += _duplicates(rows, records.is_verified)(facts["duplicates"], "duplicates")
    check.add_faults("facts", _FILE, faults)


def _contents(footers: Footers, images: Mapping[str, list[str]]) -> Iterator[FileFacts]:
    for file, digests in images.items():
        hashes = "".join(digest[:IMAGE_DIGITS] for digest in digests)
        yield FileFacts(file, footers.sizes[file].rows, 0, "", 0, "", images=hashes)


def _duplicates(rows: Mapping[str, int], is_verified: bool) -> Shape:
    """Return the shape of the numbers of images that look alike, for these numbers of rows by split."""
    images = {split: whole(most=count) for split, count in rows.items()}
    all_images = whole(most=sum(rows.values()))
    pairs = {
        pair_name(one, other): record(images=record((), **{one: images[one], other: images[other]}), pairs=whole())
        for one, other in combinations(rows, 2)
    }
    near = record(
        bits=choice([BITS]),
        distance=choice([THRESHOLD]),
        flat=all_images,
        groups=all_images,
        images=all_images,
        within=record((), **{split: record(images=count, pairs=whole()) for split, count in images.items()}),
        across=record((), **pairs),
        listed=each(each(text(image_id_pattern(*rocov2.SPLITS.values()).pattern, "an image id"))),
    )
    return record(near=near if is_verified else nullable(near))
