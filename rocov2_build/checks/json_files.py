"""JSON files of a repository, read so that a wrong form counts as missing content."""

from __future__ import annotations

import json
from typing import Any

from rocov2_build.checks.violations import Check


def read_object(check: Check, name: str) -> dict[str, Any] | None:
    """Return the JSON object in the file `name`: empty for another JSON value, None for a missing or damaged file."""
    if name not in check.files:
        return None
    try:
        return as_object(json.loads((check.root / name).read_text(encoding="utf-8")))
    except ValueError as error:
        check.add("missing-file", name, expected="JSON", found=error)
        return None


def as_object(value: Any) -> dict[str, Any]:
    """Return a JSON object, or an empty one in place of any other value: its content is then reported as missing."""
    return value if isinstance(value, dict) else {}
