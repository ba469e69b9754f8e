"""Repositories for the tests of streaming, streams of their ids, and what such streams give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rocov2_tasks.pretraining import PretrainingStream
from tests.support.raw import make_raw

TRAIN = 61
"""Rows of train, by default."""
BATCH = 6
"""Samples of a batch of `open_stream`, by default."""


def build(folder: Path, train: int = TRAIN, row_group_size: int = 6_000, **options: Any) -> Path:
    """A repository in `folder` with several shards of several row groups in train, each with some rows."""
    raw = make_raw(train=train, valid=7, test=5, **options)
    return raw.build(folder / "rocov2", shard=4 * row_group_size, row_group=row_group_size)


def build_shards(folder: Path, train: int = 90) -> Path:
    """A repository in `folder` with several row groups in each of 16 shards of train: 8 of each licence group."""
    return make_raw(train=train, valid=12, test=6, shared=False).build(folder / "rocov2", shard=20_000, row_group=4_000)


def stream_of(path: Path, **options: Any) -> PretrainingStream:
    """A stream of ids alone, sample by sample, with windows of a few row groups."""
    return PretrainingStream(path, **{"columns": ["image_id"], "window": "20kB"} | options)


def open_stream(repository: Path | str, **options: Any) -> PretrainingStream:
    """A stream of ids without images, in batches of `BATCH`, of windows smaller than the split."""
    settings: dict[str, Any] = {"columns": ["image_id"], "batch_size": BATCH, "window": "40KB"} | options
    return PretrainingStream(repository, **settings)


def ids(stream: PretrainingStream) -> list[str]:
    """Ids of the rows that a stream gives from its position on, of samples or of batches."""
    found: list[str] = []
    for item in stream:
        found += [item["image_id"]] if isinstance(item["image_id"], str) else item["image_id"]
    return found


def ids_by_batch(batches: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """The ids of each batch."""
    return [list(batch["image_id"]) for batch in batches]


def flat(batches: Iterable[Iterable[str]]) -> list[str]:
    """The samples of batches, one after the other."""
    return [sample for batch in batches for sample in batch]
