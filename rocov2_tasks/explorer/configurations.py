"""The configurations with images that a repository has: which of its rows they have, and their pictures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import rocov2
from rocov2_tasks.explorer.counting import Mask
from rocov2_tasks.explorer.images import AGAIN, Images
from rocov2_tasks.explorer.tables import Tables

BASE = "default"
"""The configuration whose rows are all rows."""


def with_images(repository: rocov2.Repository) -> dict[str, int]:
    """Return the configurations of a repository that have images, with their rows."""
    return {
        name: sum(splits.values())
        for name, splits in repository.counts.items()
        if name in rocov2.CONFIGS and "image" in rocov2.CONFIGS[name].features
    }


class Configurations:
    """Rows and pictures of the configurations of a repository; its methods may be called from several threads.

    A configuration whose files are some of those of `default` has their rows and pictures. Another one with as many rows has
    all rows, and any other the rows with its image ids; both have pictures of their own.
    """

    def __init__(self, repository: rocov2.Repository) -> None:
        self._repository = repository
        self.counts = repository.counts[BASE]
        self.names = with_images(repository)
        """Configuration -> number of its rows."""
        self._images: dict[tuple[str, str], Images] = {
            (BASE, split): Images(repository, split) for split in self.counts
        }
        self._masks: dict[str, Mask] = {}
        self._lock = threading.Lock()

    @property
    def rows(self) -> dict[str, int]:
        """Number of images by split."""
        return {split: self._images[BASE, split].rows for split in self.counts}

    def require(self, config: str) -> None:
        """Raise ValueError if the repository does not have the configuration."""
        if config not in self.names:
            raise ValueError(f"{self._repository.root} has no configuration {config!r}, only {', '.join(self.names)}")

    def scales(self, config: str) -> bool:
        """Return whether the pictures of a configuration are others than those of `default`."""
        return rocov2.CONFIGS[config].folder != rocov2.CONFIGS[BASE].folder

    def mask(self, config: str, tables: Tables) -> Mask | None:
        """Return whether each row is in the configuration; None if all are.

        Raises:
            ValueError: the repository does not have it, or it has other rows than `default`.
        """
        self.require(config)
        if self._repository.counts[config] == self.counts:
            return None
        with self._lock:
            if config not in self._masks:
                of_ids = self.scales(config)
                parts = [
                    self._by_ids(config, split, tables) if of_ids else self._by_files(config, split)
                    for split in self.counts
                ]
                self._masks[config] = np.concatenate(parts)
            return self._masks[config]

    def _shards(self, config: str, split: str) -> list[str]:
        has = split in self._repository.counts[config]
        return self._repository.shards(config, split) if has else []

    def _by_files(self, config: str, split: str) -> Mask:
        layout = self._images[BASE, split].layout
        chosen = set(self._shards(config, split))
        is_chosen = [layout.shards[group.shard].path in chosen for group in layout.groups]
        return np.repeat(np.asarray(is_chosen, bool), [group.rows for group in layout.groups])

    def _by_ids(self, config: str, split: str, tables: Tables) -> Mask:
        files = self._shards(config, split)
        ids = [image_id for file in files for image_id in self._read_ids(file)]
        sql = "SELECT row FROM images JOIN (SELECT unnest(?::VARCHAR[]) AS image_id) USING (image_id) WHERE split = ?"
        found = tables.arrays(sql, [ids, split])["row"]
        mask = np.zeros(self._images[BASE, split].rows, bool)
        mask[found] = True
        if np.count_nonzero(mask) != len(ids):
            raise ValueError(f"{files[0]} has rows that {BASE} does not have, or has one twice: {AGAIN}")
        return mask

    def _read_ids(self, file: str) -> list[str]:
        def read() -> Any:
            options: dict[str, Any] = {"block_size": 1 << 16} if self._repository.remote else {}
            with fsspec.open(f"{self._repository.root}/{file}", "rb", **options) as source:
                return pq.read_table(source, columns=["image_id"])["image_id"].to_pylist()

        try:
            ids: list[str] = rocov2.patiently(read)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{self._repository.root}/{file} cannot be read ({reason}): {AGAIN}") from error
        return ids

    def read(self, config: str, split: str, rows: Sequence[int], tables: Tables) -> dict[int, bytes]:
        """Return JPEGs of a split by row number.

        Args:
            config: whose pictures.
            split: the split.
            rows: numbers of rows in the split of `default`, all of which are in the configuration.
            tables: the rows of the repository.
        """
        if not self.scales(config):
            return self._images[BASE, split].read(rows)
        mask = self.mask(config, tables)
        with self._lock:
            if (config, split) not in self._images:
                self._images[config, split] = Images(self._repository, split, config)
            images = self._images[config, split]
        if mask is None:
            return images.read(rows)
        first = sum(self.rows[each] for each in list(self.counts)[: list(self.counts).index(split)])
        places = np.cumsum(mask[first : first + self._images[BASE, split].rows]) - 1
        found = images.read([int(places[row]) for row in rows])
        return {row: found[int(places[row])] for row in rows}
