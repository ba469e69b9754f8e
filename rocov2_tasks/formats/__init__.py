"""The forms that `rocov2_tasks.export` writes: a module each, and what they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

CREDIT = ("license", "attribution", "url")
"""Columns that go with an image wherever it goes: CC BY asks for them."""


@dataclass(frozen=True)
class Options:
    """What is asked for.

    Attributes:
        format: one of `rocov2_tasks.export.FORMATS`.
        split: None for all that the repository has.
        config: `default`, or `commercial`.
        max_shard_size: bytes of images in a tar, about; None makes one of each shard of the repository.
        prompts: of the questions, one chosen by image id and seed; empty for the built-in ones.
        seed: of the choice.
    """

    format: str
    split: str | None = None
    config: str = "default"
    max_shard_size: int | None = None
    prompts: Sequence[str] = ()
    seed: int = 0


class Writer(Protocol):
    """Writes one split into a folder: its shards are given as iterators of tables, with a name each."""

    def __call__(self, folder: Path, split: str, shards: Iterator[Iterator[pa.Table]], options: Options) -> None: ...
