"""The rule of croissant.json: it lists the Parquet files as they are."""

from __future__ import annotations

from typing import Any

from rocov2_build.checks.json_files import read_object
from rocov2_build.checks.violations import Check

_FILE = "croissant.json"


def check_croissant(check: Check, records: dict[str, dict[str, Any]]) -> None:
    """Compare the files that croissant.json lists with those of the repository and with their records.

    Whether a file has its recorded SHA-256 is left to `check_hash`, which reads the file.

    Args:
        check: collects the violations.
        records: what `conversion.json` records, by file.
    """
    croissant = read_object(check, _FILE)
    if croissant is None:
        return
    parts = croissant.get("distribution")
    listed = {
        str(part.get("contentUrl")): part
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict) and part.get("@type") == "cr:FileObject"
    }
    for file in sorted(listed.keys() | {file for file in check.files if file.endswith(".parquet")}):
        if file not in listed:
            check.add("croissant", file, expected=f"a cr:FileObject in {_FILE}", found="none")
        elif file not in check.files:
            check.add("croissant", file, expected="the file", found=f"only a cr:FileObject in {_FILE}")
        else:
            _check_file(check, file, listed[file], records.get(file, {}).get("sha256"))


def _check_file(check: Check, file: str, listed: dict[str, Any], sha256: str | None) -> None:
    size = f"{(check.root / file).stat().st_size} B"
    if listed.get("contentSize") != size:
        check.add("croissant", file, expected=f"contentSize {size}", found=listed.get("contentSize"))
    if sha256 and listed.get("sha256") != sha256:
        check.add("croissant", file, expected=f"the SHA-256 {sha256}", found=listed.get("sha256"))
