"""A format of `rocov2_tasks.export`, and the options of an export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rocov2_tasks.shaping.markers import RAISE, Marked

if TYPE_CHECKING:
    import pyarrow as pa


CREDIT = ("license", "attribution", "url")
"""Columns that every format keeps with an image: CC BY requires them."""


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        format: name of one of `rocov2_tasks.formats.FORMATS`.
        split: the only split to export (default: all splits of the repository).
        config: `default` or `commercial`.
        max_shard_size: approximate bytes of images per tar (default: one tar per shard of the repository).
        prompts: questions, one of which is chosen by image id and seed (default: the built-in ones).
        seed: seed of that choice.
        on_marker: what a chat does with a caption that contains a marker of trainers: `raise` or `escape`.
    """

    format: str
    split: str | None = None
    config: str = "default"
    max_shard_size: int | None = None
    prompts: Sequence[str] = ()
    seed: int = 0
    on_marker: str = RAISE


class Writer(Protocol):
    """Writes one split into a folder; each shard is an iterator of tables, one per row group.

    Returns the captions that were escaped.
    """

    def __call__(
        self, folder: Path, split: str, shards: Iterator[Iterator[pa.Table]], options: ExportOptions
    ) -> Marked: ...


@dataclass(frozen=True)
class Format:
    """A format: a row of `rocov2_tasks.formats.FORMATS`.

    Attributes:
        name: value of `--format`.
        help: what it writes and for which tool, for the help of `--format`.
        write: writes one split.
        asks: whether every image has a question, so that `prompts` and `seed` apply.
        cuts: whether `max_shard_size` applies.
        chats: whether a caption is the answer of a chat that a model is trained on, so that `on_marker` applies.
    """

    name: str
    help: str
    write: Writer
    asks: bool = False
    cuts: bool = False
    chats: bool = False

    def check(
        self,
        max_shard_size: int | None,
        prompts: Sequence[str],
        seed: int | None = None,
        on_marker: str | None = None,
    ) -> None:
        """Raise ValueError if an option does not apply to this format.

        Args:
            max_shard_size, prompts: as in `ExportOptions`.
            seed, on_marker: None if the caller did not give one.
        """
        if max_shard_size is not None and not self.cuts:
            raise ValueError(f"--max-shard-size does not apply to --format {self.name}: leave it out")
        if on_marker is not None and not self.chats:
            raise ValueError(
                f"--on-marker does not apply to --format {self.name}, which keeps captions as released: leave it out"
            )
        for option, given in (("--prompt", bool(prompts)), ("--seed", seed is not None)):
            if given and not self.asks:
                raise ValueError(
                    f"{option} does not apply to --format {self.name}, which has no questions: leave it out"
                )
