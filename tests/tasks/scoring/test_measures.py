"""The table of measures, walked: every row gives 1 for the references themselves."""

from __future__ import annotations

from typing import Any

import pytest

from rocov2_tasks.scoring.measures import MEASURES, REFERENCE_COLUMNS, Measure, score_predictions
from rocov2_tasks.scoring.submission import SECOND_COLUMN

TEXTS: dict[str, list[Any]] = {
    "image_id": ["a", "b"],
    "caption": ["CT of the chest", "MRI"],
    "cuis": [["C0040405", "C0817096"], ["C0024485"]],
    "manual_cuis": [["C0040405"], ["C0024485"]],
}


@pytest.mark.parametrize("measure", [row for row in MEASURES.values() if not row.optional], ids=lambda row: row.key)
def test_the_references_themselves_score_1(measure: Measure) -> None:
    references = dict(zip(TEXTS["image_id"], TEXTS[measure.column], strict=True))
    assert score_predictions(measure.task, references, TEXTS)[measure.key] == 1


def test_a_task_gets_its_own_measures_in_the_order_of_the_table() -> None:
    assert set(SECOND_COLUMN) == {measure.task for measure in MEASURES.values()}
    for task in SECOND_COLUMN:
        column = "cuis" if task == "concepts" else "caption"
        found = score_predictions(task, dict(zip(TEXTS["image_id"], TEXTS[column], strict=True)), TEXTS)
        assert list(found) == [row.key for row in MEASURES.values() if row.task == task and not row.optional]


def test_the_texts_have_every_column_that_a_measure_needs() -> None:
    assert sorted(REFERENCE_COLUMNS) == sorted(TEXTS)
