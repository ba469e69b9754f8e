"""A built repository in the forms of tools that do not read its Parquet: WebDataset, LLaMA-Factory, VLMEvalKit.

The JPEGs are copied byte for byte. The same repository gives the same bytes. The output folder appears whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2 import FEATURES, SPLITS, Repository
from rocov2_shared.conversion import read_conversion
from rocov2_shared.errors import UserError
from rocov2_shared.folders import new_folder
from rocov2_tasks.formats import FORMATS, ExportOptions
from rocov2_tasks.shaping.prompts import check_prompts

_BUILD_AGAIN = "check the repository with `python scripts/check_repository.py`, and build or copy it again"


class Progress(Protocol):
    """Is told what is done."""

    def advance(self, items: int) -> None:
        """So many images of a shard."""

    def add(self, items: int) -> None:
        """A shard, with so many images more."""


@dataclass(frozen=True)
class Plan:
    """What is to be read.

    Attributes:
        repository: that is read.
        shards: its files, by split.
        rows: how many it states, by split.
        hashes: SHA-256 that it states of each file. None of a dataset on the Hub: its shards are read in parts while they
            come, and are not hashed.
    """

    repository: Repository
    shards: dict[str, list[str]]
    rows: dict[str, int]
    hashes: dict[str, str] | None


def make_plan(path: str, options: ExportOptions) -> Plan:
    """Find what an export reads.

    Raises:
        FileNotFoundError: no repository at `path` (a folder, or `ORG/NAME` on the Hub), or one of its files is missing.
        UserError: it has not the configuration or split, what it states of itself is damaged, or an option does not fit
            the format.
    """
    try:
        FORMATS[options.format].check(options.max_shard_size, options.prompts)
        check_prompts(tuple(options.prompts) or None, "caption")
        repository = Repository.open(path)
        repository.check(options.config, options.split)
    except ValueError as error:
        raise UserError(str(error)) from error
    counts = repository.counts[options.config]
    splits = [split for split in SPLITS if split in counts and options.split in (None, split)]
    shards = {split: repository.shards(options.config, split) for split in splits}
    hashes = None if _is_remote(repository.root) else _read_hashes(repository.root)
    return Plan(repository, shards, {split: counts[split] for split in splits}, hashes)


def _is_remote(path: str) -> bool:
    return path.startswith("hf://")


def _read_hashes(root: str) -> dict[str, str]:
    """SHA-256 by file."""
    return read_conversion(
        root,
        lambda stated: {name: facts["sha256"] for name, facts in stated["files"].items()},
        _BUILD_AGAIN,
        "the hashes of the files",
    )


def export(plan: Plan, output: Path, options: ExportOptions, progress: Progress | None = None) -> None:
    """Write the folder `output`, which appears when it is whole.

    Args:
        plan: of `make_plan` with the same options.
        output: a folder that is empty, or not there yet.
        options: what is asked for.
        progress: is told of row groups and shards as they are done.

    Raises:
        UserError: `output` is not empty, or another export is at work on it; a shard cannot be read, or has other bytes,
            columns or rows than the repository states.
        OSError: the disk is full, or the like; nothing is left behind.
    """
    with new_folder(output) as folder:
        for split, shards in plan.shards.items():
            reading = _Reading(plan, progress)
            FORMATS[options.format].write(folder, split, map(reading.read, shards), options)
            if reading.rows != plan.rows[split]:
                raise UserError(
                    f"{plan.repository.root}: split {split!r} has {reading.rows:,} rows, dataset_infos.json states "
                    f"{plan.rows[split]:,}: check it with `python scripts/check_repository.py`, or build it again"
                )


class _Reading:
    """Row groups of shards, counted."""

    def __init__(self, plan: Plan, progress: Progress | None) -> None:
        self._plan, self._progress = plan, progress
        self.rows = 0

    def read(self, shard: str) -> Iterator[pa.Table]:
        for table in _read_groups(self._plan, shard):
            yield table
            self.rows += len(table)
            if self._progress is not None:
                self._progress.advance(len(table))
        if self._progress is not None:
            self._progress.add(0)


def _read_groups(plan: Plan, shard: str) -> Iterator[pa.Table]:
    """Row groups of a shard, each as a table in one piece.

    Raises:
        UserError: it does not come from the Hub, is no whole Parquet file, or has other bytes or columns than are stated.
    """
    path = f"{plan.repository.root}/{shard}"
    with _telling(path), fsspec.open(path, "rb") as stream:
        file = pq.ParquetFile(stream, pre_buffer=True)
        _require_columns(path, file.schema_arrow.names)
        if plan.hashes is not None:
            # Before its rows are given out: what is damaged in it would be found one by one, and some of it never.
            _require_hash(path, plan.hashes.get(shard))
        for group in range(file.num_row_groups):
            yield file.read_row_group(group).combine_chunks()


@contextmanager
def _telling(path: str) -> Iterator[None]:
    """Tell what goes wrong while a shard is read as a UserError; what the system says of a local file stays an OSError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # those of the Hub's clients are of requests or httpx, by the version of huggingface_hub
        said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        if isinstance(error, pa.ArrowException) or (type(error) is OSError and error.errno is None):  # of pyarrow
            raise UserError(f"{path} cannot be read ({said}): {_remedy(path)}") from error
        if not _is_remote(path):
            raise
        raise UserError(
            f"{path} did not come from the Hub ({said}): check the network, and run the same command again"
        ) from error


def _require_columns(path: str, found: list[str]) -> None:
    expected = list(FEATURES)
    if sorted(found) != sorted(expected):
        raise UserError(
            f"{path} has other columns, expected {', '.join(expected)}, found {', '.join(found)}: {_remedy(path)}"
        )


def _require_hash(path: str, stated: str | None) -> None:
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != stated:
        expected = f"the SHA-256 {stated}, as conversion.json states" if stated else "an entry in conversion.json"
        raise UserError(f"{path} is not as it was written, expected {expected}, found {found}: {_remedy(path)}")


def _remedy(path: str) -> str:
    return "tell those who publish it, or name another revision" if _is_remote(path) else _BUILD_AGAIN
