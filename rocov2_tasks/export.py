"""A built repository in the forms of tools that do not read its Parquet: WebDataset, LLaMA-Factory, VLMEvalKit.

The JPEGs are copied byte for byte. The same repository gives the same bytes. The output folder appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2 import SPLITS, Repository
from rocov2_errors import UserError
from rocov2_tasks.folder import new_folder
from rocov2_tasks.formats import Options, Writer
from rocov2_tasks.formats.llamafactory import write_llamafactory
from rocov2_tasks.formats.vlmevalkit import write_vlmevalkit
from rocov2_tasks.formats.webdataset import write_webdataset
from rocov2_tasks.prompts import check_prompts


class Progress(Protocol):
    """Is told what is done."""

    def advance(self, items: int) -> None:
        """So many images of a shard."""

    def add(self, items: int) -> None:
        """A shard, with so many images more."""


FORMATS: dict[str, Writer] = {
    "webdataset": write_webdataset,
    "llamafactory": write_llamafactory,
    "vlmevalkit": write_vlmevalkit,
}


@dataclass(frozen=True)
class Plan:
    """What is to be read: the repository, and by split its shards and number of rows."""

    repository: Repository
    shards: dict[str, list[str]]
    rows: dict[str, int]


def make_plan(path: str, options: Options) -> Plan:
    """Find what an export reads.

    Raises:
        FileNotFoundError: no repository at `path` (a folder, or `ORG/NAME` on the Hub), or one of its files is missing.
        UserError: it has not the configuration or split, or an option does not fit the format.
    """
    if options.format != "webdataset" and options.max_shard_size is not None:
        raise UserError(f"--max-shard-size is for tars, the format is {options.format}: leave it out")
    if options.format == "webdataset" and options.prompts:
        raise UserError("--prompt: the format webdataset has captions and no questions: leave it out")
    repository = Repository.open(path)
    try:
        check_prompts(tuple(options.prompts) or None, "caption")
        repository.check(options.config, options.split)
    except ValueError as error:
        raise UserError(str(error)) from error
    counts = repository.counts[options.config]
    splits = [split for split in SPLITS if split in counts and options.split in (None, split)]
    shards = {split: repository.shards(options.config, split) for split in splits}
    return Plan(repository, shards, {split: counts[split] for split in splits})


def export(plan: Plan, output: Path, options: Options, progress: Progress | None = None) -> None:
    """Write the folder `output`, which appears when it is whole.

    Args:
        plan: of `make_plan` with the same options.
        output: a folder that is empty, or not there yet.
        options: what is asked for.
        progress: is told of row groups and shards as they are done.

    Raises:
        UserError: `output` is not empty, or another export is at work on it; a shard cannot be read, or has other rows
            than the repository states.
        OSError: the disk is full, or the like; nothing is left behind.
    """
    with new_folder(output) as folder:
        for split, shards in plan.shards.items():
            reading = _Reading(plan.repository, progress)
            FORMATS[options.format](folder, split, map(reading.read, shards), options)
            if reading.rows != plan.rows[split]:
                raise UserError(
                    f"{plan.repository.root}: split {split!r} has {reading.rows:,} rows, dataset_infos.json states "
                    f"{plan.rows[split]:,}: check it with `python scripts/check_repository.py`, or build it again"
                )


class _Reading:
    """Row groups of shards, counted."""

    def __init__(self, repository: Repository, progress: Progress | None) -> None:
        self._repository, self._progress = repository, progress
        self.rows = 0

    def read(self, shard: str) -> Iterator[pa.Table]:
        for table in _read_groups(f"{self._repository.root}/{shard}"):
            yield table
            self.rows += len(table)
            if self._progress is not None:
                self._progress.advance(len(table))
        if self._progress is not None:
            self._progress.add(0)


def _read_groups(path: str) -> Iterator[pa.Table]:
    """Row groups of a shard, each as a table in one piece.

    Raises:
        UserError: it is no whole Parquet file.
    """
    try:
        with fsspec.open(path, "rb") as stream:
            file = pq.ParquetFile(stream, pre_buffer=True)
            for group in range(file.num_row_groups):
                yield file.read_row_group(group).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UserError(
            f"{path} cannot be read ({str(error).splitlines()[0]}): check the repository with "
            "`python scripts/check_repository.py`, and build or download it again"
        ) from error
