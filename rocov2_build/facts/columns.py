"""The rows of a built repository, column by column, and summaries of columns of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from rocov2 import CONFIGS, SPLITS, VOCABULARY_SPLIT

_PART = 4096

Numbers = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Columns:
    """The rows of all splits without their images: train's, then validation's, then test's, in the order of the files.

    Attributes:
        repository: folder of the files.
        splits: which rows are a split's; those that have rows.
    """

    repository: Path
    splits: dict[str, slice]

    @classmethod
    def open(cls, repository: Path) -> Columns:
        """Count the rows of a repository."""
        splits, start = {}, 0
        for split in SPLITS:
            path = repository / CONFIGS["text"].files(split)
            if path.is_file():
                rows = pq.read_metadata(path).num_rows
                splits[split] = slice(start, start + rows)
                start += rows
        return cls(repository, splits)

    @property
    def of_split(self) -> npt.NDArray[np.int64]:
        """Return for each row the index of its split in `splits`."""
        return np.repeat(np.arange(len(self.splits)), list(self.lengths.values()))

    @property
    def lengths(self) -> dict[str, int]:
        """Return the number of rows by split."""
        return {split: rows.stop - rows.start for split, rows in self.splits.items()}

    def read(self, name: str) -> pa.Array:
        """Return one column of all rows as a single array."""
        pa.default_memory_pool().release_unused()  # otherwise the memory of earlier columns would stay allocated
        paths = [self.repository / CONFIGS["text"].files(split) for split in self.splits]
        return pa.concat_arrays([chunk for path in paths for chunk in _read(path, [name])[name].chunks])

    def read_numbers(self, name: str) -> Numbers:
        """Return one column of numbers without nulls."""
        return np.asarray(self.read(name).to_numpy(zero_copy_only=False))

    def read_codes(self, name: str) -> tuple[Numbers, pa.Array]:
        """Return a column of strings as codes, and the string of each code."""
        return encode(self.read(name))

    def vocabulary(self) -> list[dict[str, Any]]:
        """Return the rows of the vocabulary: `cui`, `name` (None if it has none) and `kind`."""
        path = self.repository / CONFIGS["vocabulary"].files(VOCABULARY_SPLIT)
        rows: list[dict[str, Any]] = _read(path, ["cui", "name", "kind"]).to_pylist()
        return rows

    def count(self, keys: Numbers, number: int) -> npt.NDArray[np.int64]:
        """Number of rows by key and split, [number, splits].

        Args:
            keys: key of each row, 0 to `number` - 1.
            number: of keys.
        """
        return count_cells(keys, self.of_split, number, len(self.splits))

    def by_split(self, counts: Numbers) -> dict[str, int]:
        """Return one number for each split by its name.

        Args:
            counts: numbers in the order of `splits`.
        """
        return {split: int(count) for split, count in zip(self.splits, counts, strict=True)}


def count_cells(keys: Numbers, columns: Numbers, number: int, width: int) -> npt.NDArray[np.int64]:
    """How often each pair of a key and a column occurs, [number, width]."""
    return np.bincount(keys.astype(np.int64) * width + columns, minlength=number * width).reshape(number, width)


def encode(strings: pa.Array) -> tuple[Numbers, pa.Array]:
    """Return strings as codes by first occurrence, and the string of each code."""
    encoded = strings.dictionary_encode("encode")
    return np.asarray(encoded.indices.to_numpy()), encoded.dictionary


def _read(path: Path, names: list[str]) -> pa.Table:
    with closing(pq.ParquetFile(path)) as file:
        # In one thread: each of several would keep its own memory, together more than the column.
        return file.read(columns=names, use_threads=False)


def measure(array: pa.Array, of: Callable[[pa.Array], pa.Array]) -> Numbers:
    """Return what `of` computes for each value, some thousands at a time, since its intermediate results may be large."""
    starts = range(0, len(array), _PART)
    return np.concatenate([np.asarray(of(array.slice(start, _PART)).to_numpy()) for start in starts])


def summarize(values: Numbers) -> dict[str, int | float]:
    """Summarize a column of whole numbers.

    Returns:
        `min`, `p5`, `p25`, `median`, `p75`, `p95`, `max`: values of the column; a percentile is the least value that
        this share of the rows does not exceed; `mean`, to two decimals; `total`.
    """
    ordered = np.sort(values)
    percentiles = {"min": 0, "p5": 5, "p25": 25, "median": 50, "p75": 75, "p95": 95, "max": 100}
    total = int(ordered.sum(dtype=np.int64))
    return {
        **{name: int(ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]) for name, percent in percentiles.items()},
        "mean": round(total / len(ordered), 2),
        "total": total,
    }


def summarize_splits(values: Numbers, columns: Columns) -> dict[str, dict[str, int | float]]:
    """`summarize` by split, and of `all`."""
    parts = {split: values[rows] for split, rows in columns.splits.items()} | {"all": values}
    return {name: summarize(part) for name, part in parts.items()}


def histogram(values: Numbers, columns: Columns, bins: Sequence[int]) -> dict[str, list[int]]:
    """Number of rows by value and split.

    Args:
        values: of each row, none below the first of `bins`.
        columns: for the splits of the rows.
        bins: least value of each bin; the last has no end.

    Returns:
        `from`: the bins; and by split the numbers of rows.
    """
    bin_of_row = np.searchsorted(np.asarray(bins), values, side="right") - 1
    counts = columns.count(bin_of_row, len(bins))
    return {"from": list(bins), **{split: counts[:, i].tolist() for i, split in enumerate(columns.splits)}}
