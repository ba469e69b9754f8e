"""What a check knows of a repository, and what it found."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import rocov2
from rocov2_build.checks.rules import ERROR, RULES, WARNING
from rocov2_shared.sizes import format_count


@dataclass(frozen=True, order=True)
class Violation:
    """One rule broken by one file."""

    rule: str
    file: str
    expected: str
    found: str

    @property
    def severity(self) -> str:
        """`error` or `warning`, of the rule."""
        return RULES[self.rule].severity

    @property
    def affects(self) -> str:
        """Affected feature of the rule."""
        return RULES[self.rule].affects

    @property
    def blocks(self) -> bool:
        """Whether a repository with it is not to be published."""
        return self.severity == ERROR


@dataclass
class Check:
    """What is known of a repository while it is checked.

    Attributes:
        root: its folder.
        files: all files in it, relative to it.
        violations: found so far.
        rows: number of rows by configuration and split, from the footers.
        uncompressed: bytes before compression, likewise.
        layouts: where the rows lie in each Parquet file, from its footer.
        stated: what `conversion.json` says of each file.
        modes: number of images by Pillow mode that it states.
        verified: whether it says that all images were decoded strictly when the files were written.
    """

    root: Path
    files: list[str]
    violations: list[Violation] = field(default_factory=list)
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    uncompressed: dict[str, dict[str, int]] = field(default_factory=dict)
    layouts: dict[str, dict[str, Any]] = field(default_factory=dict)
    stated: dict[str, dict[str, Any]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    verified: bool = False

    def read_conversion(self) -> bool:
        """Read what `conversion.json` says; False when there is none."""
        conversion = self.read_json("conversion.json")
        if conversion is None:
            return False
        self.stated = object_of(conversion.get("files"))
        self.modes = object_of(conversion.get("image_modes"))
        self.verified = object_of(conversion.get("plan")).get("verify") == "strict"
        return True

    def add(self, rule: str, file: str, *, expected: object, found: object) -> None:
        """Record that `file` breaks `rule`."""
        if rule not in RULES:
            raise KeyError(rule)
        self.violations.append(Violation(rule, file, str(expected), str(found)))

    def matching(self, config: str, split: str) -> list[str]:
        """Parquet files of one split of a configuration, in reading order."""
        pattern = rocov2.CONFIGS[config].pattern.format(split=split)
        return [file for file in self.files if fnmatch(file, pattern) and file.endswith(".parquet")]

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Content of a JSON file at the top, empty when that is no object; None when it is not there, or is no JSON."""
        if name not in self.files:
            return None
        try:
            return object_of(json.loads((self.root / name).read_text(encoding="utf-8")))
        except ValueError as error:
            self.add("missing-file", name, expected="JSON", found=error)
            return None


def blocking(violations: Iterable[Violation]) -> list[Violation]:
    """Return the violations that prevent a repository from being published."""
    return [violation for violation in violations if violation.blocks]


def describe_violation(violation: Violation) -> str:
    """Return one line: severity, rule, affected feature, file, and what was expected and found."""
    return (
        f"{violation.severity}: {violation.rule} ({violation.affects}): {violation.file}: "
        f"expected {violation.expected}, found {violation.found}"
    )


def describe_result(root: Path, violations: list[Violation], fast: bool = False) -> str:
    """Return the last line of a check: how many rules the repository breaks, or that it passes all.

    Args:
        root: folder of the repository.
        violations: all that were found.
        fast: whether the rows were not read.
    """
    errors = blocking(violations)
    if errors:
        broken = len({violation.rule for violation in errors})
        return (
            f"{root} breaks {broken} of {format_count(len(RULES), 'rule')} ({format_count(len(errors), 'violation')})"
        )
    warnings = f" ({format_count(len(violations), WARNING)})" if violations else ""
    if fast:
        return f"{root} passes all rules about names, sizes, footers and the card{warnings}; its rows were not read."
    return f"{root} passes all {format_count(len(RULES), 'rule')}{warnings}."


def object_of(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else, so that what it should state is told as missing."""
    return value if isinstance(value, dict) else {}
