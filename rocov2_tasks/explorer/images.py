"""The JPEGs of a split by row number, from a folder or from the Hub."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

import rocov2
from rocov2_tasks.stream.layout import read_layout
from rocov2_tasks.stream.reading import ChangedShardError, GroupReader

_READERS = 8
"""Images, or row groups of the Hub, that are read at the same time."""

PATIENCE = 10.0
"""Seconds to wait for an image of the Hub before checking whether the Hub still answers."""

_REOPEN = "start the explorer again; if that does not help, run rocov2 check"
AGAIN = "download it again, or build the repository again"

Value = TypeVar("Value")


class Images:
    """JPEGs of a split by the number of their row.

    Raises:
        ValueError: a shard is missing, or does not match `conversion.json`.
    """

    def __init__(self, repository: rocov2.Repository, split: str, config: str = "default") -> None:
        self.layout = read_layout(repository, config, split)
        self._stops = list(itertools.accumulate(group.rows for group in self.layout.groups))
        self._reader = _with_remedy(lambda: GroupReader(self.layout, ["image"], PATIENCE), AGAIN)
        self.rows = self.layout.rows
        """Number of rows."""

    def read(self, rows: Sequence[int]) -> dict[int, bytes]:
        """Return JPEGs by row number, byte for byte as released."""
        by_read: dict[tuple[int, int], list[int]] = {}
        for row in rows:
            group = bisect.bisect_right(self._stops, row)
            # A folder is read image by image. From the Hub a row group is read in one request, and only once.
            by_read.setdefault((group, 0 if self.layout.remote else row), []).append(row)
        with ThreadPoolExecutor(_READERS) as pool:
            parts = pool.map(lambda key: self._read_group(key[0], by_read[key]), by_read)
            return {row: image for part in parts for row, image in part.items()}

    def _read_group(self, group: int, rows: Sequence[int]) -> dict[int, bytes]:
        first = self._stops[group] - self.layout.groups[group].rows
        wanted = min(rows) - first, max(rows) + 1 - first
        read = _with_remedy(lambda: self._reader.read(group, *wanted), _REOPEN)
        images = {row: bytes(read.image(row - first)) for row in rows}
        self._reader.give_back(read)
        return images


def _with_remedy(read: Callable[[], Value], remedy: str) -> Value:
    try:
        return read()
    except ChangedShardError as error:
        raise ValueError(f"the images cannot be read: {error.fact}: {remedy}") from error
    except (pa.ArrowException, ArithmeticError, LookupError, RuntimeError, ValueError) as error:  # of damaged pages
        raise ValueError(f"the images cannot be read: {error or type(error).__name__}: {remedy}") from error
