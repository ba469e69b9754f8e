"""What a check knows of a repository and what it found: the rules, their violations."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import rocov2

RULES = {
    "script": "no Python file: datasets refuses, or runs, a script named as its repository",
    "missing-file": "README.md, LICENSE.md, dataset_infos.json and conversion.json are there",
    "stray-file": "every Parquet file belongs to a configuration",
    "numbering": "the shards of a split are numbered 0 to N-1 of N",
    "unreadable": "every Parquet file can be read",
    "changed-file": "every file is what conversion.json says",
    "schema": "all files of a configuration have its schema",
    "features": "the schema's metadata holds the features, lists spelled Sequence",
    "empty": "no file and no row group is empty",
    "row-group-size": "no row group is over 100 MB",
    "image-storage": "image bytes are uncompressed, PLAIN, without dictionary",
    "page-index": "every file has a page index and content-defined chunking",
    "yaml": "the card begins with YAML that can be read",
    "configs": "the card lists the configurations and splits that have files, each with its one pattern",
    "card-features": "dataset_info and dataset_infos.json state the features",
    "counts": "rows in dataset_info, dataset_infos.json and the files are equal",
    "text-order": "text holds the rows of data in the same order",
    "duplicate-id": "no image id stands twice",
    "null": "no value is missing but labels of region and direction, and names of the vocabulary",
    "label": "every label is one of its names",
    "license": "every licence is known, and shards hold the licences of their group",
    "image": "every image opens",
    "image-size": "width and height are those of the image",
}
"""What is checked, by code."""


@dataclass(frozen=True, order=True)
class Violation:
    """One rule broken by one file."""

    rule: str
    file: str
    expected: str
    found: str


@dataclass
class Check:
    """What is known of a repository while it is checked.

    Attributes:
        root: its folder.
        files: all files in it, relative to it.
        violations: found so far.
        rows: number of rows by configuration and split, from the footers.
        stated: what `conversion.json` says of each file.
        verified: whether it says that all images were decoded strictly when the files were written.
    """

    root: Path
    files: list[str]
    violations: list[Violation] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    stated: dict[str, dict[str, Any]] = field(default_factory=dict)
    verified: bool = False

    def read_conversion(self) -> bool:
        """Read what `conversion.json` says; False when there is none."""
        conversion = self.read_json("conversion.json")
        if conversion is None:
            return False
        self.stated = conversion.get("files", {})
        self.verified = conversion.get("plan", {}).get("verify") == "strict"
        return True

    def add(self, rule: str, file: str, *, expected: object, found: object) -> None:
        """Record that `file` breaks `rule`."""
        if rule not in RULES:
            raise KeyError(rule)
        self.violations.append(Violation(rule, file, str(expected), str(found)))

    def matching(self, config: str, split: str) -> list[str]:
        """Files of one split of a configuration, in reading order."""
        pattern = rocov2.CONFIGS[config].pattern.format(split=split)
        return [file for file in self.files if fnmatch(file, pattern)]

    def read_json(self, name: str) -> Any:
        """Content of a JSON file at the top; None when it is not there, or is none."""
        if name not in self.files:
            return None
        try:
            return json.loads((self.root / name).read_text(encoding="utf-8"))
        except ValueError as error:
            self.add("missing-file", name, expected="JSON", found=error)
            return None
