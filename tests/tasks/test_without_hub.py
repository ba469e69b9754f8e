"""A dataset of the Hub without the Hub: streams, and whatever else opens it, read the snapshot in the cache.

Each client is a process of its own, since the variables of the Hub's libraries are read when they are imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rocov2
from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.views import read_vocabulary
from tests.conftest import PROJECT
from tests.support.hub import Hub, Snapshot
from tests.support.processes import HANG_SECONDS
from tests.support.streams import build

pytestmark = pytest.mark.slow

CLIENT = """
import json, sys
from huggingface_hub import snapshot_download
from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.export import make_plan
from rocov2_tasks.formats.format import ExportOptions
from rocov2_tasks.scoring.references import load_texts, read_provenance
from rocov2_tasks.views import read_vocabulary
READS = {
    "export": lambda path: make_plan(path, ExportOptions(format="webdataset")).rows,
    "texts": lambda path: load_texts(path, "test", ["caption"])["caption"],
    "provenance": lambda path: read_provenance(path).rows_sha256,
    "vocabulary": lambda path: list(read_vocabulary(path)),
    "images": lambda path: see(path),
}
def see(path):
    from rocov2_tasks.explorer.collection import Collection, Filter
    collection = Collection(path)
    rows = collection.rows(Filter(splits=("test",)))
    return [collection.name, collection.url, [len(image) for image in collection.images(rows)]]
found = {}
for name, path, options, state in json.load(sys.stdin):
    try:
        if name == "download":
            snapshot_download(path, repo_type="dataset", **options)
            continue
        if name in READS:
            found[name] = READS[name](path)
            continue
        stream = PretrainingStream(path, columns=["image_id"], **options)
        if state:
            stream.load_state_dict(state)
        found[name] = [[row["image_id"] for row in stream]]
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""
WITHOUT_HUB: dict[str, dict[str, str]] = {
    "unreachable": {},
    "HF_HUB_OFFLINE": {"HF_HUB_OFFLINE": "1"},
    "HF_DATASETS_OFFLINE": {"HF_DATASETS_OFFLINE": "1"},
}
OPENED, WHOLE, PART = "org/opened", "org/whole", "org/part"
KEPT = ["*.json", "data/validation-*", "data/train-00000-*"]


def ask(environment: dict[str, str], cases: list[tuple[str, str, dict[str, Any], Any]]) -> dict[str, Any]:
    settings: dict[str, Any] = {"cwd": PROJECT, "env": environment, "timeout": HANG_SECONDS}
    command = [sys.executable, "-c", CLIENT]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, **settings)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows_of(path: Path, **options: Any) -> list[Any]:
    return [[row["image_id"] for row in PretrainingStream(path, columns=["image_id"], **options)]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def visited(built: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], dict[str, Any]]:
    """The repository, the environment of a client, and what it found while the Hub was there."""
    home = tmp_path_factory.mktemp("home")
    with Hub(dict.fromkeys((OPENED, WHOLE, PART), built)) as hub:
        environment = os.environ | hub.environment(home)
        for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
            environment.pop(variable, None)
        cases: list[tuple[str, str, dict[str, Any], Any]] = [
            ("opened", OPENED, {}, None),
            ("download", WHOLE, {}, None),
            ("download", PART, {"allow_patterns": KEPT}, None),
        ]
        return built, environment, ask(environment, cases)


@pytest.mark.parametrize("how", WITHOUT_HUB)
def test_without_the_hub_the_snapshot_is_read(visited: tuple[Path, dict[str, str], dict[str, Any]], how: str) -> None:
    built, environment, online = visited
    commit = Snapshot(built).commit
    state = PretrainingStream(built, columns=["image_id"]).state_at(20)
    found = ask(
        environment | WITHOUT_HUB[how],
        [
            ("whole", WHOLE, {}, None),
            ("resumed", f"hf://datasets/{WHOLE}@{commit}", {}, state),
            ("validation", PART, {"split": "validation"}, None),
            ("train", PART, {}, None),
            ("opened", OPENED, {}, None),
            ("revision", WHOLE, {"revision": "v1"}, None),
            ("never", "org/never", {}, None),
            *((name, WHOLE, {}, None) for name in ("export", "texts", "provenance", "vocabulary", "images")),
        ],
    )
    whole = rows_of(built)
    assert online == {"opened": whole}
    assert found["whole"] == whole
    assert found["resumed"] == [whole[0][20:]]
    assert found["validation"] == rows_of(built, split="validation")

    rows = list(PretrainingStream(built, split="test", decode="bytes", shuffle=False))
    assert found["export"] == {split: len(PretrainingStream(built, split=split)) for split in rocov2.SPLITS}
    assert found["texts"] == [row["caption"] for row in rows]
    assert found["provenance"] == json.loads((built / "conversion.json").read_bytes())["rows_sha256"]["text"]
    assert found["vocabulary"] == list(read_vocabulary(built))
    assert found["images"] == [WHOLE, f"https://huggingface.co/datasets/{WHOLE}", [len(row["image"]) for row in rows]]

    def problem(dataset: str) -> str:
        if how == "unreachable":
            return f"the Hub {environment['HF_ENDPOINT']} cannot be reached for '{dataset}' (Connection refused)"
        return f"offline mode (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE) keeps the Hub from being asked for '{dataset}'"

    advice = "When the Hub can be reached, download it first: `hf download"
    shards = sorted(path.relative_to(built).as_posix() for path in built.glob("data/train-*"))
    for name, dataset, missing in (("train", PART, shards[1:]), ("opened", OPENED, shards)):
        named = ", ".join(missing[:8]) + (f" and {len(missing) - 8} more" if len(missing) > 8 else "")
        assert found[name] == (
            f"FileNotFoundError: {problem(dataset)}, and the snapshot in the cache is incomplete, missing {named}. "
            f"{advice} {dataset} --repo-type dataset --revision {commit}`"
        )
    for name, dataset, revision in (("revision", WHOLE, "v1"), ("never", "org/never", None)):
        asked, option = (f"{dataset}@{revision}", f" --revision {revision}") if revision else (dataset, "")
        assert found[name] == (
            f"ConnectionError: no folder '{dataset}' in {PROJECT}, {problem(asked)}, and the cache has no copy. "
            f"{advice} {dataset} --repo-type dataset{option}`"
        )
