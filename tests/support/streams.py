"""Repositories and streams for the tests of streaming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rocov2_tasks.pretraining import PretrainingStream
from tests.support.raw import make_raw

TRAIN = 61


def build(folder: Path, train: int = TRAIN, row_group_size: int = 6_000, **options: Any) -> Path:
    """A repository in `folder` with several shards of several row groups in train, each with some rows."""
    raw = make_raw(train=train, valid=7, test=5, **options)
    return raw.build(folder / "rocov2", shard=4 * row_group_size, row_group=row_group_size)


def stream_of(path: Path, **options: Any) -> PretrainingStream:
    """A stream of ids alone, with windows of a few row groups."""
    return PretrainingStream(path, **{"columns": ["image_id"], "window": "20kB"} | options)


def ids(stream: PretrainingStream) -> list[str]:
    """Ids of the rows that a stream gives from where it stands."""
    found: list[str] = []
    for item in stream:
        found += [item["image_id"]] if isinstance(item["image_id"], str) else item["image_id"]
    return found
