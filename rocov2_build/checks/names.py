"""Rules of file names: which files exist, and how the shards are numbered."""

from __future__ import annotations

import rocov2
from rocov2_build.card.documents import DOCUMENTS
from rocov2_build.checks.json_files import describe_absence
from rocov2_build.checks.records import Records
from rocov2_build.checks.violations import Check
from rocov2_shared.conversion import NAME

_REQUIRED = (*DOCUMENTS, ".gitattributes", NAME)


def check_names(check: Check) -> None:
    """Check which files exist."""
    for file in check.files:
        if file.endswith(".py"):
            check.add("script", file, expected="no Python file", found="one")
    for name in _REQUIRED:
        if name not in check.files:
            check.add("missing-file", name, expected="the file", found=describe_absence(check.root / name))
    for file in check.files:
        if file.endswith(".parquet") and not rocov2.splits_of(file):
            check.add("stray-file", file, expected="a configuration that it belongs to", found="none")


def check_numbering(check: Check, records: Records) -> None:
    """Check how the shards are numbered, but for splits that lack a recorded file, which is reported itself.

    Args:
        check: collects the violations.
        records: what `conversion.json` records.
    """
    missing = records.files.keys() - set(check.files)
    for split in rocov2.SPLITS:
        shards = find_files(check.files, "default", split)
        numbers = [file.split("-")[1:4] for file in shards]
        wanted = [[f"{i:05d}", "of", f"{len(shards):05d}"] for i in range(len(shards))]
        if numbers != wanted and not find_files(sorted(missing), "default", split):
            found = " ".join("-".join(number) for number in numbers)
            check.add("numbering", f"data/{split}-*", expected=f"{len(shards)} shards, 0 to N-1 of N", found=found)


def find_files(files: list[str], config: str, split: str) -> list[str]:
    """Return the Parquet files of one split of a configuration, in reading order."""
    return [file for file in files if rocov2.CONFIGS[config].split_of(file) == split]
