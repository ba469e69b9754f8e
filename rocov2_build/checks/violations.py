"""Violations of the rules: how they are collected, and their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

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

    def add(self, rule: str, file: str, *, expected: object, found: object) -> None:
        """Record that `file` breaks `rule`."""
        if rule not in RULES:
            raise KeyError(rule)
        self.violations.append(Violation(rule, file, str(expected), str(found)))


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
