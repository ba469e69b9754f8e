"""Exports of a built repository for tools that do not read its Parquet: WebDataset, LLaMA-Factory, VLMEvalKit.

    options = ExportOptions("webdataset", split="train")
    export(make_plan("rocov2", options), Path("tars"), options)

The JPEGs are copied byte for byte. The same repository gives the same bytes. The output folder appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2 import FEATURES, SPLITS, Repository, patiently
from rocov2_shared.conversion import read_conversion
from rocov2_shared.errors import UserError
from rocov2_shared.files import file_sha256
from rocov2_shared.folders import new_folder
from rocov2_shared.output_paths import require_apart
from rocov2_tasks.formats import FORMATS, ExportOptions
from rocov2_tasks.formats.values import find_fault
from rocov2_tasks.shaping.markers import Marked
from rocov2_tasks.shaping.prompts import check_prompts

_BUILD_AGAIN = "check the repository with `rocov2 check`, and build or copy it again"


class Progress(Protocol):
    """Counts what is done."""

    def advance(self, items: int) -> None:
        """Count `items` images of a shard."""

    def add(self, items: int) -> None:
        """Count a shard, with `items` more images."""


@dataclass(frozen=True)
class Plan:
    """What an export reads.

    Attributes:
        repository: the repository.
        shards: its files, by split.
        rows: recorded number of rows, by split.
        hashes: recorded SHA-256 of each file. None for a dataset on the Hub: its shards are read in parts during the export,
            and are not hashed.
    """

    repository: Repository
    shards: dict[str, list[str]]
    rows: dict[str, int]
    hashes: dict[str, str] | None


def make_plan(path: str, options: ExportOptions) -> Plan:
    """Find what an export reads.

    Raises:
        FileNotFoundError: there is no repository at `path` (a folder, or `ORG/NAME` on the Hub), or a file of it is missing.
        UserError: the repository has no such configuration or split, a record of it is damaged, or an option does not apply
            to the format.
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
    hashes = None if repository.remote else _read_hashes(repository.root)
    return Plan(repository, shards, {split: counts[split] for split in splits}, hashes)


def _read_hashes(root: str) -> dict[str, str]:
    """Return the recorded SHA-256 by file."""
    return read_conversion(
        root,
        lambda content: {name: file["sha256"] for name, file in content["files"].items()},
        _BUILD_AGAIN,
        "the hashes of the files",
    )


def export(plan: Plan, output: Path, options: ExportOptions, progress: Progress | None = None) -> Marked:
    """Write the folder `output`, which appears when it is complete, and return the captions whose markers were escaped.

    Args:
        plan: result of `make_plan` with the same options.
        output: an empty folder, or a new one.
        options: options of the export.
        progress: counts row groups and shards.

    Raises:
        UserError: `output` is not empty, or is inside the repository, or another export is writing it; a shard cannot be
            read, or its bytes, columns or rows differ from the record of the repository; a row has no caption or the like;
            a caption has a marker of trainers that is to be refused.
        OSError: such as a full disk; nothing is left behind.
    """
    if not plan.repository.remote:
        require_apart(output, Path(plan.repository.root), ("OUTPUT", "REPOSITORY"))
    escaped: Marked = []
    with new_folder(output) as folder:
        for split, shards in plan.shards.items():
            reading = _Reading(plan, progress)
            escaped += FORMATS[options.format].write(folder, split, map(reading.read, shards), options)
            if reading.rows != plan.rows[split]:
                raise UserError(
                    f"{plan.repository.root}: split {split!r} has {reading.rows:,} rows, but dataset_infos.json records "
                    f"{plan.rows[split]:,}: check it with `rocov2 check`, or build it again"
                )
    return escaped


class _Reading:
    """Reads row groups of shards, and counts their rows."""

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
    """Yield the row groups of a shard, each as a table in one piece.

    Raises:
        UserError: the Hub does not send the shard, it is not a whole Parquet file, or its bytes or columns are not those that
            are recorded; a row has no caption or the like.
    """
    path = f"{plan.repository.root}/{shard}"
    with _errors_of_users(plan.repository, path), patiently(fsspec.open(path, "rb").open) as stream:
        file = patiently(lambda: pq.ParquetFile(stream, pre_buffer=True))
        _require_columns(plan.repository, path, file.schema_arrow.names)
        if plan.hashes is not None:
            # Checked before its rows are used: some damage would be found late, and some never.
            _require_hash(plan.repository, path, plan.hashes.get(shard))
        for group in range(file.num_row_groups):
            table = patiently(partial(file.read_row_group, group)).combine_chunks()
            fault = find_fault(table)
            if fault:
                raise UserError(f"{path}: {fault}: {_remedy(plan.repository)}")
            yield table


@contextmanager
def _errors_of_users(repository: Repository, path: str) -> Iterator[None]:
    """Turn errors of reading a shard into a UserError; a system error of a local file stays an OSError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # those of the Hub's clients are of requests or httpx, by the version of huggingface_hub
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
        if isinstance(error, pa.ArrowException) or (type(error) is OSError and error.errno is None):  # of pyarrow
            raise UserError(f"{path} cannot be read ({reason}): {_remedy(repository)}") from error
        if not repository.remote:
            raise
        raise UserError(
            f"{path} could not be read from the Hub ({reason}): check the network, and run the same command again"
        ) from error


def _require_columns(repository: Repository, path: str, found: list[str]) -> None:
    expected = list(FEATURES)
    if sorted(found) != sorted(expected):
        raise UserError(
            f"{path} has other columns (expected {', '.join(expected)}, found {', '.join(found)}): {_remedy(repository)}"
        )


def _require_hash(repository: Repository, path: str, recorded: str | None) -> None:
    found = file_sha256(Path(path))
    if found != recorded:
        expected = f"the SHA-256 {recorded} of conversion.json" if recorded else "an entry in conversion.json"
        raise UserError(f"{path} is not as it was written (expected {expected}, found {found}): {_remedy(repository)}")


def _remedy(repository: Repository) -> str:
    return repository.remedy if repository.remote else _BUILD_AGAIN
