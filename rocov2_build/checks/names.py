"""Rules of file names: which files exist, and how the shards are numbered."""

from __future__ import annotations

import itertools

import datasets

import rocov2
from rocov2_build.checks.json_files import describe_absence
from rocov2_build.checks.records import Records
from rocov2_build.checks.violations import Check
from rocov2_shared.conversion import DOCUMENTS, NAME

_REQUIRED = (*DOCUMENTS, ".gitattributes", NAME)

_OVER_CARD = datasets.config.REPOYAML_FILENAME
"""A file whose YAML every version of `datasets` puts over that of the card."""

_SAVED = datasets.config.DATASET_STATE_JSON_FILENAME
"""A file by which every version of `load_dataset` takes a folder for one of `save_to_disk`, and refuses it."""


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
    if (check.root / _OVER_CARD).exists():
        check.add("stray-file", _OVER_CARD, expected="no YAML but that of README.md", found="a file that replaces it")
    if (check.root / _SAVED).exists():
        check.add(
            "stray-file", _SAVED, expected="no sign of `save_to_disk`", found="a file at which load_dataset stops"
        )


def check_numbering(check: Check, records: Records) -> None:
    """Check how the shards are numbered, but for splits that lack a recorded file or have another: that is reported itself.

    Args:
        check: collects the violations.
        records: what `conversion.json` records.
    """
    changed = records.files.keys() ^ set(check.files) if records.content else set()
    for config, split in itertools.product(("default", "small"), rocov2.SPLITS):
        shards = find_files(check.files, config, split)
        numbers = [file.split("-")[1:4] for file in shards]
        wanted = [[f"{i:05d}", "of", f"{len(shards):05d}"] for i in range(len(shards))]
        if numbers != wanted and not find_files(sorted(changed), config, split):
            found = " ".join("-".join(number) for number in numbers)
            where = rocov2.CONFIGS[config].files(split)
            check.add("numbering", where, expected=f"{len(shards)} shards, 0 to N-1 of N", found=found)


def check_links(check: Check, records: Records) -> None:
    """Check that no Parquet file is a link to a missing file; recorded files are left to `compare_files`.

    Args:
        check: collects the violations.
        records: what `conversion.json` records.
    """
    for path in sorted(check.root.rglob("*.parquet")):
        file = path.relative_to(check.root).as_posix()
        if path.is_symlink() and not path.exists() and file not in records.files:
            check.add("stray-file", file, expected="a file", found=describe_absence(path))


def find_files(files: list[str], config: str, split: str) -> list[str]:
    """Return the Parquet files of one split of a configuration, in reading order."""
    return [file for file in files if rocov2.CONFIGS[config].split_of(file) == split]
