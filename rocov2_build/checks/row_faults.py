"""Rows that break rules: each file reports one violation per rule and column, with the id of the first such row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from rocov2_build.checks.violations import Check
from rocov2_shared.sizes import format_count

_LONGEST = 80
"""Characters of a value that a message shows."""

Describe = Callable[[int], tuple[str, str]]
"""What was expected and what was found in the row of this number in its table."""


def show_value(value: object) -> str:
    """Return a value of a row for a message: as Python writes it, on one line, and cut if it is long."""
    text = repr(value[: _LONGEST + 2] if isinstance(value, str | bytes | list) else value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def name_rows(first: str, count: int) -> str:
    """Return the id of the first of `count` rows, and how many others there are."""
    return first if count == 1 else f"{first} and {format_count(count - 1, 'other row')}"


@dataclass
class _Fault:
    expected: str
    found: str
    first: str
    count: int = 0


class RowFaults:
    """The rows of one file that break rules.

    Args:
        check: takes the violations.
        file: the file.
    """

    def __init__(self, check: Check, file: str) -> None:
        self._check, self._file = check, file
        self._faults: dict[tuple[str, str], _Fault] = {}
        self._before = 0
        self._ids: pa.ChunkedArray | None = None

    def begin(self, table: pa.Table, key: str) -> None:
        """Begin with the next rows of the file, which `key` names."""
        self._before += len(self._ids) if self._ids is not None else 0
        self._ids = table[key]

    def add(self, rule: str, column: str, wrong: pa.Array | pa.ChunkedArray, describe: Describe) -> None:
        """Record the rows for which `wrong` is true (null is not)."""
        rows = pc.indices_nonzero(pc.fill_null(wrong, False))
        if len(rows):
            first = rows[0].as_py()
            if (rule, column) not in self._faults:
                self._faults[rule, column] = _Fault(*describe(first), self._name(first))
            self._faults[rule, column].count += len(rows)

    def _name(self, row: int) -> str:
        found = self._ids[row].as_py() if self._ids is not None else None
        return f"row {self._before + row:,}" if found is None else str(found)

    def report(self) -> None:
        """Report every violation."""
        for (rule, _), fault in self._faults.items():
            found = f"{fault.found} in {name_rows(fault.first, fault.count)}"
            self._check.add(rule, self._file, expected=fault.expected, found=found)
