"""The rule of facts.json: its numbers match the files."""

from __future__ import annotations

import rocov2
from rocov2_build.checks.footers import UNREADABLE, Footers
from rocov2_build.checks.json_files import read_json
from rocov2_build.checks.records import Records
from rocov2_build.checks.violations import Check
from rocov2_build.facts.compute import compute_row_facts, measure_files
from rocov2_shared.json_values import ANYTHING, differences

_FILE = "facts.json"


def check_facts(check: Check, footers: Footers, records: Records, fast: bool) -> None:
    """Compare facts.json with the footers, the records and the rows.

    The numbers of duplicates, which need the images, are not computed again.

    Args:
        check: collects the violations. While a file of a configuration breaks an error rule, its numbers mean nothing.
        footers: what the footers of the Parquet files contain.
        records: what `conversion.json` records.
        fast: do not read the rows.
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
        expected = compute_row_facts(check.root) | expected if not fast else expected
    except UNREADABLE as error:
        check.add("facts", _FILE, expected="rows that can be counted", found=error)
        return
    found = {key: value for key, value in facts.items() if key in expected} if fast else facts
    check.add_faults("facts", _FILE, differences(expected, found))
