"""The values that a shape needs from a batch of rows; a missing or unknown one is named by its image id.

The columns of a repository that `rocov2 check` accepts have all of them. A dataset that was mapped or joined may not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rocov2 import COLUMNS, LABELS
from rocov2_tasks.shaping.mapping import ID, Batch

_CHECK = "or check the repository with `rocov2 check`"
_REMEDY = f"leave that row out (rocov2_tasks.subsets.drop_images), {_CHECK}"
_REMEDY_WITHOUT_ID = f"leave that row out, {_CHECK}"  # drop_images chooses rows by their ids


def row_names(batch: Batch, values: Sequence[Any]) -> list[str]:
    """Return what messages call the rows: the image ids, or what the rows contain where there is no id."""
    ids = batch.get(ID) or [None] * len(values)
    return [id or f"a row without image_id ({value!r:.60})" for id, value in zip(ids, values, strict=True)]


def read_texts(batch: Batch, column: str) -> list[str]:
    """Return the texts of a column.

    Raises:
        ValueError: one is null.
    """
    return _require(batch, column, lambda text: None if isinstance(text, str) else "null")


def read_lists(batch: Batch, column: str) -> list[list[str]]:
    """Return the lists of texts of a column.

    Raises:
        ValueError: one is null, or contains null.
    """
    return _require(batch, column, _fault_of_list)


def read_labels(batch: Batch, column: str) -> list[int | None]:
    """Return the labels of a column of `LABELS`; None only in one that may have none.

    Raises:
        ValueError: one is null in a column that has a label in every row, or is not the number of a label.
    """
    known, nullable = range(len(LABELS[column])), COLUMNS[column].nullable

    def fault(label: Any) -> str | None:
        if label is None:
            return None if nullable else "null"
        return None if label in known else f"{label}, expected 0 to {known[-1]}"

    return _require(batch, column, fault)


def _fault_of_list(values: Any) -> str | None:
    return "null" if values is None else "a list with null" if None in values else None


def _require(batch: Batch, column: str, fault: Callable[[Any], str | None]) -> list[Any]:
    values = batch[column]
    for number, value in enumerate(values):
        found = fault(value)
        if found:
            remedy = _REMEDY if (batch.get(ID) or values)[number] and ID in batch else _REMEDY_WITHOUT_ID
            raise ValueError(f"{row_names(batch, values)[number]}: {column} is {found}: {remedy}")
    return values
