"""The rule of facts.json: its numbers match the files."""

from __future__ import annotations

import json
from collections.abc import Iterable

import rocov2
from rocov2_build.checks.json_files import read_object
from rocov2_build.checks.violations import Check
from rocov2_build.facts.compute import compute_row_facts

_FILE = "facts.json"


def check_facts(check: Check, rows: dict[str, int], broken: Iterable[str], fast: bool) -> None:
    """Compare facts.json with the footers and the rows.

    Numbers that depend on the images (modes, bytes, duplicates) are not computed again.

    Args:
        check: collects the violations.
        rows: number of rows of `text` by split, from the footers.
        broken: files that break an error rule: the numbers of such a file mean nothing and may not be computable.
        fast: compare with the footers alone.
    """
    facts = read_object(check, _FILE)
    if facts is None or any(file == _FILE or file.partition("/")[0] in rocov2.FOLDERS for file in broken):
        return
    images = facts.get("images")
    if images != rows:
        check.add("facts", _FILE, expected=f"images {json.dumps(rows)}", found=json.dumps(images))
        return
    if fast:
        return
    computed = compute_row_facts(check.root)
    stale = [section for section, value in computed.items() if facts.get(section) != value]
    if stale:
        check.add("facts", _FILE, expected="the numbers of the rows", found=f"other numbers in {', '.join(stale)}")
