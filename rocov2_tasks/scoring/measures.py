"""The table of measures that `rocov2_tasks.score` and `rocov2_tasks.baseline` compute and print."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from rocov2_shared.errors import UserError
from rocov2_tasks.metrics import SECONDARY_CUIS, bertscore, concept_f1, concept_f1_secondary, rouge1


def _is_always_defined(references: Iterable[Any]) -> bool:
    return True


def _have_secondary_concepts(references: Iterable[Any]) -> bool:
    return any(SECONDARY_CUIS.intersection(codes) for codes in references)


@dataclass(frozen=True)
class Measure:
    """A measure: a row of `MEASURES`.

    Attributes:
        key: its key in JSON.
        name: its name in tables.
        task: `concepts` or `captions`: what the predictions are.
        column: the references' column.
        compute: takes predictions and references by image id, returns the score.
        is_defined: whether any of the references counts; if none does, the score is None.
        optional: computed only on request, since it needs an extra of the project.
    """

    key: str
    name: str
    task: str
    column: str
    compute: Callable[[dict[str, Any], dict[str, Any]], float]
    is_defined: Callable[[Iterable[Any]], bool] = _is_always_defined
    optional: bool = False


MEASURES = {
    measure.key: measure
    for measure in (
        Measure("concept_f1", "concept F1", "concepts", "cuis", concept_f1),
        Measure(
            "concept_f1_secondary",
            "secondary F1",
            "concepts",
            "manual_cuis",
            concept_f1_secondary,
            is_defined=_have_secondary_concepts,
        ),
        Measure("rouge1", "ROUGE-1", "captions", "caption", rouge1),
        Measure("bertscore", "BERTScore", "captions", "caption", bertscore, optional=True),
    )
}
"""Measures by key, in the order in which they are printed."""

REFERENCE_COLUMNS = ("image_id", *dict.fromkeys(measure.column for measure in MEASURES.values()))
"""Columns of the configuration `text` that the measures need."""


def score_predictions(
    task: str, predictions: dict[str, Any], texts: dict[str, list[Any]], with_optional: bool = False
) -> dict[str, float | None]:
    """Return the scores of a task's predictions, by key of the measure.

    Args:
        task: `concepts` or `captions`.
        predictions: by image id, a list of CUIs or a caption.
        texts: `REFERENCE_COLUMNS` of the same images.
        with_optional: compute the optional measures, too.

    Returns:
        Scores; None where no image has a reference that counts.

    Raises:
        UserError: an optional measure needs an extra that is not installed.
    """
    scores: dict[str, float | None] = {}
    for key, measure in MEASURES.items():
        if measure.task != task or (measure.optional and not with_optional):
            continue
        references = dict(zip(texts["image_id"], texts[measure.column], strict=True))
        if not measure.is_defined(references.values()):
            scores[key] = None
            continue
        try:
            scores[key] = measure.compute(predictions, references)
        except ModuleNotFoundError as error:
            raise UserError(str(error)) from error
    return scores
