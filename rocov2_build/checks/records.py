"""Rules of conversion.json: the files are those that it records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rocov2_build.checks.json_files import as_object, read_object
from rocov2_build.checks.violations import Check
from rocov2_build.worker.verification import Verification
from rocov2_shared.conversion import NAME
from rocov2_shared.files import file_sha256


@dataclass(frozen=True)
class Records:
    """What `conversion.json` records; nothing if the file is missing or damaged.

    Attributes:
        files: size, hashes and row groups by file.
        image_modes: number of images by Pillow mode.
        is_verified: whether all images were strictly decoded when the files were written.
        release: name of the release, unless it is unknown.
        is_whole: whether every image of the release is in the repository.
        warnings: number of cases in the release by code.
    """

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    image_modes: dict[str, int] = field(default_factory=dict)
    is_verified: bool = False
    release: object = None
    is_whole: bool = False
    warnings: dict[str, Any] = field(default_factory=dict)


def check_records(check: Check, layouts: dict[str, dict[str, Any]]) -> Records:
    """Read `conversion.json`, and compare names, sizes and row groups of all files with it.

    Args:
        check: collects the violations.
        layouts: row groups of each readable Parquet file, from its footer.

    Returns:
        What `conversion.json` records.
    """
    conversion = read_object(check, NAME)
    if conversion is None:
        return Records()
    records = Records(
        {file: as_object(record) for file, record in as_object(conversion.get("files")).items()},
        as_object(conversion.get("image_modes")),
        as_object(conversion.get("plan")).get("verify") == Verification.STRICT,
        conversion.get("release"),
        conversion.get("part", "") is None and conversion.get("left_out") == [],
        as_object(conversion.get("warnings")),
    )
    for file in sorted(records.files.keys() | {file for file in check.files if file.endswith(".parquet")}):
        if file not in check.files:
            check.add("changed-file", file, expected="the file", found="none")
        elif file not in records.files:
            check.add("changed-file", file, expected=f"an entry in {NAME}", found="none")
        else:
            recorded, found = records.files[file].get("bytes"), (check.root / file).stat().st_size
            if recorded != found:
                check.add("changed-file", file, expected=f"{recorded} bytes", found=found)
            elif any(records.files[file].get(key) != value for key, value in layouts.get(file, {}).items()):
                check.add("row-groups", file, expected="those of the footer", found=f"others in {NAME}")
    return records


def check_hash(check: Check, file: str, recorded: dict[str, Any]) -> None:
    """Compare the SHA-256 of a file with the recorded one; a file of another size is reported by `check_records`."""
    path, sha256 = check.root / file, recorded.get("sha256")
    if path.stat().st_size == recorded.get("bytes") and file_sha256(path) != sha256:
        check.add("changed-file", file, expected=f"SHA-256 {sha256}", found="another")
