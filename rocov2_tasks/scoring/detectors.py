"""Small concept detectors and captioners over features: what a trained model has to beat.

Each is fitted on the training images, and its one or two settings are those with which it does best on the validation images.
All of it is linear algebra in NumPy, without chance: the same repository gives the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rocov2_tasks.metrics import unigram_f1, unigrams
from rocov2_tasks.scoring.features import Floats

Flags = npt.NDArray[np.bool_]
Neighbours = npt.NDArray[np.int64]

THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))
"""Scores from which on a concept is predicted, to choose from."""

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
"""Numbers of neighbours to choose from."""

CAPTION_NEIGHBOURS = (1, 3, 5, 10)
"""Numbers of neighbours whose captions stand for election, to choose from."""

PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Strengths of the ridge penalty to choose from."""

_ROWS = 2048


@dataclass(frozen=True)
class ConceptMatrix:
    """The concepts of a split.

    Attributes:
        known: bool [images, vocabulary]: which have a concept of the vocabulary.
        sizes: int [images]: concepts of each image, also those beyond the vocabulary.
    """

    known: Flags
    sizes: npt.NDArray[np.int64]


def make_vocabulary(lists: Sequence[Sequence[str]]) -> list[str]:
    """All concepts, the commonest first, equally common ones by code."""
    counts = Counter(code for codes in lists for code in set(codes))
    return sorted(counts, key=lambda code: (-counts[code], code))


def make_concept_matrix(lists: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> ConceptMatrix:
    """The concepts of images, as `ConceptMatrix`."""
    columns = {code: column for column, code in enumerate(vocabulary)}
    known = np.zeros((len(lists), len(vocabulary)), dtype=bool)
    for row, codes in enumerate(lists):
        known[row, [columns[code] for code in codes if code in columns]] = True
    return ConceptMatrix(known, np.array([len(set(codes)) for codes in lists], dtype=np.int64))


def mean_f1(predicted: Flags, labels: ConceptMatrix) -> float:
    """`metrics.concept_f1` of predictions in the vocabulary, for images that all have concepts, at least one predicted."""
    overlaps = (predicted & labels.known).sum(axis=1)
    return float(np.mean(2 * overlaps / (predicted.sum(axis=1) + labels.sizes)))


def above(scores: Floats, threshold: float) -> Flags:
    """Concepts whose score reaches the threshold; where none does, the highest one, since no image is without concepts."""
    predicted = scores >= np.float32(threshold)
    lacking = np.flatnonzero(~predicted.any(axis=1))
    predicted[lacking, scores[lacking].argmax(axis=1)] = True
    return predicted


def best_threshold(scores: Floats, labels: ConceptMatrix) -> tuple[float, float]:
    """F1 and the threshold that gives it, the lowest of equals."""
    return max(((mean_f1(above(scores, value), labels), value) for value in THRESHOLDS), key=lambda pair: pair[0])


def choose_majority(validation: ConceptMatrix, most: int) -> int:
    """How many of the commonest concepts, at most `most`, to predict for every image; the least of equally good numbers."""
    overlaps = validation.known[:, :most].cumsum(axis=1)
    counts = np.arange(1, overlaps.shape[1] + 1)
    return int(np.mean(2 * overlaps / (counts + validation.sizes[:, None]), axis=0).argmax()) + 1


def nearest(features: Floats, train: Floats, count: int) -> Neighbours:
    """For each image the `count` most alike training images, the nearest first, the earlier one of equals."""
    count = min(count, len(train))
    found = []
    for start in range(0, len(features), _ROWS):
        likeness = features[start : start + _ROWS] @ train.T
        candidates = np.sort(np.argpartition(-likeness, count - 1, axis=1)[:, :count], axis=1)
        order = np.argsort(-np.take_along_axis(likeness, candidates, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(candidates, order, axis=1))
    return np.concatenate(found)


def neighbour_scores(neighbours: Neighbours, train: ConceptMatrix) -> Iterator[tuple[int, Floats]]:
    """For each of `NEIGHBOURS`: the share of so many neighbours that have a concept, float32 [images, vocabulary]."""
    sums = np.zeros((len(neighbours), train.known.shape[1]), dtype=np.float32)
    for place in range(neighbours.shape[1]):
        sums += train.known[neighbours[:, place]]
        if place + 1 in NEIGHBOURS:
            yield place + 1, sums / np.float32(place + 1)


def fit_ridge(features: Floats, labels: ConceptMatrix) -> Iterator[tuple[float, Floats, Floats]]:
    """Least squares from features to concepts, for each of `PENALTIES` on large weights.

    Yields:
        penalty; weights, float32 [features, vocabulary]; constants, float32 [vocabulary]. Scores are
        `features @ weights + constants`.
    """
    mean = features.mean(axis=0, dtype=np.float64)
    share = labels.known.mean(axis=0, dtype=np.float64)
    moments = np.zeros((features.shape[1], features.shape[1]))
    products = np.zeros((features.shape[1], labels.known.shape[1]))
    for start in range(0, len(features), _ROWS):
        centred = features[start : start + _ROWS] - mean
        moments += centred.T @ centred
        products += centred.T @ (labels.known[start : start + _ROWS] - share)
    for penalty in PENALTIES:
        weights = np.linalg.solve(moments + penalty * np.eye(len(moments)), products)
        yield penalty, weights.astype(np.float32), (share - mean @ weights).astype(np.float32)


def elect_caption(captions: Sequence[str]) -> int:
    """Which caption agrees best with the others: the one with the highest mean ROUGE-1, the first of equals."""
    words = [unigrams(caption) for caption in captions]
    agreement = [sum(unigram_f1(one, other) for other in words) for one in words]
    return max(range(len(captions)), key=lambda place: (agreement[place], -place))
