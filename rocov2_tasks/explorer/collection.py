"""A built repository to search: rows by filter, how many there are, their images, and the filter as code."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import rocov2
from rocov2_tasks.explorer.configurations import BASE, Configurations
from rocov2_tasks.explorer.counting import Counting
from rocov2_tasks.explorer.filters import Filter, python_code, sql_code
from rocov2_tasks.explorer.tables import SHOWN_COLUMNS, Tables


class Collection:
    """The searchable rows of a built repository; its methods may be called from several threads.

        collection = Collection("rocov2")
        rows = collection.rows(Filter(modalities=("CT",), text="axial"), limit=3)

    The rows of `text/<split>.parquet` are those of `data/<split>-*` in the same order, so the number of a row locates its
    image, and only the requested images are read.

    Args:
        path: folder, `ORG/NAME` or `hf://datasets/ORG/NAME[@REVISION]`. From the Hub the files of `text/` and `vocabulary/`
            are downloaded into the cache of huggingface_hub, and images when they are shown.

    Attributes:
        root: absolute folder, or `hf://datasets/ORG/NAME@COMMIT`.
        name: name of the folder, or `ORG/NAME`.
        url: web page of the dataset; None for a folder.
        identity: changes whenever the content does.
        counts: rows by split.
        configs: rows by configuration that has images.

    Raises:
        FileNotFoundError: there is no repository, or one of its files is missing.
        ConnectionError: the Hub did not answer.
        ValueError: its files are from different builds, damaged, or from an older version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        repository = rocov2.Repository.open(path)
        for config in (BASE, "text", "vocabulary"):
            repository.check(config)
        self._repository = repository
        self.root = repository.root
        self.name = repository.repo_id or os.path.basename(self.root)
        self.url = f"https://huggingface.co/datasets/{self.name}" if repository.repo_id else None
        self.identity = repository.identity
        self.counts = repository.counts[BASE]
        self._commercial = repository.counts.get("commercial", {})
        self._configurations = Configurations(repository)
        self.configs = self._configurations.names
        self._tables = Tables(repository, self._configurations.rows)
        self._counting = Counting(
            self._tables,
            list(self.counts),
            sum(self._configurations.rows.values()),
            lambda config: self._configurations.mask(config, self._tables),
        )

    @property
    def concepts(self) -> list[tuple[str, str, int]]:
        """CUI, name and number of images of every concept with images, the most common first."""
        return self._tables.concepts

    @property
    def choices(self) -> dict[str, list[str]]:
        """Choices that occur, by field of a filter: labels in label order, licences with the most common first."""
        return self._counting.choices

    def splits(self, filter: Filter) -> list[str]:
        """Return the splits of a filter that its configuration has, in the order of the repository.

        Raises:
            ValueError: it has none of them, or the repository does not have the configuration.
        """
        self._configurations.require(filter.config)
        there = [split for split in self.counts if split in self._repository.counts[filter.config]]
        splits = [split for split in there if split in (filter.splits or there)]
        if not splits:
            name = self.root if filter.config == BASE else f"configuration {filter.config!r} of {self.root}"
            raise ValueError(f"{name} has no split {' or '.join(filter.splits)}, only {', '.join(there)}")
        return splits

    def count(self, filter: Filter) -> int:
        """Return the number of rows of a filter."""
        self.splits(filter)
        return int(self._counting.mask(filter).sum())

    def choice_counts(self, filter: Filter) -> dict[str, dict[str, int]]:
        """Return rows by field and choice: how many the choice would leave of the rows of all other fields."""
        return self._counting.counts(filter)

    def concept_counts(self, filter: Filter) -> dict[str, int]:
        """Return the number of rows of a filter by CUI."""
        return self._counting.concept_counts(filter)

    def rows(self, filter: Filter, offset: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return rows of a filter, in the order of the repository.

        Returns:
            For each row: the columns of the configuration `text` (labels by name), `split`, and its number in it, `row`.
        """
        self.splits(filter)
        numbers = self._counting.numbers(filter)[offset : None if limit is None else offset + limit]
        if not len(numbers):
            return []
        names = ["split", "row", *SHOWN_COLUMNS]
        found = self._tables.query(
            f"SELECT {', '.join(names)} FROM images WHERE number BETWEEN ? AND ? AND number IN "
            "(SELECT unnest(?::BIGINT[])) ORDER BY number",
            [int(numbers[0]), int(numbers[-1]), numbers.tolist()],
        )
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for row, column in itertools.product(rows, rocov2.LABELS):
            row[column] = None if row[column] is None else rocov2.label_name(rocov2.FEATURES[column], row[column])
        return rows

    def ids(self, filter: Filter) -> Iterator[tuple[str, str]]:
        """Iterate over image id and split of all rows of a filter, in the order of the repository."""
        self.splits(filter)
        found = self._tables.arrays("SELECT image_id, split FROM images ORDER BY number")
        mask = self._counting.mask(filter)
        return zip(found["image_id"][mask].tolist(), found["split"][mask].tolist(), strict=True)

    def article_counts(self, rows: Sequence[dict[str, Any]], config: str = BASE) -> dict[str, int]:
        """Return the number of images of the articles of rows, by PMCID."""
        articles = list({row["pmcid"] for row in rows} - {None})
        found = self._tables.arrays(
            "SELECT number, pmcid FROM images WHERE pmcid IN (SELECT unnest(?::VARCHAR[]))", [articles]
        )
        mask = self._configurations.mask(config, self._tables)
        counts = dict.fromkeys(articles, 0)
        for number, pmcid in zip(found["number"].tolist(), found["pmcid"].tolist(), strict=True):
            counts[pmcid] += mask is None or bool(mask[number])
        return counts

    def has_own_pictures(self, config: str) -> bool:
        """Return whether the pictures of a configuration are others than those of `default`."""
        return self._configurations.scales(config)

    def images(self, rows: Sequence[dict[str, Any]], config: str = BASE) -> list[bytes]:
        """Return the JPEGs of rows of `rows`, as the configuration has them.

        Raises:
            ValueError: the files have changed.
            ConnectionError: the Hub does not answer.
        """
        found = {
            split: self._configurations.read(
                config, split, [row["row"] for row in rows if row["split"] == split], self._tables
            )
            for split in {row["split"] for row in rows}
        }
        return [found[row["split"]][row["row"]] for row in rows]

    def sql(self, filter: Filter) -> str:
        """Return the filter as a query of DuckDB: the same rows in the same order, without images."""
        splits = self.splits(filter)
        if filter.config == BASE:  # from a few megabytes, which have the same rows
            return sql_code(filter, [f"{self.root}/{rocov2.CONFIGS['text'].files(split)}" for split in splits])
        files = [f"{self.root}/{file}" for split in splits for file in self._repository.shards(filter.config, split)]
        return sql_code(filter, files, "* EXCLUDE (image)")

    def python(self, filter: Filter) -> str:
        """Return the filter as a program with `datasets`: the same rows in the same order, with images.

        For images that allow commercial use it loads the configuration `commercial`, if a split of the filter has some.
        """
        hub, splits, config = self._repository, self.splits(filter), filter.config
        source = repr(hub.repo_id or self.root)
        revision = f", revision={hub.commit!r}" if hub.repo_id else ""
        note = 'Downloads every image before it filters; the configuration "text" has the rows without images.'
        if config == BASE and filter.commercial and (free := [split for split in splits if split in self._commercial]):
            # The images of other licences are not even downloaded.
            filter, splits, config = replace(filter, commercial=False), free, "commercial"
        source += f', "{config}"' if config != BASE else ""
        return python_code(filter, source + revision, splits, note if hub.repo_id else "")
