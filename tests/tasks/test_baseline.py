"""The baseline finds what there is to find, chooses on validation alone, and is scored by the measure itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rocov2_shared.errors import UserError
from rocov2_tasks import baseline
from rocov2_tasks.baseline import METHODS, Data, Split, evaluate, read_split, table
from rocov2_tasks.metrics import concept_f1, rouge1
from rocov2_tasks.scoring import detectors
from rocov2_tasks.scoring.features import BINS, SIDE, Floats, describe, read_features
from tests.conftest import PROJECT
from tests.support.raw import RawRelease, jpeg, make_raw

pytestmark = pytest.mark.slow

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Report = dict[str, Any]

KINDS = [
    (["C0040405"], ["C0040405", "C0034606"], "Axial CT of the chest."),
    (["C0024485"], ["C0024485", "C0497156"], "Sagittal MRI of the knee."),
    (["C1306645", "C0817096"], ["C1306645", "C0817096"], "Chest radiograph of a child."),
]


def planted(train: int = 24, valid: int = 9, test: int = 9) -> RawRelease:
    """A release of three kinds of images; those of a kind look alike and have the same texts."""
    raw = make_raw(train, valid, test)
    for images in raw.splits.values():
        for position, image in enumerate(images):
            kind = position % len(KINDS)
            image.manual, image.cuis, image.caption = list(KINDS[kind][0]), list(KINDS[kind][1]), KINDS[kind][2]
            image.data = jpeg(64, 64, seed=kind, quality=60 + position)
    return raw


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted().build(tmp_path_factory.mktemp("baseline") / "rocov2")


@pytest.fixture(scope="module")
def report(repository: Path) -> Report:
    """What the command says of the repository, as JSON."""
    environment = os.environ | {"HF_HOME": str(repository.parent / "hf_home"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "rocov2_tasks.baseline", str(repository), "--json"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    report: Report = json.loads(done.stdout)
    return report


@pytest.fixture
def run_baseline(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run `python -m rocov2_tasks.baseline ARGUMENTS` in `tmp_path`."""

    def start(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rocov2_tasks.baseline", *map(str, arguments)]
        settings = environment | {"PYTHONPATH": str(PROJECT)}
        return subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=False)

    return start


def test_what_can_be_seen_is_found(report: Report, repository: Path) -> None:
    assert report["images"] == {"train": 24, "validation": 9, "test": 9}
    conversion = json.loads((repository / "conversion.json").read_text())
    assert report["rows_sha256"] == conversion["rows_sha256"]["text"]
    scores = report["scores"]
    assert list(scores) == ["majority", "nearest neighbours", "linear (ridge)"]
    for name in ("nearest neighbours", "linear (ridge)"):
        assert (scores[name]["concept_f1"], scores[name]["concept_f1_secondary"]) == (1, 1)
    assert scores["nearest neighbours"]["rouge1"] == 1
    assert scores["linear (ridge)"]["rouge1"] is None


def test_the_majority_is_scored_as_worked_by_hand(report: Report) -> None:
    # All six codes are equally common, so they stand by code: C0024485 (MRI), C0034606 (CT), C0040405 (CT), C0497156 (MRI),
    # C0817096, C1306645. The first n overlap (CT, MRI, X-ray) in, over n + 2: n=1: (0, 1, 0): 2/9; n=2: (1, 1, 0): 1/3;
    # n=3: (2, 1, 0): 2/5; n=4: (2, 2, 0): 4/9; n=5: (2, 2, 1): 10/21; n=6: (2, 2, 2): 1/2. So all six are predicted.
    scores = report["scores"]["majority"]
    assert scores["settings"] == "6 concepts"
    assert scores["concept_f1"] == pytest.approx(1 / 2)
    # Secondary: of these MRI, CT, chest and X-ray count. CT and MRI: 2 * 1 / 5; X-ray: 2 * 2 / 6.
    assert scores["concept_f1_secondary"] == pytest.approx((2 / 5 + 2 / 5 + 2 / 3) / 3)
    # The caption is the first by alphabet, "Axial CT of the chest." Sagittal MRI of the knee: of, the in 5 and 5 words;
    # Chest radiograph of a child: of, chest.
    assert scores["rouge1"] == pytest.approx((1 + 2 / 5 + 2 / 5) / 3)


def test_another_run_gives_the_same_numbers_as_a_table(report: Report, repository: Path, run_baseline: Run) -> None:
    done = run_baseline(repository)
    scores = report["scores"]
    assert done.stdout == (
        f"\n{repository} (no known release, rows {report['rows_sha256'][:12]}): fitted on train (24 images), chosen on "
        f"validation (9), scored on test (9)\n\n{table(scores)}\n"
    )
    lines = table(scores).splitlines()
    assert lines[0].split() == ["concept", "F1", "secondary", "F1", "ROUGE-1", "chosen", "on", "validation"]
    assert lines[1].startswith("majority                  0.5000         0.4889    0.6000   6 concepts")
    assert lines[3].startswith("linear (ridge)            1.0000         1.0000         -   penalty ")


def test_a_limit_takes_the_first_images_of_each_split(repository: Path, run_baseline: Run) -> None:
    done = run_baseline(repository, "--limit", 6)
    assert done.returncode == 0, done.stderr
    assert (
        ", the first 6 of each split at most: fitted on train (6 images), chosen on validation (6), scored on test (6)"
        in done.stdout
    )
    whole, part = read_split(str(repository), "train"), read_split(str(repository), "train", 6)
    assert part.texts["image_id"] == whole.texts["image_id"][:6]
    assert np.array_equal(part.features, whole.features[:6])
    assert len(read_split(str(repository), "test", 100).features) == 9


def test_one_image_of_each_split_is_enough(tmp_path: Path, run_baseline: Run) -> None:
    planted(1, 1, 1).build(tmp_path / "rocov2")
    done = run_baseline()
    assert done.returncode == 0, done.stderr
    assert "nearest neighbours        1.0000         1.0000    1.0000   1 neighbour," in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 1, "Error: no folder 'nowhere'"),
        (["--limit", "0"], 2, "0 is not in the range x>=1"),
        (["a", "b"], 2, "unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_told_without_traceback(
    run_baseline: Run, arguments: list[str], code: int, message: str
) -> None:
    done = run_baseline(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_split_is_told(tmp_path: Path, run_baseline: Run) -> None:
    planted().build(tmp_path / "rocov2", splits=("train", "test"))
    done = run_baseline()
    assert done.returncode == 1
    assert "Error: no split 'validation'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_dataset_infos_json_is_told(tmp_path: Path, repository: Path, run_baseline: Run) -> None:
    damaged = shutil.copytree(repository, tmp_path / "rocov2")
    (damaged / "dataset_infos.json").write_text("{")
    done = run_baseline()
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {damaged}/dataset_infos.json is damaged")
    assert done.stderr.count("\n") == 1


def test_a_damaged_image_is_named(tmp_path: Path, run_baseline: Run) -> None:
    raw = planted()
    image = raw.image("test", 4)
    image.data = image.data[: len(image.data) // 2]
    raw.build(tmp_path / "rocov2", verify="none")
    done = run_baseline()
    assert done.returncode == 1
    assert f"Error: image {image.id}" in done.stderr
    assert "Traceback" not in done.stderr


def test_texts_of_another_build_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    monkeypatch.setattr(baseline, "read_features", lambda *_: (["stranger"], np.zeros((1, 3), np.float32)))
    with pytest.raises(UserError, match="text/ and data/ contain different images for test"):
        read_split(str(repository), "test")


def made_up(name: str, images: int, seed: int) -> Split:
    """A split whose concepts can be told from its features, but for some noise; its captions are noise."""
    noise = np.random.default_rng(seed)
    texts: dict[str, list[Any]] = {
        "image_id": [f"{name}{number}" for number in range(images)],
        "caption": [" ".join(noise.choice(["ct", "mri", "chest", "liver", "axial"], 3)) for _ in range(images)],
        "cuis": [noise.choice(["C0040405", "C2", "C3", "C4"], noise.integers(1, 4)).tolist() for _ in range(images)],
        "manual_cuis": [["C0040405"]] * images,
    }
    known = detectors.make_concept_matrix(texts["cuis"], ["C0040405", "C2", "C3", "C4"]).known
    return Split(texts, (known + noise.normal(0, 0.5, known.shape)).astype(np.float32))


@pytest.mark.parametrize("method", METHODS)
def test_settings_are_chosen_on_validation_not_on_test(method: str) -> None:
    train, validation, test = made_up("a", 60, 1), made_up("b", 20, 2), made_up("c", 20, 3)
    said = METHODS[method](Data(train, validation, test))
    other_answers = Split(test.texts | {"cuis": [["C4"]] * 20, "caption": ["liver"] * 20}, test.features)
    assert METHODS[method](Data(train, validation, other_answers)) == said
    other_pictures = Split(test.texts, validation.features)
    assert METHODS[method](Data(train, validation, other_pictures)).settings == said.settings
    other_taste = Split(validation.texts | {"cuis": [["C4"]] * 20, "caption": ["liver"] * 20}, validation.features)
    assert METHODS[method](Data(train, other_taste, test)).settings != said.settings


@pytest.mark.parametrize("method", METHODS)
def test_what_is_said_of_an_image_follows_from_that_image(method: str) -> None:
    train, validation, test = made_up("a", 60, 1), made_up("b", 20, 2), made_up("c", 20, 3)
    said = METHODS[method](Data(train, validation, test))
    turned = METHODS[method](Data(train, validation, Split(test.texts, test.features[::-1])))
    assert turned.concepts == said.concepts[::-1]
    assert turned.captions == (said.captions[::-1] if said.captions else None)


def test_scores_are_those_of_the_measures_on_test() -> None:
    data = Data(made_up("a", 60, 1), made_up("b", 20, 2), made_up("c", 20, 3))
    ids = data.test.texts["image_id"]
    for name, scores in evaluate(data).items():
        said = METHODS[name](data)
        expected = concept_f1(
            dict(zip(ids, said.concepts, strict=True)), dict(zip(ids, data.test.texts["cuis"], strict=True))
        )
        assert 0 < scores["concept_f1"] < 1
        assert scores["concept_f1"] == expected
        assert scores["settings"] == said.settings
        if said.captions is not None:
            captions = dict(zip(ids, data.test.texts["caption"], strict=True))
            assert scores["rouge1"] == rouge1(dict(zip(ids, said.captions, strict=True)), captions)


def test_features_do_not_change_with_brightness_and_contrast_of_the_thumbnail() -> None:
    noise = np.random.default_rng(0).integers(60, 120, (1, SIDE, SIDE, 1)).repeat(3, axis=3)
    first, second = (describe(pixels.astype(np.uint8))[0, : SIDE * SIDE] for pixels in (noise, 2 * noise + 10))
    assert np.allclose(first, second, atol=1e-5)


def test_features_have_length_1_also_for_a_blank_picture() -> None:
    pixels = np.stack([np.zeros((SIDE, SIDE, 3)), np.full((SIDE, SIDE, 3), 255), np.ones((SIDE, SIDE, 3))])
    found = describe(pixels.astype(np.uint8))
    assert found.shape == (3, SIDE * SIDE + BINS + 1)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_features_tell_colour_from_grey() -> None:
    pixels = np.zeros((2, SIDE, SIDE, 3), dtype=np.uint8)
    pixels[0, ..., 0] = 255
    pixels[1] = 76
    colour = describe(pixels)[:, -1]
    assert colour[0] > 0.5
    assert colour[1] == 0


def test_features_are_those_of_the_pictures_in_row_order(tmp_path: Path) -> None:
    raw = planted(4, 1, 1)
    built = raw.build(tmp_path / "rocov2")
    by_id = {image.id: image for image in raw.splits["train"]}
    ids, features = read_features(str(built), "train")
    assert ids == read_split(str(built), "train").texts["image_id"]
    assert sorted(ids) == sorted(by_id)
    for image_id, found in zip(ids, features, strict=True):
        (tmp_path / "x.jpg").write_bytes(by_id[image_id].data)
        with Image.open(tmp_path / "x.jpg") as picture:
            pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX))
        assert found @ describe(pixels[None])[0] > 0.99


LISTS = st.lists(st.lists(st.sampled_from(["C1", "C2", "C3", "C9"]), min_size=1), min_size=1, max_size=6)


@given(LISTS, st.data())
def test_the_quick_f1_is_the_measure(lists: list[list[str]], data: st.DataObject) -> None:
    vocabulary = ["C1", "C2", "C3"]
    scores: Floats = np.array(
        data.draw(
            st.lists(st.tuples(*[st.sampled_from([0.0, 0.3, 0.6])] * 3), min_size=len(lists), max_size=len(lists))
        ),
        dtype=np.float32,
    )
    predicted = detectors.above(scores, 0.3)
    named = {str(row): [vocabulary[column] for column in flags.nonzero()[0]] for row, flags in enumerate(predicted)}
    expected = concept_f1(named, {str(row): codes for row, codes in enumerate(lists)})
    assert detectors.mean_f1(predicted, detectors.make_concept_matrix(lists, vocabulary)) == pytest.approx(expected)


def test_where_no_score_is_high_enough_the_highest_is_taken() -> None:
    scores = np.array([[0.1, 0.2, 0.2], [0.5, 0.6, 0.1]], dtype=np.float32)
    assert detectors.above(scores, 0.5).tolist() == [[False, True, False], [True, True, False]]


def test_the_vocabulary_has_the_commonest_first() -> None:
    assert detectors.make_vocabulary([["C2", "C1"], ["C3", "C2"], ["C3", "C3", "C2"]]) == ["C2", "C3", "C1"]


def test_as_many_common_concepts_are_chosen_as_score_best() -> None:
    # Predicting the first n of C1 C2 C3 for C1 and for C1 C2: n=1: (1, 2/3); n=2: (2/3, 1); n=3: (1/2, 4/5).
    labels = detectors.make_concept_matrix([["C1"], ["C1", "C2"]], ["C1", "C2", "C3"])
    assert detectors.choose_majority(labels, 100) == 1
    labels = detectors.make_concept_matrix([["C1", "C3"], ["C1", "C2"]], ["C1", "C2", "C3"])
    assert detectors.choose_majority(labels, 100) == 3  # (2/3, 2/3); (1/2, 1); (4/5, 4/5)
    assert detectors.choose_majority(labels, 2) == 2


def test_neighbours_are_the_most_alike_the_earlier_of_equals_first() -> None:
    train = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 1]], dtype=np.float32)
    found = detectors.nearest(np.array([[0, 1], [1, 0]], dtype=np.float32), train, 3)
    assert found.tolist() == [[1, 3, 2], [0, 2, 1]]
    assert detectors.nearest(train, train, 50).shape == (4, 4)


def test_scores_of_neighbours_are_shares() -> None:
    train = detectors.make_concept_matrix([["C1"], ["C1", "C2"], ["C2"]], ["C1", "C2"])
    found = dict(detectors.neighbour_scores(np.array([[1, 0, 2]]), train))
    assert sorted(found) == [1, 3]
    assert found[1].tolist() == [[1, 1]]
    assert found[3] == pytest.approx(np.array([[2 / 3, 2 / 3]]))


def test_ridge_is_least_squares_with_a_penalty() -> None:
    # One feature at -1 and 1, one concept at 0 and 1: covariance 1, moment 2, weight 1 / (2 + penalty), constant 1/2.
    features = np.array([[-1], [1]], dtype=np.float32)
    for penalty, weights, constants in detectors.fit_ridge(
        features, detectors.make_concept_matrix([["C2"], ["C1"]], ["C1"])
    ):
        assert weights.item() == pytest.approx(1 / (2 + penalty))
        assert constants.item() == pytest.approx(1 / 2)


def test_the_threshold_with_the_best_f1_is_chosen_the_lowest_of_equals() -> None:
    labels = detectors.make_concept_matrix([["C1"], ["C2"]], ["C1", "C2"])
    scores = np.array([[0.9, 0.42], [0.1, 0.8]], dtype=np.float32)
    assert detectors.best_threshold(scores, labels) == (1, 0.45)


def test_the_elected_caption_agrees_most_with_the_others() -> None:
    assert detectors.elect_caption(["liver", "ct of the chest", "chest ct", "the chest"]) == 1
    assert detectors.elect_caption(["liver", "spleen"]) == 0
