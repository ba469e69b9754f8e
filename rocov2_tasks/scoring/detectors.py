"""Small concept detectors and captioners over features: a baseline for trained models.

Each is fitted on the training images; its one or two settings are those that score best on the validation images. All of it
is linear algebra in NumPy, without randomness: the same repository gives the same numbers.
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
"""Thresholds to choose from: a concept is predicted if its score reaches the threshold."""

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
"""Numbers of neighbours to choose from."""

CAPTION_NEIGHBOURS = (1, 3, 5, 10)
"""Numbers of neighbours to choose from, among whose captions one is elected."""

PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Strengths of the ridge penalty to choose from."""

_ROWS = 2048


@dataclass(frozen=True)
class ConceptMatrix:
    """The concepts of a split.

    Attributes:
        known: bool [images, vocabulary]: which image has which concept of the vocabulary.
        sizes: int [images]: number of concepts of each image, also outside the vocabulary.
    """

    known: Flags
    sizes: npt.NDArray[np.int64]


def make_vocabulary(lists: Sequence[Sequence[str]]) -> list[str]:
    """Return all concepts, the most common first, equally common ones by code."""
    counts = Counter(code for codes in lists for code in set(codes))
    return sorted(counts, key=lambda code: (-counts[code], code))


def make_concept_matrix(lists: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> ConceptMatrix:
    """Return the concepts of images as a matrix over the vocabulary."""
    columns = {code: column for column, code in enumerate(vocabulary)}
    known = np.zeros((len(lists), len(vocabulary)), dtype=bool)
    for row, codes in enumerate(lists):
        known[row, [columns[code] for code in codes if code in columns]] = True
    return ConceptMatrix(known, np.array([len(set(codes)) for codes in lists], dtype=np.int64))


def mean_f1(predicted: Flags, labels: ConceptMatrix) -> float:
    """Return `metrics.concept_f1` of predictions in the vocabulary; every image must have a concept, also a predicted one."""
    overlaps = (predicted & labels.known).sum(axis=1)
    return float(np.mean(2 * overlaps / (predicted.sum(axis=1) + labels.sizes)))


def above(scores: Floats, threshold: float) -> Flags:
    """Return the concepts whose score reaches the threshold; if none does, the highest one: every image has concepts."""
    predicted = scores >= np.float32(threshold)
    lacking = np.flatnonzero(~predicted.any(axis=1))
    predicted[lacking, scores[lacking].argmax(axis=1)] = True
    return predicted


def best_threshold(scores: Floats, labels: ConceptMatrix) -> tuple[float, float]:
    """Return the best F1 and its threshold, the lowest of equals."""
    return max(((mean_f1(above(scores, value), labels), value) for value in THRESHOLDS), key=lambda pair: pair[0])


def choose_majority(validation: ConceptMatrix, most: int) -> int:
    """Return how many of the most common concepts, at most `most`, to predict for every image; the lowest of equals."""
    overlaps = validation.known[:, :most].cumsum(axis=1)
    counts = np.arange(1, overlaps.shape[1] + 1)
    return int(np.mean(2 * overlaps / (counts + validation.sizes[:, None]), axis=0).argmax()) + 1


def nearest(features: Floats, train: Floats, count: int) -> Neighbours:
    """Return for each image the `count` most similar training images, the nearest first, the earlier one of equals."""
    count = min(count, len(train))
    found = []
    for start in range(0, len(features), _ROWS):
        similarity = features[start : start + _ROWS] @ train.T
        candidates = np.sort(np.argpartition(-similarity, count - 1, axis=1)[:, :count], axis=1)
        order = np.argsort(-np.take_along_axis(similarity, candidates, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(candidates, order, axis=1))
    return np.concatenate(found)


def neighbour_scores(neighbours: Neighbours, train: ConceptMatrix) -> Iterator[tuple[int, Floats]]:
    """Yield each of `NEIGHBOURS` with the share of that many neighbours that have a concept, float32 [images, vocabulary]."""
    sums = np.zeros((len(neighbours), train.known.shape[1]), dtype=np.float32)
    for count in range(1, neighbours.shape[1] + 1):
        sums += train.known[neighbours[:, count - 1]]
        if count in NEIGHBOURS:
            yield count, sums / np.float32(count)


def fit_ridge(features: Floats, labels: ConceptMatrix) -> Iterator[tuple[float, Floats, Floats]]:
    """Fit least squares from features to concepts, for each of `PENALTIES` on large weights.

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
    """Return the index of the caption with the highest mean ROUGE-1 against the others, the first of equals."""
    words = [unigrams(caption) for caption in captions]
    agreement = [sum(unigram_f1(one, other) for other in words) for one in words]
    return max(range(len(captions)), key=lambda index: (agreement[index], -index))
