"""The measures give what the official evaluators give: worked by hand, and against scikit-learn and rouge_score."""

from __future__ import annotations

import string
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sklearn.metrics import f1_score
from sklearn.preprocessing import MultiLabelBinarizer

from rocov2 import DIRECTIONS
from rocov2_tasks.metrics import (
    BERT_MODEL,
    SECONDARY_CUIS,
    bertscore,
    concept_f1,
    concept_f1_secondary,
    prepare_caption,
    rouge1,
    unigram_f1,
    unigrams,
)

CT, XRAY, CHEST, CRANIUM, AP, OCT = "C0040405", "C1306645", "C0817096", "C0037303", "C1999039", "C0920367"
ANEURYSM = "C0856747"

Lists = dict[str, list[str]]


def official(predictions: Lists, references: Lists, allowed: frozenset[str] | None = None) -> float:
    """What the evaluators do, step by step, with their library: from the fields of a CSV file to the mean."""
    total, score = len(references), 0.0
    for image_id, predicted in predictions.items():
        p, g = (
            [code.strip().upper() for code in ";".join(codes).split(";")] for codes in (predicted, references[image_id])
        )
        if allowed is not None:
            p, g = [code for code in p if code in allowed], [code for code in g if code in allowed]
        if not g:
            total -= 1
            continue
        labels = sorted({*g, *p})
        score += f1_score([code in g for code in labels], [code in p for code in labels], average="binary")
    return score / total


def test_f1_of_an_image_is_twice_the_overlap_over_both_sizes() -> None:
    # Overlap 1, sizes 1 and 2: 2 * 1 / 3. Overlap 2, sizes 4 and 2: 2 * 2 / 6.
    assert concept_f1({"a": [CT]}, {"a": [CT, ANEURYSM]}) == pytest.approx(2 / 3)
    assert concept_f1({"a": [CT, CHEST, AP, OCT]}, {"a": [AP, CT]}) == pytest.approx(2 / 3)


def test_the_mean_is_over_images_not_over_labels() -> None:
    # By image: 1 and 2 * 1 / (3 + 3) = 1/3, mean 2/3. Over all labels together (micro) it would be 2 * 2 / 8 = 1/2.
    predictions = {"a": [CT], "b": [XRAY, CHEST, AP]}
    references = {"a": [CT], "b": [XRAY, CRANIUM, OCT]}
    assert concept_f1(predictions, references) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("predicted", "reference", "expected"),
    [
        ([], [], 1),  # {""} and {""}
        ([], [CT], 0),
        ([CT], [], 0),
        ([""], [], 1),
        ([" "], [], 1),
        (["", CT], [CT], 2 / 3),  # a stray ";": the empty string is one more concept
    ],
)
def test_an_empty_list_is_one_concept(predicted: list[str], reference: list[str], expected: float) -> None:
    assert concept_f1({"a": predicted}, {"a": reference}) == pytest.approx(expected)


def test_an_image_without_concepts_counts_in_the_mean() -> None:
    assert concept_f1({"a": [], "b": []}, {"a": [], "b": [CT]}) == 0.5


def test_case_blanks_order_and_repetition_do_not_count() -> None:
    assert concept_f1({"a": ["c0040405", f" {CHEST} ", CHEST]}, {"a": [CHEST, CT]}) == 1
    assert concept_f1_secondary({"a": ["c0040405 "]}, {"a": ["c0040405"]}) == 1


def test_sets_tuples_and_generators_are_lists_too() -> None:
    assert concept_f1({"a": {CT}}, {"a": (CT,)}) == 1
    assert concept_f1({"a": (code for code in [CT])}, {"a": [CT]}) == 1


def test_the_secondary_measure_looks_at_fifteen_concepts() -> None:
    # `allowed_concepts` of the official evaluator of 2026.
    modalities = {"C0002978", "C0040405", "C0024485", "C0032743", "C0041618", "C1306645"}
    regions = {"C1140618", "C0037949", "C0030797", "C0023216", "C0037303", "C0817096", "C0006141", "C0000726"}
    assert modalities | regions | {"C0920367"} == SECONDARY_CUIS


def test_directions_never_count_in_the_secondary_measure() -> None:
    assert not SECONDARY_CUIS & set(DIRECTIONS.values())
    assert concept_f1_secondary({"a": [XRAY, CHEST]}, {"a": [XRAY, CHEST, AP]}) == 1
    assert concept_f1_secondary({"a": [XRAY, CHEST, AP]}, {"a": [XRAY, CHEST]}) == 1


def test_further_concepts_cost_nothing_in_the_secondary_measure_but_a_wrong_region_does() -> None:
    assert concept_f1_secondary({"a": [CT, ANEURYSM, "C0000001"]}, {"a": [CT]}) == 1
    # Overlap 1 (X-ray), sizes 2 and 2.
    assert concept_f1_secondary({"a": [XRAY, CRANIUM]}, {"a": [XRAY, CHEST, AP]}) == 0.5


def test_images_without_a_manual_concept_that_counts_are_left_out_of_the_secondary_mean() -> None:
    predictions = {"a": [CT], "b": [CT], "c": [XRAY]}
    references = {"a": [CT], "b": [], "c": [AP]}
    assert concept_f1_secondary(predictions, references) == 1


def test_a_prediction_without_concepts_that_count_scores_0_in_the_secondary_measure() -> None:
    assert concept_f1_secondary({"a": [], "b": [ANEURYSM]}, {"a": [CT], "b": [CT]}) == 0


def test_optical_coherence_tomography_counts_in_the_secondary_measure() -> None:
    assert concept_f1_secondary({"a": [OCT]}, {"a": [OCT]}) == 1


def test_a_secondary_measure_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no image has a reference among the 15 concepts"):
        concept_f1_secondary({"a": [CT]}, {"a": [AP]})


@pytest.mark.parametrize("measure", [concept_f1, concept_f1_secondary])
def test_every_image_needs_a_prediction_and_a_reference(measure: Any) -> None:
    with pytest.raises(
        ValueError, match=r"each of the 2 images: 1 without prediction \('b'\), 1 without reference \('c'\)"
    ):
        measure({"a": [CT], "c": [CT]}, {"a": [CT], "b": [CT]})
    with pytest.raises(ValueError, match=r"5 without prediction \('0', '1', '2', ...\)"):
        measure({}, {str(number): [CT] for number in range(5)})
    with pytest.raises(ValueError, match="there are no images"):
        measure({}, {})


@pytest.mark.parametrize("measure", [concept_f1, concept_f1_secondary, rouge1])
@pytest.mark.parametrize("given", [None, [["C1"]], "C1"])
def test_what_is_no_dictionary_is_refused(measure: Any, given: Any) -> None:
    with pytest.raises(ValueError, match="predictions: expected a dictionary by image id, got"):
        measure(given, {"a": [CT]})
    with pytest.raises(ValueError, match="references: expected a dictionary by image id, got"):
        measure({"a": [CT]}, given)


@pytest.mark.parametrize("codes", [CT, None, [CT, None], [4], 4, [f"{CT};{AP}"]])
def test_what_is_no_list_of_codes_is_refused(codes: Any) -> None:
    with pytest.raises(ValueError, match="a: expected a list of concept codes, each a separate string, got"):
        concept_f1({"a": codes}, {"a": [CT]})
    with pytest.raises(ValueError, match="a: expected a list of concept codes, each a separate string, got"):
        concept_f1({"a": [CT]}, {"a": codes})


CODES = st.lists(st.sampled_from([*sorted(SECONDARY_CUIS)[:4], AP, ANEURYSM, "c0040405", " C0024485"]), max_size=5)
IMAGES = st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(CODES, CODES), min_size=1)


@given(IMAGES)
def test_the_primary_measure_is_that_of_the_official_evaluator(images: dict[str, tuple[list[str], list[str]]]) -> None:
    predictions, references = ({key: pair[side] for key, pair in images.items()} for side in (0, 1))
    assert concept_f1(predictions, references) == pytest.approx(official(predictions, references), abs=1e-12)


@given(IMAGES)
def test_the_secondary_measure_is_that_of_the_official_evaluator(
    images: dict[str, tuple[list[str], list[str]]],
) -> None:
    predictions, references = ({key: pair[side] for key, pair in images.items()} for side in (0, 1))
    if any(code.strip().upper() in SECONDARY_CUIS for codes in references.values() for code in codes):
        expected = official(predictions, references, SECONDARY_CUIS)
        assert concept_f1_secondary(predictions, references) == pytest.approx(expected, abs=1e-12)


def test_how_the_averages_of_scikit_learn_differ() -> None:
    # The table of docs/metrics.md. Ours: 2/3, 1, 2/3, 0, mean 7/12.
    references = {"a": ["C1", "C2"], "b": [], "c": ["C1"], "d": ["C3"]}
    predictions = {"a": ["C1"], "b": [], "c": ["C1", "C2"], "d": []}
    flags = MultiLabelBinarizer(classes=["C1", "C2", "C3"])
    truth, guess = (flags.fit_transform(lists.values()) for lists in (references, predictions))
    scores = {
        "samples, 1": f1_score(truth, guess, average="samples", zero_division=1.0),
        "samples, 0": f1_score(truth, guess, average="samples", zero_division=0.0),
        "micro": f1_score(truth, guess, average="micro"),
        "macro": f1_score(truth, guess, average="macro", zero_division=0.0),
    }
    assert concept_f1(predictions, references) == pytest.approx(7 / 12)
    # Micro: 2 hits, 3 predicted, 4 to find. Macro: C1 is always right, C2 and C3 never.
    assert scores == pytest.approx({"samples, 1": 7 / 12, "samples, 0": 1 / 3, "micro": 4 / 7, "macro": 1 / 3})


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("7.7 cm", "numbernumber cm"),  # numbers first, so the point still parts them; then the point is deleted
        ("CT Chest", "ct chest"),
        ("T2-weighted (arrow).", "tnumberweighted arrow"),
        ("the “string of pearls” sign – 3 × 4", "the “string of pearls” sign – number × number"),
        ("the left ovary is not stemmed", "the left ovary is not stemmed"),
        ("  two  blanks ", "  two  blanks "),
        (string.punctuation, ""),
        ("٣", "number"),  # a digit beyond ASCII
        ("", ""),
    ],
)
def test_captions_are_prepared_in_the_official_order(text: str, prepared: str) -> None:
    assert prepare_caption(text) == prepared


@pytest.mark.parametrize(
    ("predicted", "reference", "expected"),
    [
        ("CT of the chest", "Chest CT.", 2 * 2 / 6),  # ct, of, the, chest; chest, ct
        ("the the the", "the liver and the spleen", 2 * 2 / 8),  # "the" counts twice, as often as in both
        ("3 cm", "14.5 mm", 0),  # number; numbernumber
        ("12 mm", "7 mm", 1),  # any number is "number"
        ("naïve", "na ve", 1),  # a letter beyond ASCII parts words
        ("scans", "scan", 0),  # no stemming
        ("", "", 1),
        ("", "CT", 0),
        ("...", "", 0),  # not empty as given, and no word
        ("...", "!", 0),
    ],
)
def test_rouge1_of_one_caption(predicted: str, reference: str, expected: float) -> None:
    assert rouge1({"a": predicted}, {"a": reference}) == pytest.approx(expected)


def test_rouge1_is_the_mean_over_images() -> None:
    assert rouge1({"a": "ct", "b": "mri"}, {"b": "x-ray", "a": "CT"}) == 0.5


def test_rouge1_needs_captions_of_the_same_images() -> None:
    with pytest.raises(ValueError, match="1 without prediction"):
        rouge1({}, {"a": "CT"})
    with pytest.raises(ValueError, match="a: expected a caption, got None"):
        rouge1({"a": None}, {"a": "CT"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="there are no images"):
        rouge1({}, {})


CAPTION = st.one_of(
    st.lists(st.sampled_from(["CT", "ct", "the", "chest.", "3.5", "cm", "(arrow)", "“sign”", "naïve"])).map(" ".join),
    st.text(),
)


@given(CAPTION, CAPTION)
def test_rouge1_is_that_of_rouge_score(predicted: str, reference: str) -> None:
    scorer = RougeScorer(["rouge1"], use_stemmer=False)
    expected = scorer.score(prepare_caption(reference), prepare_caption(predicted))["rouge1"].fmeasure
    assert unigram_f1(unigrams(predicted), unigrams(reference)) == pytest.approx(expected)
    if predicted or reference:
        assert rouge1({"a": predicted}, {"a": reference}) == pytest.approx(expected)


class Number(float):
    """Stands for a tensor with one number."""

    def item(self) -> float:
        return float(self)


class StandIn:
    """Stands for `bert_score.BERTScorer`: its F1 is the length of the candidate over that of the reference."""

    made: list[dict[str, Any]]
    weighed: list[list[str]]
    scored: list[tuple[list[str], list[str]]]

    def __init__(self, **settings: Any) -> None:
        StandIn.made.append(settings)
        self._tokenizer = SimpleNamespace(model_max_length=10**30)

    def compute_idf(self, sents: list[str]) -> None:
        assert self._tokenizer.model_max_length == 2**31 - 1  # no caption is cut
        StandIn.weighed.append(sents)

    def score(self, cands: list[str], refs: list[str]) -> tuple[Number, Number, Number]:
        StandIn.scored.append((cands, refs))
        return Number(7), Number(8), Number(len(cands[0]) / len(refs[0]))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    module = ModuleType("bert_score")
    module.BERTScorer = StandIn  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bert_score", module)
    StandIn.made, StandIn.weighed, StandIn.scored = [], [], []
    return StandIn


def test_bertscore_takes_f1_of_prepared_captions_one_pair_at_a_time(stand_in: type[StandIn]) -> None:
    # "ct" of "ct scan": 2 / 7. Both empty: 1. The mean of 2/7, 1 and 1.
    predictions = {"a": "CT", "b": "", "c": "MRI."}
    references = {"a": "CT scan.", "b": "", "c": "mri"}
    assert bertscore(predictions, references) == pytest.approx((2 / 7 + 1 + 1) / 3)
    assert stand_in.scored == [(["ct"], ["ct scan"]), (["mri"], ["mri"])]


def test_bertscore_weighs_words_by_all_references(stand_in: type[StandIn]) -> None:
    bertscore({"a": "x", "b": "y"}, {"a": "CT 1.", "b": "MRI"}, device="cpu")
    assert stand_in.made == [{"model_type": "microsoft/deberta-xlarge-mnli", "idf": True, "device": "cpu"}]
    assert stand_in.weighed == [["ct number", "mri"]]
    assert BERT_MODEL == "microsoft/deberta-xlarge-mnli"


def test_bertscore_gives_0_where_one_caption_has_nothing_left(stand_in: type[StandIn]) -> None:
    assert bertscore({"a": "", "b": "CT", "c": " .", "d": "x"}, {"a": "CT", "b": "...", "c": "", "d": "x"}) == 1 / 4
    assert stand_in.scored == [(["x"], ["x"])]
    assert stand_in.weighed == [["ct", "x"]]


def test_bertscore_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bert_score", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs the package \w+: install .* extra metrics: pip"):
        bertscore({"a": "CT"}, {"a": "CT"})
