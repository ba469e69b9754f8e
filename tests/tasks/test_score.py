"""The command that scores a submission: right scores, and what is wrong told without a traceback."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rocov2 import DIRECTIONS
from rocov2_tasks.scoring.references import Provenance
from tests.conftest import PROJECT
from tests.support.hub import Hub
from tests.support.raw import RawRelease, make_raw
from tests.tasks.scoring.test_submission import HEADER, lines

pytestmark = pytest.mark.slow

Score = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def raw() -> RawRelease:
    return make_raw(train=6, valid=3, test=6)


@pytest.fixture(scope="module")
def repository(raw: RawRelease, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw.build(tmp_path_factory.mktemp("score") / "rocov2", pictures=False)


@pytest.fixture
def score(tmp_path: Path, environment: dict[str, str]) -> Score:
    """Run `python -m rocov2_tasks.score ARGUMENTS` in `tmp_path`."""
    return partial(run_score, tmp_path, environment)


def run_score(folder: Path, environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """The same in any folder and environment."""
    command = [sys.executable, "-m", "rocov2_tasks.score", *map(str, arguments)]
    settings = environment | {"PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)


def write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    """Write a submission as the csv module does by default."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_the_references_themselves_score_1_but_for_automatic_regions(
    raw: RawRelease, repository: Path, score: Score, tmp_path: Path
) -> None:
    # Secondary: a region among the automatic concepts is wrong there. "Chest" on the fourth image (MRI), 2 * 1 / 3, and on
    # the fifth (X-ray, cranium), 2 * 2 / 5; the third is combined, so it is left out: (1 + 1 + 2/3 + 4/5 + 1) / 5.
    images = raw.splits["test"]
    concepts = write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, ";".join(image.cuis)] for image in images])
    done = score(concepts, repository)
    assert (done.returncode, done.stderr) == (0, "")
    conversion = json.loads((repository / "conversion.json").read_text())
    scored = f"test of {repository} (no known release, rows {conversion['rows_sha256']['text'][:12]})"
    assert (
        done.stdout == f"{concepts}: concepts of 6 images, {scored}\n  concept F1    1.0000\n  secondary F1  0.8933\n"
    )
    captions = write(tmp_path / "c.csv", ["ID", "Caption"], [[image.id, image.caption] for image in images])
    done = score(captions, repository)
    assert done.stdout == f"{captions}: captions of 6 images, {scored}\n  ROUGE-1       1.0000\n"


def test_json_has_the_scores_of_the_chosen_split(
    raw: RawRelease, repository: Path, score: Score, tmp_path: Path
) -> None:
    # valid: CT with 1 automatic concept, X-ray chest AP with 2, combined with 3. Predicted is the manual list but for
    # directions: 2 * 1 / 3; 2 * 2 / 7 since AUTOMATIC holds no code of the manual list here; nothing against 3.
    images = raw.splits["valid"]
    assert [len(image.cuis) for image in images] == [2, 5, 3]
    rows = [[image.id, ";".join(c for c in image.manual if c not in DIRECTIONS.values())] for image in images]
    done = score(write(tmp_path / "s.csv", ["ID", "CUIs"], rows), repository, "--split", "validation", "--json")
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["scores"] == {"concept_f1": pytest.approx((2 / 3 + 4 / 7 + 0) / 3), "concept_f1_secondary": 1}
    del report["scores"]
    conversion = json.loads((repository / "conversion.json").read_text())
    assert report == {
        "repository": str(repository),
        "root": str(repository),
        "release": None,
        "partial": False,
        "rows_sha256": conversion["rows_sha256"]["text"],
        "split": "validation",
        "task": "concepts",
        "images": 3,
    }


def test_from_the_hub_all_is_of_one_commit(
    raw: RawRelease, repository: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    concepts = write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, ""] for image in raw.splits["test"]])
    with Hub({"org/rocov2": repository}) as hub:
        commit = hub.snapshot("org/rocov2").commit
        done = run_score(
            tmp_path,
            environment | hub.environment(tmp_path / "home") | {"HF_HUB_OFFLINE": "0"},
            concepts,
            "org/rocov2",
            "--json",
        )
        asked = [request.path for request in hub.requests if request.listener == "hub"]
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["repository"], report["root"]) == ("org/rocov2", f"hf://datasets/org/rocov2@{commit}")
    records = {f"/datasets/org/rocov2/resolve/main/{name}" for name in ("conversion.json", "dataset_infos.json")}
    moving = [path for path in asked if commit not in path]
    assert set(moving) == {"/api/datasets/org/rocov2", *records}
    assert asked[: len(moving)] == moving  # the repository is opened once, and everything else is asked of its commit


@pytest.mark.parametrize(
    ("provenance", "shown"),
    [
        (Provenance("/r", "2.0.1", False, "0123456789abcdef"), "ROCOv2 2.0.1, rows 0123456789ab"),
        (Provenance("/r", "1", True, "0123456789abcdef"), "part of ROCOv2 1, rows 0123456789ab"),
        (Provenance("/r", None, False, "0123456789abcdef"), "no known release, rows 0123456789ab"),
        (Provenance("/r", "sample", True, "0123456789abcdef"), "the sample, rows 0123456789ab"),
    ],
)
def test_what_was_scored_is_said(provenance: Provenance, shown: str) -> None:
    assert str(provenance) == shown


def test_a_submission_comes_from_standard_input_too(
    raw: RawRelease, repository: Path, environment: dict[str, str]
) -> None:
    rows = lines(HEADER, *(f"{image.id},{';'.join(image.cuis)}" for image in raw.splits["test"]))
    command = [sys.executable, "-m", "rocov2_tasks.score", "-", str(repository)]
    settings = environment | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=settings, input=rows, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("standard input: concepts of 6 images, test of")


def test_faults_end_with_1_and_without_scores(repository: Path, score: Score, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(lines(HEADER, "stranger,C1"))
    done = score("s.csv", repository)
    assert (done.returncode, done.stdout) == (1, "")
    assert "missing-id: an image of the split without a row (6 cases)" in done.stderr
    assert done.stderr.endswith("Error: s.csv is not a valid submission for this split: 7 faults, nothing was scored\n")
    done = score("s.csv", repository, "--json")
    told = json.loads(done.stdout)["faults"]
    assert done.returncode == 1
    assert len(told) == 7
    assert told[0] == {
        "code": "unknown-id",
        "line": 2,
        "id": "stranger",
        "expected": "an image of the split",
        "found": "'stranger'",
    }


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.csv", "REPOSITORY"], 1, "No such file or directory (nowhere.csv)"),
        (["s.csv", "nowhere"], 1, "no folder 'nowhere'"),
        (["s.csv", "REPOSITORY", "--split", "valid"], 2, "'valid' is not one of 'train', 'validation', 'test'"),
        (["s.csv", "REPOSITORY", "--task", "concepts", "--bertscore"], 2, "--bertscore scores captions"),
        (["s.csv", "REPOSITORY", "--bertscore"], 2, "s.csv contains concepts"),
        ([], 2, "Missing argument 'SUBMISSION'"),
    ],
)
def test_a_wrong_call_is_told_without_traceback(
    raw: RawRelease,
    repository: Path,
    score: Score,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, "C1"] for image in raw.splits["test"]])
    done = score(*(str(repository) if argument == "REPOSITORY" else argument for argument in arguments))
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_split_that_the_repository_has_not_is_told(raw: RawRelease, score: Score, tmp_path: Path) -> None:
    part = raw.build(tmp_path / "part", splits=("train",), pictures=False)
    (tmp_path / "s.csv").write_text(HEADER)
    done = score("s.csv", part)
    assert done.returncode == 1
    assert "Error: no split 'test'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_repository_is_told(raw: RawRelease, score: Score, tmp_path: Path) -> None:
    damaged = raw.build(tmp_path / "damaged", pictures=False)
    (damaged / "text" / "test.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "s.csv").write_text(HEADER)
    done = score("s.csv", damaged)
    assert done.returncode == 1
    assert f"Error: {damaged}: the texts of test cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("dataset_infos.json", "{"),
        ("dataset_infos.json", "[1]"),
        ("conversion.json", "{"),
        ("conversion.json", "{}"),
        ("conversion.json", "null"),
    ],
)
def test_a_damaged_record_of_a_repository_is_told(
    repository: Path, score: Score, tmp_path: Path, file: str, content: str
) -> None:
    damaged = shutil.copytree(repository, tmp_path / "damaged")
    (damaged / file).write_text(content)
    (tmp_path / "s.csv").write_text(HEADER)
    done = score("s.csv", damaged)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {damaged}/{file} is damaged")
    assert done.stderr.count("\n") == 1


def test_a_split_without_manual_concepts_has_no_secondary_score(score: Score, tmp_path: Path) -> None:
    raw = make_raw(train=1, valid=1, test=2)
    for image in raw.splits["test"]:
        image.manual, image.cuis = [], ["C0034606"]
    built = raw.build(tmp_path / "rocov2", pictures=False)
    write(tmp_path / "s.csv", ["ID", "CUIs"], [[image.id, "C0034606"] for image in raw.splits["test"]])
    done = score("s.csv")
    assert done.stdout.splitlines()[1:] == [
        "  concept F1    1.0000",
        "  secondary F1  no score: no image has a concept that counts",
    ]
    assert json.loads(score("s.csv", built, "--json").stdout)["scores"]["concept_f1_secondary"] is None


def test_bertscore_without_its_extra_ends_with_1(
    raw: RawRelease, repository: Path, score: Score, tmp_path: Path
) -> None:
    (tmp_path / "bert_score.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'bert_score'\", name='bert_score')"
    )
    rows = [[image.id, image.caption] for image in raw.splits["test"]]
    write(tmp_path / "c.csv", ["ID", "Caption"], rows)
    done = score("c.csv", repository, "--bertscore")
    assert done.returncode == 1
    assert "Error: BERTScore needs the package " in done.stderr
    assert done.stdout == ""


def test_help_shows_an_example(score: Score) -> None:
    done = score("--help")
    assert done.returncode == 0
    assert "Examples:\n  python -m rocov2_tasks.score submission.csv" in done.stdout
