"""The rule of facts.json: its numbers are those of the files."""

from __future__ import annotations

import json

from rocov2_build.checks.violations import Check
from rocov2_build.facts.compute import compute_row_facts

_FILE = "facts.json"


def check_facts(check: Check, fast: bool) -> None:
    """Hold `facts.json` against the footers, and unless `fast` against the rows; `check.rows` is what the footers count.

    What only the pictures can tell (modes, bytes, duplicates) was found when they were written, and is not computed again.
    """
    facts = check.read_json(_FILE)
    # Of files that break other rules the numbers say nothing, and may not be computable; warnings are no reason.
    places = (_FILE, "text/", "vocabulary/")
    if facts is None or any(violation.blocks and violation.file.startswith(places) for violation in check.violations):
        return
    counted = check.rows.get("text", {})
    stated = facts.get("images")
    if stated != counted:
        check.add("facts", _FILE, expected=f"images {json.dumps(counted)}", found=json.dumps(stated))
        return
    if fast:
        return
    computed = compute_row_facts(check.root)
    stale = [section for section, value in computed.items() if facts.get(section) != value]
    if stale:
        check.add("facts", _FILE, expected="what the rows say", found=f"other numbers in {', '.join(stale)}")
