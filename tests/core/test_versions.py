"""The same rows from every version of `datasets`: each call, each configuration, map-style and streaming."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

import rocov2
from tests.support.environments import VERSIONS, python_of, run_probe
from tests.support.raw import RawRelease, expected_rows, jpeg, make_raw

pytestmark = pytest.mark.slow

SCRIPT_VERSIONS = ("2.21.0", "3.6.0")
CONFIGS = ("default", "commercial", "text", "vocabulary")
REPAIR = ("damaged", "repaired", "again")
"""States of a shard, one after the other: the last two are the same."""
RELEASES = ("ordinary", "infos-in-json", "no-commercial-in-validation", "limit-1", "test-only")
COLUMNS = ["caption", "image_id", "image"]
TEXT_FEATURES = {
    "image_id": "string",
    "caption": "string",
    "cuis": "list of string",
    "modality": "label: CT, X-ray, MRI, ultrasound, angiography, PET, combined",
    "concept_names": "list of string",
    "manual_cuis": "list of string",
    "region": "label: chest, cranium, lower extremity, abdomen, pelvis, upper extremity, spine, breast",
    "direction": "label: AP, PA, sagittal, transverse",
    "license": "string",
    "attribution": "string",
    "pmcid": "string",
    "url": "string",
    "article_in_other_split": "bool",
    "width": "int32",
    "height": "int32",
}
FEATURES = {
    "default": {"image": "image"} | TEXT_FEATURES,
    "commercial": {"image": "image"} | TEXT_FEATURES,
    "text": TEXT_FEATURES,
    "vocabulary": {"cui": "string", "name": "string", "kind": "string"}
    | dict.fromkeys(("train", "validation", "test"), "int32"),
}
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["map", "stream"])
each_config = pytest.mark.parametrize("config", CONFIGS)

Answer = dict[str, Any]


@dataclass(frozen=True)
class Built:
    """A repository called rocov2 in a folder of its own, and what it was made of."""

    raw: RawRelease
    repository: Path
    rows: dict[str, dict[str, list[dict[str, Any]]]]


def _make(folder: Path, raw: RawRelease, limit: int | None = None, **options: Any) -> Built:
    repository = raw.build(folder / "rocov2", limit=limit, **options)
    return Built(raw, repository, expected_rows(raw, repository, limit))


def _without_dataset_info(built: Built) -> Built:
    """Take the YAML that wins over dataset_infos.json out of the card."""
    card = built.repository / "README.md"
    _, header, body = card.read_text(encoding="utf-8").split("---\n", 2)
    metadata = yaml.safe_load(header)
    del metadata["dataset_info"]
    card.write_text(f"---\n{yaml.safe_dump(metadata)}---\n{body}", encoding="utf-8")
    return built


def _first_shard(built: Built) -> Path:
    return min((built.repository / "data").glob("train-*"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    """The repositories, by name."""
    home = tmp_path_factory.mktemp("repositories")
    raw = make_raw(train=48, valid=9, test=8)
    raw.image("valid", 0).data = jpeg(50, 30, orientation=6)
    raw.image("valid", 1).data = jpeg(50, 30, "CMYK")
    raw.image("train", 5).data = jpeg(50, 30, "RGB", progressive=True)
    several = {"shard": 6_000, "row_group": 1_500, "small": 256}
    one_sided = make_raw(seed=1)
    for image in one_sided.splits["valid"]:
        image.attribution = "CC BY-NC Müller et al. (2001)"
    for image in one_sided.splits["test"]:
        image.attribution = "CC BY Müller et al. (2002)"
    wrong = _without_dataset_info(_make(home / "wrong-infos", raw))
    infos = json.loads((wrong.repository / "dataset_infos.json").read_text())
    infos["default"]["splits"]["test"]["num_examples"] += 1
    (wrong.repository / "dataset_infos.json").write_text(json.dumps(infos))
    repaired = _make(home / "repaired", make_raw(), **several)
    shard = _first_shard(repaired)
    (home / "good").write_bytes(good := shard.read_bytes())
    scan = good.index(b"\xff\xda") + 20
    (home / "damaged").write_bytes(good[:scan] + bytes(4) + good[scan + 4 :])
    return {
        "repaired": repaired,
        "ordinary": _make(home / "ordinary", raw, **several),
        "infos-in-json": _without_dataset_info(_make(home / "infos-in-json", raw, **several)),
        "no-commercial-in-validation": _make(home / "one-sided", one_sided),
        "limit-1": _make(home / "limit", raw, limit=1),
        "test-only": _make(home / "test-only", raw, splits=("test",)),
        "wrong-infos": wrong,
    }


@pytest.fixture(scope="session", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Version of `datasets`."""
    return str(request.param)


def _cases(built: dict[str, Built], module: Path) -> dict[str, dict[str, Any]]:
    """All loads of this file: importing `datasets` takes seconds, so one process makes them all."""
    cases: dict[str, dict[str, Any]] = {}
    here = {"cwd": str(built["ordinary"].repository.parent), "path": "rocov2", "module": str(module)}
    for config in CONFIGS:
        for streaming in (False, True):
            common = here | {"name": config, "streaming": streaming}
            for name in RELEASES:
                folder = str(built[name].repository.parent)
                cases[f"{name} {config} {streaming}"] = common | {"call": "load_dataset", "cwd": folder}
            for call in ("load", "builder"):
                cases[f"{call} {config} {streaming}"] = common | {"call": call}
            script = {"path": str(module / "rocov2.py"), "options": {"data_dir": "rocov2", "trust_remote_code": True}}
            cases[f"script {config} {streaming}"] = common | {"call": "load_dataset"} | script
    for call in ("load_dataset", "load", "builder"):
        for streaming in (False, True):
            columns = {"streaming": streaming, "options": {"columns": COLUMNS}}
            cases[f"columns {call} {streaming}"] = here | {"call": call, "name": "default"} | columns
        wrong = {"call": call, "name": "default", "cwd": str(built["wrong-infos"].repository.parent)}
        cases[f"wrong {call}"] = here | wrong
    two = {"name": "default", "num_proc": 2}
    cases["processes builder"] = here | {"call": "builder"} | two
    cases["processes load"] = here | {"call": "load", "name": "default", "options": {"num_proc": 2}}
    for call in ("load", "load_dataset"):
        for streaming in (False, True):
            cases[f"no name {call} {streaming}"] = here | {"call": call, "streaming": streaming}
    cases["one split"] = here | {"call": "load", "split": "validation"}
    cases["one streamed split"] = here | {"call": "load", "split": "validation", "streaming": True}
    shard = _first_shard(built["repaired"])
    place = built["repaired"].repository.parent
    for state in REPAIR:
        copies = {str(shard): str(place.parent / ("damaged" if state == "damaged" else "good"))}
        for number, (call, streaming) in enumerate(product(("load_dataset", "load", "builder"), (False, True))):
            case = {"call": call, "name": "default", "streaming": streaming, "cwd": str(place)}
            case |= {
                "cache": str(module / "caches" / call),
                "copies": copies if not number and state != "again" else {},
            }
            cases[f"{state} {call} {streaming}"] = here | case
    return cases


@pytest.fixture(scope="session")
def answers(version: str, built: dict[str, Built], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    """What this version gave, by the names in `_cases`."""
    module = tmp_path_factory.mktemp("module")
    shutil.copy(rocov2.__file__, module)
    given = run_probe(python_of(version), _cases(built, module), tmp_path_factory.mktemp("home"))
    return given | {"caches": {cache.name: sorted(cache.glob("*/*/*/*/*.arrow")) for cache in module.glob("caches/*")}}


def _assert_rows(answer: Answer, built: Built, config: str, columns: list[str] | None = None) -> None:
    """Splits, features, rows and their order are those of the release; images decode as they should."""
    expected = built.rows[config]
    features = {name: kind for name, kind in FEATURES[config].items() if name in (columns or FEATURES[config])}
    assert list(answer) == list(expected)
    modes = {
        image.id: Image.open(io.BytesIO(image.data)).mode for images in built.raw.splits.values() for image in images
    }
    for split, rows in expected.items():
        seen = answer[split]
        assert list(seen["features"].items()) == list(features.items())
        assert seen["rows"] == [{name: row[name] for name in features} for row in rows]
        assert seen["expected_rows"] == {split: len(rows) for split, rows in expected.items()}
        decoded = (
            [[row["width"], row["height"], modes[row["image_id"]]] for row in rows[:3]] if "image" in features else []
        )
        assert seen["decoded"] == decoded


def test_fixture_is_worth_its_name(built: dict[str, Built]) -> None:
    shards = sorted(path.name for path in (built["ordinary"].repository / "data").glob("train-*"))
    assert len(shards) == 25
    assert {split: len(rows) for split, rows in built["no-commercial-in-validation"].rows["commercial"].items()} == {
        "train": 14,
        "test": 6,
    }
    assert [len(rows) for rows in built["limit-1"].rows["default"].values()] == [1, 1, 1]
    assert list(built["test-only"].rows["default"]) == ["test"]


@both_ways
@each_config
@pytest.mark.parametrize("release", RELEASES)
def test_load_dataset(
    answers: dict[str, Answer], built: dict[str, Built], release: str, config: str, streaming: bool
) -> None:
    _assert_rows(answers[f"{release} {config} {streaming}"], built[release], config)


@both_ways
@each_config
@pytest.mark.parametrize("call", ["load", "builder"])
def test_own_calls(
    answers: dict[str, Answer], built: dict[str, Built], call: str, config: str, streaming: bool
) -> None:
    _assert_rows(answers[f"{call} {config} {streaming}"], built["ordinary"], config)


@both_ways
@pytest.mark.parametrize("call", ["load_dataset", "load", "builder"])
def test_columns_come_in_the_order_of_the_file(
    answers: dict[str, Answer], built: dict[str, Built], call: str, streaming: bool
) -> None:
    answer = answers[f"columns {call} {streaming}"]
    assert list(answer["train"]["features"]) == ["image", "image_id", "caption"]
    _assert_rows(answer, built["ordinary"], "default", COLUMNS)


@pytest.mark.parametrize("call", ["builder", "load"])
def test_two_processes_prepare_the_same_rows(answers: dict[str, Answer], built: dict[str, Built], call: str) -> None:
    _assert_rows(answers[f"processes {call}"], built["ordinary"], "default")


@both_ways
@each_config
def test_loading_script(
    answers: dict[str, Answer], built: dict[str, Built], version: str, config: str, streaming: bool
) -> None:
    answer = answers[f"script {config} {streaming}"]
    if version in SCRIPT_VERSIONS:
        _assert_rows(answer, built["ordinary"], config)
    else:
        assert answer == {"error": ["RuntimeError", "Dataset scripts are no longer supported, but found rocov2.py"]}


def test_default_arguments(answers: dict[str, Answer], built: dict[str, Built]) -> None:
    for call, streaming in product(("load", "load_dataset"), (False, True)):
        _assert_rows(answers[f"no name {call} {streaming}"], built["ordinary"], "default")
    for answer in (answers["one split"], answers["one streamed split"]):
        assert list(answer) == ["validation"]
        assert answer["validation"]["rows"] == built["ordinary"].rows["default"]["validation"]


def test_dataset_infos_json_is_read_where_the_card_has_none(answers: dict[str, Answer]) -> None:
    for config in CONFIGS:
        (description,) = {split["description"] for split in answers[f"infos-in-json {config} False"].values()}
        assert description == rocov2.DESCRIPTION


@both_ways
@pytest.mark.parametrize("call", ["load", "builder"])
@pytest.mark.parametrize("state", REPAIR)
def test_a_shard_that_was_damaged_and_loaded_is_right_after_its_repair(
    answers: dict[str, Answer], built: dict[str, Built], state: str, call: str, streaming: bool
) -> None:
    rows, expected = answers[f"{state} {call} {streaming}"]["train"]["rows"], built["repaired"].rows["default"]["train"]
    assert [row["image"] == good["image"] for row, good in zip(rows, expected, strict=True)] == [
        number > 0 or state != "damaged" for number in range(len(rows))
    ]
    assert [row | {"image": None} for row in rows] == [row | {"image": None} for row in expected]


@pytest.mark.parametrize(("call", "copies"), {"load_dataset": 1, "load": 2, "builder": 2}.items())
def test_an_unchanged_repository_is_prepared_once(answers: dict[str, Answer], call: str, copies: int) -> None:
    prepared = Counter(path.name for path in answers["caches"][call])
    assert prepared == {f"rocov2-{split}.arrow": copies for split in rocov2.SPLITS}


def test_the_key_of_the_cache_is_not_seen(answers: dict[str, Answer]) -> None:
    described = {call: answers[f"again {call} False"]["train"]["description"] for call in ("load_dataset", "load")}
    assert described == {"load_dataset": "", "load": ""}


@pytest.mark.parametrize("call", ["load_dataset", "load", "builder"])
def test_wrong_counts_are_found(answers: dict[str, Answer], call: str) -> None:
    (error, message) = answers[f"wrong {call}"]["error"]
    assert error == "NonMatchingSplitsSizesError"
    assert "num_examples=9" in message
    assert "num_examples=8" in message
