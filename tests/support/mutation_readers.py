"""Every reader on repositories that a check passes: the versions of `datasets`, the stream and the explorer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rocov2
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from rocov2_tasks.pretraining import PretrainingStream
from tests.support.environments import python_of, run_probe

Answers = dict[str, Any]
"""What each reader gave, by its name."""

_COMPARED = ("features", "rows", "decoded")
_SHOWN = 300


def read_with_datasets(roots: Mapping[str, Path], version: str, home: Path) -> dict[str, Answers]:
    """Read every configuration of repositories with a version of `datasets`, in one process; map-style and streaming.

    Args:
        roots: folders by the name of the repository.
        version: of `datasets`.
        home: a folder for the caches of the process.

    Returns:
        What each load gave, by the name of the repository.
    """
    ways = [(config, streaming) for config in rocov2.CONFIGS for streaming in (False, True)]
    cases = {
        f"{name} {config} {streaming}": {
            "call": "load_dataset",
            "path": str(root),
            "name": config,
            "streaming": streaming,
        }
        for name, root in roots.items()
        for config, streaming in ways
    }
    found = run_probe(python_of(version), cases, home)
    return {
        name: {f"{config} {streaming}": _compared(found[f"{name} {config} {streaming}"]) for config, streaming in ways}
        for name in roots
    }


def _compared(answer: dict[str, Any]) -> dict[str, Any]:
    if "error" in answer:
        return answer
    return {split: {part: described[part] for part in _COMPARED} for split, described in answer.items()}


def read_with_the_project(root: Path) -> Answers:
    """Read a repository with the stream and with the explorer."""
    return {"stream": _read_stream(root), "explorer": _read_explorer(root)}


def _read_stream(root: Path) -> dict[str, Any]:
    return {
        f"{config} {split}": [
            {name: _plain(value) for name, value in sample.items()}
            for sample in PretrainingStream(root, split, config, shuffle=False, rank=0, world_size=1)
        ]
        for config in ("default", "commercial", "text")
        for split in rocov2.SPLITS
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if getattr(value, "ndim", 0) > 1:
        return hashlib.sha256(value.tobytes()).hexdigest()
    return value.tolist() if hasattr(value, "tolist") else value


def _read_explorer(root: Path) -> dict[str, Any]:
    collection = Collection(root)
    rows = collection.rows(Filter())
    images = [hashlib.sha256(image).hexdigest() for image in collection.images(rows)]
    return {"rows": rows, "images": images, "concepts": collection.concepts, "counts": collection.counts}


def differing_readers(right: Answers, found: Answers) -> list[str]:
    """Return the readers that gave something else, and the beginning of it."""
    return [
        f"{reader}: {str(found[reader])[:_SHOWN]}"
        for reader in right
        if json.dumps(right[reader]) != json.dumps(found[reader])
    ]
