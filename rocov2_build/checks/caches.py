"""Find copies in the cache of `datasets` that plain `load_dataset` still returns after a shard was repaired.

For a folder that cache goes by the card alone (all versions, 2.21 to 5.2). What it contains is no fault of the repository, so
it is not a rule: `rocov2 check` reports it beside the violations.
"""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.naming import filenames_for_dataset_split

from rocov2 import Repository

_INFO = "dataset_info.json"
"""Written last into a copy: its time is that of the copy."""


@dataclass(frozen=True)
class StaleCache:
    """A copy that was prepared before a file of its configuration changed.

    Attributes:
        config: the configuration.
        folder: the copy.
        is_certain: whether its rows were compared, and differ.
    """

    config: str
    folder: str
    is_certain: bool

    def describe(self, root: Path) -> str:
        """Return one line: what plain `load_dataset` returns, and the command that removes the copy."""
        still = "still returns" if self.is_certain else "may still return"
        return (
            f'note: load_dataset("{root}", "{self.config}") {still} earlier rows, from a copy in its cache that it made '
            f"before files of {root} changed. Remove the copy: rm -r {shlex.quote(self.folder)}"
        )


def find_stale_caches(root: Path, fast: bool = False) -> list[StaleCache]:
    """Return the copies of a repository that the installed version of `datasets` would return in place of changed files.

    Args:
        root: folder of a repository that breaks no rule.
        fast: do not compare the rows: name every copy that is older than a file.
    """
    if not Path(datasets.config.HF_DATASETS_CACHE).expanduser().is_dir():
        return []
    repository = Repository.open(root)
    return [
        StaleCache(config, folder, not fast)
        for config, splits in repository.counts.items()
        for files in [{split: repository.shards(config, split) for split in splits}]
        for folder in _find_copies(repository.root, config)
        if _is_older(folder, repository.root, files) and (fast or not _has_same_rows(folder, repository.root, files))
    ]


def _find_copies(root: str, config: str) -> list[str]:
    """Return the folders that `datasets` itself computes for a configuration: whole, and with other columns or options."""
    verbosity, shows_bars = datasets.logging.get_verbosity(), datasets.is_progress_bar_enabled()
    datasets.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        whole = Path(datasets.load_dataset_builder(root, config).cache_dir)
    except Exception:  # whatever it is, `load_dataset` returns no copy
        return []
    finally:
        datasets.logging.set_verbosity(verbosity)
        if shows_bars:
            datasets.enable_progress_bars()
    name, version, key = whole.parts[-3:]
    others = glob.glob(os.path.join(glob.escape(str(whole.parents[2])), f"{name}-*", version, key))
    # Those of `rocov2.load` go by sizes and times of the files.
    found = [str(whole), *sorted(folder for folder in others if "description=" not in folder)]
    return [folder for folder in found if os.path.isfile(os.path.join(folder, _INFO))]


def _is_older(folder: str, root: str, files: dict[str, list[str]]) -> bool:
    stats = [os.stat(os.path.join(root, file)) for names in files.values() for file in names]
    changed = max(max(stat.st_mtime_ns, stat.st_ctime_ns) for stat in stats)
    return os.stat(os.path.join(folder, _INFO)).st_mtime_ns <= changed


def _has_same_rows(folder: str, root: str, files: dict[str, list[str]]) -> bool:
    try:
        info = datasets.DatasetInfo.from_directory(folder)
        return all(
            _are_equal(_open_copy(folder, info, split), root, names, list(info.features or ()))
            for split, names in files.items()
        )
    except (KeyError, OSError, ValueError):  # pa.ArrowInvalid is a ValueError
        return False


def _open_copy(folder: str, info: Any, split: str) -> pa.Table:
    names = filenames_for_dataset_split(
        folder, info.dataset_name, split, filetype_suffix="arrow", shard_lengths=info.splits[split].shard_lengths
    )
    return pa.concat_tables(pa.ipc.open_stream(pa.memory_map(name)).read_all() for name in names)


def _are_equal(copy: pa.Table, root: str, files: list[str], columns: list[str]) -> bool:
    start = 0
    for table in _row_groups(root, files, columns):
        part = copy.slice(start, len(table)).select(columns)
        start += len(table)
        if not part.cast(table.schema).equals(table):
            return False
    return start == len(copy)


def _row_groups(root: str, files: list[str], columns: list[str]) -> Iterator[pa.Table]:
    for name in files:
        with pq.ParquetFile(os.path.join(root, name)) as file:
            for number in range(file.num_row_groups):
                yield file.read_row_group(number, columns=columns).select(columns)
