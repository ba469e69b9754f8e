"""Violations of the rules: how they are collected, and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rocov2_build.checks.rules import ERROR, RULES, WARNING
from rocov2_shared.json_values import Fault
from rocov2_shared.printable import printable
from rocov2_shared.sizes import format_count

MAX_FAULTS = 5
"""Values of one file that are reported for one rule: the others are counted."""

_RANKS = {code: rank for rank, code in enumerate(RULES)}


@dataclass(frozen=True)
class Violation:
    """One rule broken by one file, or by the value at `key` in it."""

    rule: str
    file: str
    expected: str
    found: str
    key: str = ""

    @property
    def rank(self) -> tuple[bool, int, str]:
        """What violations are sorted by: errors first, causes before what follows from them, then by file."""
        return not self.blocks, _RANKS[self.rule], self.file

    @property
    def severity(self) -> str:
        """Severity of the rule: `error` or `warning`."""
        return RULES[self.rule].severity

    @property
    def affects(self) -> str:
        """Affected feature of the rule."""
        return RULES[self.rule].affects

    @property
    def blocks(self) -> bool:
        """Whether it prevents the repository from being published."""
        return self.severity == ERROR


@dataclass
class Check:
    """One check of a repository, which collects the violations of all steps.

    Attributes:
        root: folder of the repository.
        files: all its files, relative to `root`, sorted.
        violations: those found so far.
    """

    root: Path
    files: list[str]
    violations: list[Violation] = field(default_factory=list)

    def add(self, rule: str, file: str, *, expected: object, found: object, key: str = "") -> None:
        """Record that `file` breaks `rule`, by the value at `key`."""
        if rule not in RULES:
            raise KeyError(rule)
        self.violations.append(Violation(rule, file, str(expected), str(found), key))

    def add_faults(self, rule: str, file: str, faults: Iterable[Fault]) -> None:
        """Record the values of `file` that break `rule`."""
        listed = list(faults)
        more = len(listed) - MAX_FAULTS
        for number, fault in enumerate(listed[:MAX_FAULTS], 1):
            others = f" (and {more:,} more)" if number == MAX_FAULTS and more > 0 else ""
            self.add(rule, file, expected=fault.expected, found=fault.found + others, key=fault.key)

    def broken(self) -> set[str]:
        """Return the files that break an error rule so far."""
        return {violation.file for violation in blocking(self.violations)}


def blocking(violations: Iterable[Violation]) -> list[Violation]:
    """Return the violations that prevent a repository from being published."""
    return [violation for violation in violations if violation.blocks]


def describe_violation(violation: Violation) -> str:
    """Return one line: severity, rule, affected feature, file, key, and what was expected and found."""
    where = ": ".join(filter(None, [violation.file, violation.key]))
    return printable(
        f"{violation.severity}: {violation.rule} ({violation.affects}): {where}: "
        f"expected {violation.expected}, found {violation.found}"
    )


def describe_violations(violations: Iterable[Violation]) -> list[str]:
    """Return a line for each violation, and behind those of one rule what to do."""
    lines = []
    for rule, broken in groupby(violations, key=lambda violation: violation.rule):
        lines += [*map(describe_violation, broken), f"  What to do: {RULES[rule].remedy}."]
    return lines


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
