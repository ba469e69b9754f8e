"""The measures of ImageCLEFmedical Caption: F1 of concepts, primary and secondary; ROUGE-1 and BERTScore of captions.

    from rocov2_tasks.metrics import concept_f1

    concept_f1({"ROCOv2_2023_test_000001": ["C0040405"]}, {"ROCOv2_2023_test_000001": ["C0040405", "C0856747"]})    # 2/3

They return what the official evaluators return: `concept_detection/evaluator.py` and `caption_prediction/evaluator.py` of
https://github.com/taubsity/clef-caption-evaluation (2025) and https://github.com/taubsity/clef-caption-evaluation-2026, named
"the evaluators" below. docs/metrics.md explains how these measures differ from measures of the same names in other libraries.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from rocov2 import MODALITIES, REGIONS
from rocov2_shared.errors import how_to_install

Concepts = Mapping[str, Iterable[str]]
"""Concepts (CUIs) by image id."""

Captions = Mapping[str, str]
"""Caption by image id."""

SECONDARY_CUIS = frozenset({*filter(None, MODALITIES.values()), *REGIONS.values(), "C0920367"})
"""The concepts of the secondary measure, `allowed_concepts` of the evaluators: six modalities, eight body regions of X-rays,
and since 2025 optical coherence tomography, which does not occur in ROCOv2. Directions of X-rays are not among them."""

BERT_MODEL = "microsoft/deberta-xlarge-mnli"
"""Model of BERTScore, in all years."""

_NO_LIMIT = 2**31 - 1
_EMPTY = frozenset({""})
_EXAMPLES = 3
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_NUMBER = re.compile(r"\d+")
_TOKEN = re.compile(r"[a-z0-9]+")
_Value = TypeVar("_Value")


def concept_f1(predictions: Concepts, references: Concepts) -> float:
    """Return the primary measure of concept detection: F1 of each image's concepts, averaged over the images.

        concept_f1({"a": ["C1"]}, {"a": ["C1", "C2"]})    # 2/3

    F1 of an image is 2 |P & R| / (|P| + |R|). Codes are compared in upper case and without surrounding blanks; order and
    repetition do not matter. An empty list counts as one concept, the empty string: the evaluators split the empty field of
    a CSV file at `;`, and never reach their branch that would skip an image without reference. So an empty prediction for an
    empty reference scores 1; if only one of them is empty, the image scores 0.

    Args:
        predictions, references: concepts by image id, the same ids in both.

    Returns:
        0 (worst) to 1.

    Raises:
        ValueError: there are no images, an image is missing in one of them, or a value is not a list of codes.

    Source: `compute_primary_score` of the evaluators, which call `sklearn.metrics.f1_score(..., average="binary")` over the
    union of both lists. As there, the limits of a submission (100 concepts, no repetition) are checked when a file is read,
    in `rocov2_tasks.scoring.submission`.
    """
    pairs = _concept_pairs(predictions, references)
    return _mean(_f1(predicted or _EMPTY, reference or _EMPTY) for predicted, reference in pairs)


def concept_f1_secondary(predictions: Concepts, references: Concepts) -> float:
    """Return the secondary measure of concept detection: `concept_f1` of only `SECONDARY_CUIS`, against manual concepts.

        concept_f1_secondary({"a": ["C0040405", "C1"]}, {"a": ["C0040405"]})    # 1.0

    All other codes are removed from both lists first, also directions: other predictions cost nothing here. An image without
    a remaining reference (a combined modality) is left out.

    Args:
        predictions: concepts by image id, as for `concept_f1`.
        references: manual concepts (`manual_cuis`) by image id, the same ids.

    Returns:
        0 (worst) to 1.

    Raises:
        ValueError: as `concept_f1`; also if no image has any of these codes.

    Source: `compute_secondary_score` of the evaluators.
    """
    pairs = [
        (predicted & SECONDARY_CUIS, reference & SECONDARY_CUIS)
        for predicted, reference in _concept_pairs(predictions, references)
        if reference & SECONDARY_CUIS
    ]
    if not pairs:
        raise ValueError(
            f"no image has a reference among the {len(SECONDARY_CUIS)} concepts of the secondary measure: pass the manual "
            "concepts (column manual_cuis)"
        )
    return _mean(_f1(predicted, reference) for predicted, reference in pairs)


def prepare_caption(text: str) -> str:
    """Return a caption as all text measures see it: in lower case, with "number" for digits, without ASCII punctuation.

        prepare_caption("A 7.7 cm mass.")    # "a numbernumber cm mass"

    The steps have this order. Quotation marks and dashes beyond ASCII stay, and no word is left out.

    Source: `preprocess_caption` of the evaluators.
    """
    return _NUMBER.sub("number", text.lower()).translate(_PUNCTUATION)


def rouge1(predictions: Captions, references: Captions) -> float:
    """Return ROUGE-1 of captions: F1 of their common words, with repetitions, averaged over the images.

        rouge1({"a": "CT of the chest"}, {"a": "Chest CT"})    # 2/3

    Words are runs of a-z and 0-9 in the prepared captions (any other letter separates words), not stemmed. Two captions that
    are both empty before preparation score 1; any other pair without a common word scores 0.

    Args:
        predictions, references: captions by image id, the same ids in both.

    Returns:
        0 (worst) to 1.

    Raises:
        ValueError: there are no images, an image is missing in one of them, or a caption is not a string.

    Source: `compute_rouge` of the evaluators, which call `evaluate.load("rouge")` with `use_stemmer=False` and take its
    `rouge1`, the F-measure of the library `rouge_score`. It is computed here, since `evaluate` would download code for that
    measure. References are never empty: the conversion refuses empty captions.
    """
    return _mean(
        1.0 if not predicted and not reference else unigram_f1(unigrams(predicted), unigrams(reference))
        for predicted, reference in _caption_pairs(predictions, references)
    )


def unigrams(caption: str) -> Counter[str]:
    """Return the words of a caption with their counts, as ROUGE-1 compares them."""
    return Counter(_TOKEN.findall(prepare_caption(caption)))


def unigram_f1(prediction: Counter[str], reference: Counter[str]) -> float:
    """Return ROUGE-1 of one pair of captions, from their `unigrams`; 0 if neither has a word."""
    total = prediction.total() + reference.total()
    return 2 * (prediction & reference).total() / total if total else 0.0


def bertscore(predictions: Captions, references: Captions, device: str | None = None) -> float:
    """Return BERTScore of captions: F1 with `BERT_MODEL`, words weighted by their rarity in all references, not rescaled.

        bertscore({"a": "CT of the chest"}, {"a": "Chest CT"}, device="cpu")

    Captions are prepared and scored pair by pair. Two captions that are both empty before preparation score 1. Any other
    pair with an empty prepared caption scores 0, as in `bert_score`, which fails there with transformers 5. For the same
    reason an empty prepared reference has no part in the weights. The first call downloads the model.

    Args:
        predictions, references: captions by image id, the same ids in both.
        device: device of torch (default: a GPU if there is one).

    Returns:
        The mean over the images.

    Raises:
        ModuleNotFoundError: the extra `metrics` is not installed.
        ValueError: as `rouge1`.

    Source: `compute_bertscore` of the evaluators. (In 2023 all words had the same weight.)
    """
    pairs = _caption_pairs(predictions, references)
    prepared = [(prepare_caption(predicted), prepare_caption(reference)) for predicted, reference in pairs]
    scorer = _make_bert_scorer([reference for _, reference in prepared if reference.strip()], device)
    scores = []
    for pair, (predicted, reference) in zip(pairs, prepared, strict=True):
        if not predicted.strip() or not reference.strip():
            scores.append(0.0 if any(pair) else 1.0)
        else:
            scores.append(float(scorer.score(cands=[predicted], refs=[reference])[2].item()))
    return _mean(scores)


def _make_bert_scorer(references: list[str], device: str | None) -> Any:
    try:
        from bert_score import BERTScorer
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"BERTScore needs the package {error.name}: {how_to_install('metrics')}",
            name=error.name,
        ) from error
    scorer = BERTScorer(model_type=BERT_MODEL, idf=True, device=device)
    # The tokenizer of this model has no length limit, so the evaluators cut no caption. transformers then sets 10^30, which
    # `bert_score` passes on, and which is too large for current tokenizers.
    scorer._tokenizer.model_max_length = min(scorer._tokenizer.model_max_length, _NO_LIMIT)
    scorer.compute_idf(references)
    return scorer


def _f1(predicted: frozenset[str], reference: frozenset[str]) -> float:
    return 2 * len(predicted & reference) / (len(predicted) + len(reference))


def _mean(scores: Iterable[float]) -> float:
    values = list(scores)
    return sum(values) / len(values)


def _concept_pairs(predictions: Concepts, references: Concepts) -> list[tuple[frozenset[str], frozenset[str]]]:
    return [
        (_codes(image_id, predicted), _codes(image_id, reference))
        for image_id, predicted, reference in _pairs(predictions, references)
    ]


def _codes(image_id: str, codes: Iterable[str]) -> frozenset[str]:
    # A string is also an iterable, of letters.
    if isinstance(codes, Iterable) and not isinstance(codes, str):
        listed = list(codes)
        if all(isinstance(code, str) and ";" not in code for code in listed):
            return frozenset(code.strip().upper() for code in listed)
    raise ValueError(f"{image_id}: expected a list of concept codes, each a separate string, got {codes!r}")


def _caption_pairs(predictions: Captions, references: Captions) -> list[tuple[str, str]]:
    pairs = _pairs(predictions, references)
    for image_id, *captions in pairs:
        for caption in captions:
            if not isinstance(caption, str):
                raise ValueError(f"{image_id}: expected a caption, got {caption!r}")
    return [(predicted, reference) for _, predicted, reference in pairs]


def _pairs(predictions: Mapping[str, _Value], references: Mapping[str, _Value]) -> list[tuple[str, _Value, _Value]]:
    """Return image id, prediction and reference of all images, in the order of the references."""
    for name, given in (("predictions", predictions), ("references", references)):
        if not isinstance(given, Mapping):
            raise ValueError(f"{name}: expected a dictionary by image id, got {type(given).__name__}")
    if not references:
        raise ValueError("there are no images: the references are empty")
    faults = [
        f"{len(ids):,} {what} ({', '.join(map(repr, ids[:_EXAMPLES]))}{', ...' if len(ids) > _EXAMPLES else ''})"
        for ids, what in (
            ([image_id for image_id in references if image_id not in predictions], "without prediction"),
            ([image_id for image_id in predictions if image_id not in references], "without reference"),
        )
        if ids
    ]
    if faults:
        raise ValueError(f"expected a prediction for each of the {len(references):,} images: {', '.join(faults)}")
    return [(image_id, predictions[image_id], reference) for image_id, reference in references.items()]
