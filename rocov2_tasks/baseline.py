"""Fit small concept detectors and captioners on a repository, and score them: a baseline for trained models.

All the way from load_dataset to a score: texts and images are read, the methods are fitted on train, their settings are
chosen on validation, and test is scored with the measures of ImageCLEFmedical Caption.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_count
from rocov2_shared.terminal import say
from rocov2_tasks.metrics import rouge1
from rocov2_tasks.pretraining import DamagedImageError
from rocov2_tasks.scoring import detectors
from rocov2_tasks.scoring.detectors import ConceptMatrix, Flags, Neighbours
from rocov2_tasks.scoring.features import Floats, read_features
from rocov2_tasks.scoring.measures import MEASURES, REFERENCE_COLUMNS, score_predictions
from rocov2_tasks.scoring.references import load_texts
from rocov2_tasks.scoring.submission import MOST_CONCEPTS


@dataclass(frozen=True)
class Split:
    """One split: its texts by column, and the features of its images, float32 [images, features]."""

    texts: dict[str, list[Any]]
    features: Floats


@dataclass
class Data:
    """The three splits, and what several methods derive from them."""

    train: Split
    validation: Split
    test: Split

    @cached_property
    def vocabulary(self) -> list[str]:
        """Concepts of train, the most common first."""
        return detectors.make_vocabulary(self.train.texts["cuis"])

    @cached_property
    def known(self) -> tuple[ConceptMatrix, ConceptMatrix]:
        """Concepts of train and validation."""
        train, validation = (
            detectors.make_concept_matrix(split.texts["cuis"], self.vocabulary)
            for split in (self.train, self.validation)
        )
        return train, validation

    def nearest(self, split: Split) -> Neighbours:
        """Return the most similar training images for each image of a split."""
        return detectors.nearest(split.features, self.train.features, detectors.NEIGHBOURS[-1])

    def names(self, predicted: Flags) -> list[list[str]]:
        """Return predictions as lists of codes."""
        return [[self.vocabulary[column] for column in row.nonzero()[0]] for row in predicted]


@dataclass(frozen=True)
class Prediction:
    """The predictions of a method for the test images, in their order.

    Attributes:
        settings: the settings chosen on validation, in words.
        concepts: codes of each image.
        captions: caption of each image; None for a method without captions.
    """

    settings: str
    concepts: list[list[str]]
    captions: list[str] | None


def predict_majority(data: Data) -> Prediction:
    """Predict for every image the most common concepts and caption, of equally common ones the alphabetically first."""
    number = detectors.choose_majority(data.known[1], MOST_CONCEPTS)
    counts = Counter(data.train.texts["caption"])
    caption = min(counts, key=lambda text: (-counts[text], text))
    images = len(data.test.features)
    return Prediction(format_count(number, "concept"), [data.vocabulary[:number]] * images, [caption] * images)


def predict_neighbours(data: Data) -> Prediction:
    """Predict concepts of enough of the most similar training images, and the caption of theirs most like the others."""
    train, validation = data.known
    near = {"validation": data.nearest(data.validation), "test": data.nearest(data.test)}
    choices = [
        (*detectors.best_threshold(scores, validation), count)
        for count, scores in detectors.neighbour_scores(near["validation"], train)
    ]
    _, threshold, count = max(choices, key=lambda choice: choice[0])
    scores = dict(detectors.neighbour_scores(near["test"][:, :count], train))[count]
    electors = _choose_electors(data, near["validation"])
    return Prediction(
        f"{format_count(count, 'neighbour')}, threshold {threshold:g}; captions: {format_count(electors, 'neighbour')}",
        data.names(detectors.above(scores, threshold)),
        _elect(data, near["test"], electors),
    )


def _elect(data: Data, neighbours: Neighbours, electors: int) -> list[str]:
    captions = data.train.texts["caption"]
    near = [[captions[number] for number in row] for row in neighbours[:, :electors].tolist()]
    return [texts[detectors.elect_caption(texts)] for texts in near]


def _choose_electors(data: Data, neighbours: Neighbours) -> int:
    references = _by_id(data.validation.texts, data.validation.texts["caption"])
    counts = [count for count in detectors.CAPTION_NEIGHBOURS if count <= neighbours.shape[1]]
    return max(
        counts,
        key=lambda count: rouge1(_by_id(data.validation.texts, _elect(data, neighbours, count)), references),
    )


def predict_linear(data: Data) -> Prediction:
    """Predict the concepts whose score by ridge regression is high enough."""
    train, validation = data.known
    choices = [
        (
            *detectors.best_threshold(data.validation.features @ weights + constants, validation),
            penalty,
            weights,
            constants,
        )
        for penalty, weights, constants in detectors.fit_ridge(data.train.features, train)
    ]
    _, threshold, penalty, weights, constants = max(choices, key=lambda choice: choice[0])
    scores = data.test.features @ weights + constants
    settings = f"penalty {penalty:g}, threshold {threshold:g}"
    return Prediction(settings, data.names(detectors.above(scores, threshold)), None)


METHODS: dict[str, Callable[[Data], Prediction]] = {
    "majority": predict_majority,
    "nearest neighbours": predict_neighbours,
    "linear (ridge)": predict_linear,
}


def _by_id(texts: dict[str, list[Any]], values: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(texts["image_id"], values, strict=True))


def read_split(repository: str, split: str, limit: int | None = None) -> Split:
    """Read the texts and images of a split, or of its first `limit` rows.

    Raises:
        FileNotFoundError: there is no repository, or one of its files is missing.
        UserError: there is no such split, an image is damaged, or texts and images are from two builds.
    """
    texts = load_texts(repository, split, REFERENCE_COLUMNS, limit)
    try:
        ids, features = read_features(repository, split, limit)
    except DamagedImageError as error:
        raise UserError(str(error)) from error
    if ids != texts["image_id"]:
        raise UserError(
            f"{repository}: text/ and data/ contain different images for {split}: they are from two builds, build it again"
        )
    return Split(texts, features)


_MEASURES = {key: measure.name for key, measure in MEASURES.items() if not measure.optional}
"""Key -> name of the measures that the methods are scored by."""


def evaluate(data: Data) -> dict[str, dict[str, Any]]:
    """Return the scores on test by method: one per key of `_MEASURES` (None if there is no score), and `settings`."""
    results: dict[str, dict[str, Any]] = {}
    for name, method in METHODS.items():
        prediction = method(data)
        predicted = {"concepts": prediction.concepts, "captions": prediction.captions}
        scores: dict[str, float | None] = dict.fromkeys(_MEASURES)
        for task, predictions in predicted.items():
            if predictions is not None:
                scores |= score_predictions(task, _by_id(data.test.texts, predictions), data.test.texts)
        results[name] = {**scores, "settings": prediction.settings}
        say("Scored", name)
    return results


def table(results: dict[str, dict[str, Any]]) -> str:
    """Return the scores as a table: a column per measure, and the settings."""
    width = max(map(len, results)) + 1
    head = f"{'':<{width}}" + "".join(f"{name:>{len(name) + 3}}" for name in _MEASURES.values())
    lines = [f"{head}   chosen on validation"]
    for method, row in results.items():
        scores = {key: "-" if row[key] is None else f"{row[key]:.4f}" for key in _MEASURES}
        cells = "".join(f"{scores[key]:>{len(name) + 3}}" for key, name in _MEASURES.items())
        lines.append(f"{method:<{width}}{cells}   {row['settings']}")
    return "\n".join(lines)


if __name__ == "__main__":
    from rocov2_commands.main import run_verb

    run_verb("baseline")
