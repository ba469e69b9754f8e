"""The rule of croissant.json: it lists the files that are there."""

from __future__ import annotations

from typing import Any

from rocov2_build.checks.violations import Check

NAME = "croissant.json"


def check_croissant(check: Check) -> None:
    """Hold the files that croissant.json lists against those of the repository, and of `conversion.json`.

    That a file has the SHA-256 that `conversion.json` states is checked by reading it, see `check_hash`.
    """
    described = check.read_json(NAME)
    if described is None:
        return
    parts = described.get("distribution")
    listed = {
        str(part.get("contentUrl")): part
        for part in (parts if isinstance(parts, list) else [])
        if isinstance(part, dict) and part.get("@type") == "cr:FileObject"
    }
    for file in sorted(listed.keys() | {file for file in check.files if file.endswith(".parquet")}):
        if file not in listed:
            check.add("croissant", file, expected=f"a cr:FileObject in {NAME}", found="none")
        elif file not in check.files:
            check.add("croissant", file, expected="the file", found=f"a cr:FileObject in {NAME} alone")
        else:
            _check_file(check, file, listed[file])


def _check_file(check: Check, file: str, listed: dict[str, Any]) -> None:
    size = f"{(check.root / file).stat().st_size} B"
    if listed.get("contentSize") != size:
        check.add("croissant", file, expected=f"contentSize {size}", found=listed.get("contentSize"))
    sha256 = check.stated.get(file, {}).get("sha256")
    if sha256 and listed.get("sha256") != sha256:
        check.add("croissant", file, expected=f"the SHA-256 {sha256}", found=listed.get("sha256"))
