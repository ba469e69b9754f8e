"""Which rows meet a filter, as masks over all rows, and how many rows each choice of a field would give."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import rocov2
from rocov2_tasks.explorer.filters import Condition, Filter, conditions_of
from rocov2_tasks.explorer.tables import Tables

Mask = NDArray[np.bool_]

COLUMNS = {
    "splits": "split",
    "modalities": "modality",
    "regions": "region",
    "directions": "direction",
    "licenses": "license",
}
"""Field of a filter with choices -> column that has them."""

_KEPT = 256
"""Conditions whose rows are remembered: a byte for each row of the repository."""


class Counting:
    """The rows of filters; its methods may be called from several threads.

    Args:
        tables: the rows of the repository.
        splits: its splits, in order.
        rows: number of its rows.
        rows_of: returns the rows of a configuration; None for all.
    """

    def __init__(self, tables: Tables, splits: Sequence[str], rows: int, rows_of: Callable[[str], Mask | None]) -> None:
        self._tables = tables
        self._rows = rows
        self._rows_of = rows_of
        self._masks: OrderedDict[tuple[str, tuple[Any, ...]], Mask] = OrderedDict()
        self._lock = threading.Lock()
        self._codes: dict[str, NDArray[np.uint8]] = {}
        self.choices: dict[str, list[str]] = {}
        """By field: its choices that occur. Splits and labels are in their order, licences with the most common first."""
        for field, column in COLUMNS.items():
            self.choices[field] = self._read_choices(column, splits)
        self._concepts: tuple[NDArray[Any], NDArray[Any]] | None = None

    def _read_choices(self, column: str, splits: Sequence[str]) -> list[str]:
        """Return the choices of a column, and keep the number of its choice for each row, counted from 1; 0 for none."""
        if column in rocov2.LABELS:
            values: list[Any] = list(range(len(rocov2.LABELS[column])))
        elif column == "split":
            values = list(splits)
        else:
            found = self._tables.query(f"SELECT {column} FROM images GROUP BY 1 ORDER BY count(*) DESC, 1")
            values = [value for (value,) in found if value in rocov2.LICENSES]
        # A label or licence that is unknown, in a damaged file, is shown with its row, but is not a choice.
        sql = f"SELECT coalesce(list_position(?, {column}), 0)::UTINYINT AS code FROM images ORDER BY number"
        codes: NDArray[np.uint8] = np.asarray(self._tables.arrays(sql, [values])["code"])
        names = list(rocov2.LABELS[column]) if column in rocov2.LABELS else values
        occurs = np.bincount(codes, minlength=len(values) + 1)[1:] > 0
        self._codes[column] = codes
        return [name for name, there in zip(names, occurs, strict=True) if there]

    def mask(self, filter: Filter) -> Mask:
        """Return whether each row meets a filter."""
        found = self._rows_of(filter.config)
        mask = np.ones(self._rows, bool) if found is None else found.copy()
        if filter.splits:
            mask &= self._mask_of(Condition("split", f"split IN ({_marks(filter.splits)})", filter.splits, ""))
        conditions = conditions_of(filter)
        words = [condition for condition in conditions if condition.column == "caption"]
        for condition in [each for each in conditions if each not in words]:
            mask &= self._mask_of(condition)
        if words:
            # In one query: a caption without the first word is not searched for the others.
            sql = " AND ".join(condition.sql for condition in words)
            mask &= self._mask_of(Condition("caption", sql, tuple(v for word in words for v in word.values), ""))
        return mask

    def _mask_of(self, condition: Condition) -> Mask:
        key = condition.sql, condition.values
        with self._lock:
            if key in self._masks:
                self._masks.move_to_end(key)
                return self._masks[key]
        found = self._tables.arrays(f"SELECT number FROM images WHERE {condition.sql}", condition.values)["number"]
        mask = np.zeros(self._rows, bool)
        mask[found] = True
        with self._lock:
            self._masks[key] = mask
            while len(self._masks) > _KEPT:
                self._masks.popitem(last=False)
        return mask

    def numbers(self, filter: Filter) -> NDArray[np.intp]:
        """Return the numbers of the rows of a filter, in order."""
        return np.flatnonzero(self.mask(filter))

    def counts(self, filter: Filter) -> dict[str, dict[str, int]]:
        """Return the number of rows by field and choice: those that the field alone would leave of the other fields' rows."""
        found: dict[str, dict[str, int]] = {}
        for field, column in COLUMNS.items():
            others: Mapping[str, Any] = {field: ()}
            codes = self._codes[column][self.mask(replace(filter, **others))]
            names = list(rocov2.LABELS[column]) if column in rocov2.LABELS else self.choices[field]
            counts = np.bincount(codes, minlength=len(names) + 1)[1:].tolist()
            found[field] = {
                name: count for name, count in zip(names, counts, strict=True) if name in self.choices[field]
            }
        commercial = int(np.count_nonzero(self.mask(replace(filter, commercial=True))))
        return found | {"commercial": {"": commercial}}

    def concept_counts(self, filter: Filter) -> dict[str, int]:
        """Return the number of rows of a filter by CUI."""
        if self._concepts is None:
            cuis = [cui for cui, _, _ in self._tables.concepts]
            found = self._tables.arrays(
                "SELECT number, code FROM (SELECT number, unnest(list_distinct(cuis)) AS cui FROM images) "
                "JOIN (SELECT unnest(?::VARCHAR[]) AS cui, unnest(range(?)) AS code) USING (cui)",
                [cuis, len(cuis)],
            )
            self._concepts = np.asarray(found["number"]), np.asarray(found["code"])
        numbers, codes = self._concepts
        counts = np.bincount(codes[self.mask(filter)[numbers]], minlength=len(self._tables.concepts)).tolist()
        return {cui: count for (cui, _, _), count in zip(self._tables.concepts, counts, strict=True)}


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
