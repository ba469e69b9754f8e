"""Loading from the Hub, by every version of `datasets`; the Hub is `tests/support/hub.py`."""

from __future__ import annotations

import io
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import rocov2
from tests.support.environments import VERSIONS, child_environment, python_of, run_probe
from tests.support.hub import Hub, Snapshot
from tests.support.raw import RawRelease, expected_rows, make_raw

pytestmark = pytest.mark.slow

OTHER_CONFIGS = ("commercial", "text", "vocabulary")
CALLS = ("load_dataset", "load", "builder")
OWN_CALLS = ("load", "builder")
ID, URL = "org/rocov2", "hf://datasets/org/rocov2"
COLUMNS = ["image_id", "caption"]
MISSING = "data/train-00003-of-00016-noncommercial.parquet"
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["map", "stream"])
each_own_call = pytest.mark.parametrize("call", OWN_CALLS)

Answers = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Sources:
    """Repositories to serve: what most tests load, the same with a shard missing, its successor, and a large one."""

    raw: RawRelease
    ordinary: Path
    broken: Path
    later_raw: RawRelease
    later: Path
    large: Path


@dataclass(frozen=True)
class Visit:
    """What one version of `datasets` got from its Hub.

    Attributes:
        first: before the repository changed.
        later: in a new process with the same caches, after its content changed.
        offline: in another, with the Hub out of reach.
        commit, broken_commit: of the repositories at first.
        bytes_sent: by repository, of its large files.
        home: directory of the processes.
    """

    first: Answers
    later: Answers
    offline: Answers
    commit: str
    broken_commit: str
    bytes_sent: dict[str, int]
    home: Path


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    home = tmp_path_factory.mktemp("sources")
    raw, later_raw, large_raw = make_raw(48), make_raw(48, seed=1), make_raw(24, 1, 1, noncommercial=False)
    for number, image in enumerate(large_raw.splits["train"]):
        image.data = _noise(number)
    layout = {"shard": 6_000, "row_group": 1_500}
    ordinary = raw.build(home / "ordinary", **layout)
    broken = Path(shutil.copytree(ordinary, home / "broken"))
    (broken / MISSING).unlink()
    later = later_raw.build(home / "later", **layout)
    return Sources(raw, ordinary, broken, later_raw, later, large_raw.build(home / "large", row_group=4_000_000))


def _noise(seed: int, side: int = 900) -> bytes:
    """A JPEG that does not compress: more than 600 kB."""
    buffer = io.BytesIO()
    noise = random.Random(seed).randbytes(side * side)
    Image.frombytes("L", (side, side), noise).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.fixture(scope="module", params=VERSIONS)
def visit(request: pytest.FixtureRequest, sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """All loads by one version: three processes for all of them, since importing `datasets` takes its time."""
    home = tmp_path_factory.mktemp("home")
    served = Path(shutil.copytree(sources.ordinary, home / "served"))
    module = home / "module"
    module.mkdir()
    shutil.copy(rocov2.__file__, module)
    python = python_of(request.param)
    commit = Snapshot(served).commit
    # Without a revision, 2.21 first asks a server of the viewer, and waits for seconds where there is none.
    pinned = {"revision": commit} if request.param == "2.21.0" else {}
    kept = _kept_cases(home, module)
    folders = {ID: served, "org/broken": sources.broken}
    with Hub(folders | {f"org/large-{call}": sources.large for call in OWN_CALLS}) as hub:
        environment = child_environment(home) | hub.environment(home)
        online = {name: value for name, value in environment.items() if name != "HF_HUB_OFFLINE"}
        first = run_probe(python, _cases(module, pinned) | kept, home, online)
        shutil.rmtree(served)
        shutil.copytree(sources.later, served)
        later = run_probe(python, kept, home, online)
        sent = {
            repository: sum(
                request.bytes_sent for request in hub.requests if request.path.startswith(f"/{repository}/")
            )
            for repository in hub.repositories
        }
    offline = run_probe(python, _offline_cases(home, module), home, environment)
    return Visit(first, later, offline, commit, Snapshot(sources.broken).commit, sent, home)


def _cases(module: Path, pinned: dict[str, str]) -> dict[str, dict[str, Any]]:
    cases: dict[str, dict[str, Any]] = {}
    here = {"name": "default", "module": str(module)}
    for streaming in (False, True):
        how = here | {"streaming": streaming}
        for config in OTHER_CONFIGS:
            plain = {"call": "load_dataset", "path": ID, "name": config, "options": pinned}
            cases[f"{config} {streaming}"] = how | plain
        for call in OWN_CALLS:
            for path in (ID, URL, f"{URL}@main"):
                cases[f"{call} {path} {streaming}"] = how | {"call": call, "path": path}
            cases[f"broken {call} {streaming}"] = how | {"call": call, "path": "org/broken"}
    for call in OWN_CALLS:
        cases[f"unknown {call}"] = here | {"call": call, "path": "org/nothing"}
        cases[f"revision {call}"] = here | {"call": call, "path": f"{URL}@nothing"}
        large = {"call": call, "path": f"org/large-{call}", "streaming": True, "split": "train"}
        cases[f"large {call}"] = here | large | {"options": {"columns": COLUMNS}}
    cases["revision option"] = here | {"call": "load", "path": ID, "options": {"revision": "nothing"}}
    return cases


def _kept_cases(home: Path, module: Path) -> dict[str, dict[str, Any]]:
    """Loads that are made twice with the same caches."""
    here = {"path": ID, "name": "default", "module": str(module)}
    return {
        f"kept {call} {streaming}": here
        | {"call": call, "streaming": streaming, "cache": str(home / "caches" / f"{call}-{streaming}")}
        for call in CALLS
        for streaming in (False, True)
    }


def _offline_cases(home: Path, module: Path) -> dict[str, dict[str, Any]]:
    here = {"call": "load", "name": "default", "module": str(module), "cache": str(home / "caches" / "load-False")}
    return {"cached": here | {"path": ID}, "never loaded": here | {"path": "org/nothing"}}


def _rows(answer: dict[str, Any]) -> dict[str, Any]:
    return answer if "error" in answer else {split: answer[split]["rows"] for split in answer}


@both_ways
@pytest.mark.parametrize("config", OTHER_CONFIGS)
def test_load_dataset(visit: Visit, sources: Sources, config: str, streaming: bool) -> None:
    assert _rows(visit.first[f"{config} {streaming}"]) == expected_rows(sources.raw, sources.ordinary)[config]


@both_ways
@pytest.mark.parametrize("path", [ID, URL, f"{URL}@main"])
@each_own_call
def test_own_calls(visit: Visit, sources: Sources, call: str, path: str, streaming: bool) -> None:
    expected = expected_rows(sources.raw, sources.ordinary)["default"]
    assert _rows(visit.first[f"{call} {path} {streaming}"]) == expected


@both_ways
@each_own_call
def test_missing_shard(visit: Visit, call: str, streaming: bool) -> None:
    message = (
        f"hf://datasets/org/broken@{visit.broken_commit}: split 'train' is incomplete, missing data/train-00003-of-00016-*."
        "parquet: report it to its publisher, or use another revision"
    )
    assert visit.first[f"broken {call} {streaming}"] == {"error": ["FileNotFoundError", message]}


@pytest.mark.parametrize(
    ("case", "folder", "dataset"),
    [
        ("unknown load", "org/nothing", "org/nothing"),
        ("unknown builder", "org/nothing", "org/nothing"),
        ("revision load", ID, f"{ID}@nothing"),
        ("revision builder", ID, f"{ID}@nothing"),
        ("revision option", ID, f"{ID}@nothing"),
    ],
)
def test_unknown_repository_or_revision(visit: Visit, case: str, folder: str, dataset: str) -> None:
    message = (
        f"neither a folder {folder!r} in {visit.home} nor a dataset {dataset!r} on the Hub: build one with `rocov2 "
        "convert RAW FOLDER`, or check the name (a private dataset needs `hf auth login` or token=)"
    )
    assert visit.first[case] == {"error": ["FileNotFoundError", message]}


@both_ways
@pytest.mark.parametrize("call", CALLS)
def test_default_config_before_and_after_a_new_commit_with_the_same_cache(
    visit: Visit, sources: Sources, call: str, streaming: bool
) -> None:
    name = f"kept {call} {streaming}"
    assert _rows(visit.first[name]) == expected_rows(sources.raw, sources.ordinary)["default"]
    assert _rows(visit.later[name]) == expected_rows(sources.later_raw, sources.later)["default"]


def test_offline_what_was_loaded_last_comes_from_the_cache(visit: Visit, sources: Sources) -> None:
    assert _rows(visit.offline["cached"]) == expected_rows(sources.later_raw, sources.later)["default"]
    (_, message) = visit.offline["never loaded"]["error"]
    assert "org/nothing" in message


@each_own_call
def test_streamed_columns_leave_the_images_on_the_hub(visit: Visit, sources: Sources, call: str) -> None:
    (shard,) = (sources.large / "data").glob("train-*")
    rows = visit.first[f"large {call}"]["train"]["rows"]
    assert (len(rows), list(rows[0])) == (24, COLUMNS)
    assert shard.stat().st_size > 15_000_000
    assert visit.bytes_sent[f"org/large-{call}"] < 1_000_000
