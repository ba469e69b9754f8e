"""What every version of `datasets` gets from the Hub of `tests/support/hub.py`: with it, and later without it."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from PIL import Image

import rocov2
from tests.support.environments import VERSIONS, child_environment, python_of, run_probe
from tests.support.hub import Hub, HubError, Request, Response, Snapshot
from tests.support.raw import RawRelease, make_raw

OTHER_CONFIGS = tuple(config for config in rocov2.CONFIGS if config != "default")
CALLS = ("load_dataset", "load", "builder")
OWN_CALLS = ("load", "builder")
ID, URL = "org/rocov2", "hf://datasets/org/rocov2"
COLUMNS = ["image_id", "caption"]
LIMITED = "org/limited"
MISSING = "data/train-00003-of-00016-noncommercial-apart.parquet"
REFUSED = {
    "private": HubError(401, "Repository not found", "RepoNotFound"),
    "gated": HubError(403, "Access is restricted", "GatedRepo"),
    "token": HubError(401, "Invalid credentials"),
    "forbidden": HubError(403, "No access from here"),
    "busy": HubError(503, "Come back later"),
}
"""Datasets of `org` that the Hub refuses, and how."""
OFFLINE = {version: ("HF_DATASETS_OFFLINE", "HF_HUB_OFFLINE")[number % 2] for number, version in enumerate(VERSIONS)}
"""The variable that turns offline mode on, by version of `datasets`: all of them know both."""

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
        unreachable: in another, with the Hub out of reach.
        offline: in another, in offline mode.
        commit, broken_commit: of the repositories at first.
        bytes_sent: by repository, of its large files.
        home: directory of the processes.
    """

    first: Answers
    later: Answers
    unreachable: Answers
    offline: Answers
    endpoint: str
    commit: str
    broken_commit: str
    bytes_sent: dict[str, int]
    home: Path


class RefusingHub(Hub):
    """Refuses every request about the datasets of `REFUSED`, and the first one for each thing of the dataset `LIMITED`."""

    def __init__(self, repositories: Mapping[str, Path | str], **options: Any) -> None:
        super().__init__(repositories, **options)
        self._limited: set[str] = set()

    def answer(self, request: Request) -> Response:
        kind = request.path.split(LIMITED)[-1].partition("/")[2].partition("/")[0]
        if LIMITED in request.path and kind not in self._limited:
            self._limited.add(kind)
            raise HubError(429, "Too many requests", RateLimit='"api";r=0;t=1')
        for part in request.path.split("/"):
            if part in REFUSED:
                raise REFUSED[part]
        return super().answer(request)


def make_sources(home: Path) -> Sources:
    """Build the repositories in a folder."""
    raw, later_raw, large_raw = (
        make_raw(48, shared=False),
        make_raw(48, seed=1, shared=False),
        make_raw(24, 2, 2, noncommercial=False, shared=False),
    )
    for number, image in enumerate(large_raw.splits["train"]):
        image.data = _noise(number)
    layout = {"shard": 6_000, "row_group": 1_500, "small": 256}
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


def make_visit(version: str, sources: Sources, home: Path) -> Visit:
    """Load everything with one version: four processes for all of it, since importing `datasets` takes its time."""
    served = Path(shutil.copytree(sources.ordinary, home / "served"))
    module = home / "module"
    module.mkdir()
    shutil.copy(rocov2.__file__, module)
    python = python_of(version)
    commit = Snapshot(served).commit
    # Without a revision, 2.21 first asks a server of the viewer, and waits for seconds where there is none.
    pinned = {"revision": commit} if version == "2.21.0" else {}
    kept = _kept_cases(home, module)
    folders = {ID: served, "org/broken": sources.broken}
    folders |= dict.fromkeys((LIMITED, "org/whole", "org/part", "org/gone"), sources.ordinary)
    with RefusingHub(folders | {f"org/large-{call}": sources.large for call in OWN_CALLS}) as hub:
        environment = child_environment(home) | hub.environment(home)
        online = {name: value for name, value in environment.items() if name != "HF_HUB_OFFLINE"}
        first = run_probe(python, _cases(module, pinned) | kept, home, online)
        shutil.rmtree(served)
        shutil.copytree(sources.later, served)
        del hub.repositories["org/gone"]
        later = run_probe(python, kept, home, online)
        sent = {
            repository: sum(
                request.bytes_sent for request in hub.requests if request.path.startswith(f"/{repository}/")
            )
            for repository in hub.repositories
        }
    cases = _cached_cases(home, module, commit)
    unreachable = run_probe(python, cases, home, online)
    offline = run_probe(python, cases, home, online | {OFFLINE[version]: "1"})
    broken = Snapshot(sources.broken).commit
    return Visit(first, later, unreachable, offline, hub.endpoint, commit, broken, sent, home)


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
    for name in REFUSED:
        cases[f"refused {name}"] = here | {"call": "load", "path": f"org/{name}"}
    cases["limited"] = here | {"call": "load", "path": LIMITED, "name": "vocabulary"}
    cases["whole"] = {"call": "snapshot", "path": "org/whole"}
    cases["part"] = {"call": "snapshot", "path": "org/part", "options": {"allow_patterns": ["*.json", "text/*"]}}
    return cases


def _kept_cases(home: Path, module: Path) -> dict[str, dict[str, Any]]:
    """Loads that are made twice with the same caches; when they are repeated, `org/gone` is no longer on the Hub."""
    here: dict[str, Any] = {"path": ID, "name": "default", "module": str(module)}
    gone = {"kept gone": here | {"call": "load", "path": "org/gone", "cache": str(home / "caches" / "gone")}}
    return gone | {
        f"kept {call} {streaming}": here
        | {"call": call, "streaming": streaming, "cache": str(home / "caches" / f"{call}-{streaming}")}
        for call in CALLS
        for streaming in (False, True)
    }


def _cached_cases(home: Path, module: Path, first_commit: str) -> dict[str, dict[str, Any]]:
    """Loads without the Hub, after those of `_kept_cases`, which have prepared a copy, and the downloads of snapshots."""
    cases: dict[str, dict[str, Any]] = {}
    here = {"name": "default", "module": str(module)}
    for call, streaming in product(OWN_CALLS, (False, True)):
        how = here | {"call": call, "streaming": streaming}
        cases[f"prepared {call} {streaming}"] = how | {"path": ID, "cache": str(home / "caches" / f"{call}-False")}
        cases[f"whole {call} {streaming}"] = how | {"path": "org/whole"}
        cases[f"part {call} {streaming}"] = how | {"path": "org/part"}
        cases[f"text {call} {streaming}"] = how | {"path": "org/part", "name": "text"}
        cases[f"never {call} {streaming}"] = how | {"path": "org/nothing"}
    load = here | {"call": "load", "path": ID}
    cases["by load_dataset"] = load | {"cache": str(home / "caches" / "load_dataset-False")}
    cases["other commit"] = load | {
        "path": f"{URL}@{first_commit}",
        "cache": str(home / "caches" / "load_dataset-False"),
    }
    cases["other columns"] = load | {"path": "org/whole", "options": {"columns": COLUMNS}}
    return cases
