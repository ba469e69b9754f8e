"""Search in a built repository: DuckDB finds rows in `text/`, and their images are read from `data/` by row number.

The rows of `text/<split>.parquet` are those of `data/<split>-*` in the same order, so the number of a row locates its image,
and only the requested images are read.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import hf_hub_download

import rocov2
from rocov2_shared.schemas import differing_columns
from rocov2_tasks.explorer.filters import Filter, conditions_of, python_code, sql_code
from rocov2_tasks.explorer.images import AGAIN, Images
from rocov2_tasks.explorer.packages import need

SHOWN_COLUMNS = tuple(rocov2.TEXT_FEATURES)

Value = TypeVar("Value")


def _require_columns(path: str, file: str) -> None:
    """Raise ValueError if the file at `path` has other columns than the configuration that owns it."""
    owner = rocov2.owner_of(file)
    wanted = rocov2.CONFIGS[owner[0]].features.arrow_schema if owner else pa.schema([])
    try:
        found = pq.read_schema(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path} cannot be read ({reason}): {AGAIN}") from error
    other = differing_columns(found, wanted)
    if other:
        raise ValueError(f"{path} cannot be read (it has other columns: {', '.join(other[:5])}): {AGAIN}")


class Collection:
    """The searchable rows of a built repository; its methods may be called from several threads.

        collection = Collection("rocov2")
        rows = collection.rows(Filter(modalities=("CT",), text="axial"), limit=3)

    Args:
        path: folder, `ORG/NAME` or `hf://datasets/ORG/NAME[@REVISION]`. From the Hub the files of `text/` and `vocabulary/`
            are downloaded into the cache of huggingface_hub, and images when they are shown.

    Attributes:
        root: absolute folder, or `hf://datasets/ORG/NAME@COMMIT`.
        name: name of the folder, or `ORG/NAME`.
        url: web page of the dataset; None for a folder.
        counts: rows by split.

    Raises:
        FileNotFoundError: there is no repository, or one of its files is missing.
        ConnectionError: the Hub did not answer.
        ValueError: its files are from different builds, damaged, or from an older version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        repository = rocov2.Repository.open(path)
        for config in ("default", "text", "vocabulary"):
            repository.check(config)
        self._repository = repository
        self.root = repository.root
        self.name = repository.repo_id or os.path.basename(self.root)
        self.url = f"https://huggingface.co/datasets/{self.name}" if repository.repo_id else None
        self.counts = repository.counts["default"]
        self._commercial = repository.counts.get("commercial", {})
        self._images = {split: Images(repository, split) for split in self.counts}
        self._connection = need("duckdb").connect()
        self._connection.execute("SET enable_progress_bar = false")
        for number, split in enumerate(self.counts):
            self._add(repository, number, split)
        (vocabulary,) = repository.shards("vocabulary", rocov2.VOCABULARY_SPLIT)
        self._concepts = self._read_file(vocabulary, self._read_concepts)

    def _add(self, repository: rocov2.Repository, number: int, split: str) -> None:
        (file,) = repository.shards("text", split)
        rows = (
            f"SELECT {number} AS split_number, ?::VARCHAR AS split, file_row_number AS row, {', '.join(SHOWN_COLUMNS)} "
            "FROM read_parquet(?, file_row_number = true)"
        )
        into = "INSERT INTO images" if number else "CREATE TABLE images AS"
        self._read_file(file, lambda path: self._connection.execute(f"{into} {rows}", [split, path]))
        found = self._query("SELECT count(*) FROM images WHERE split = ?", [split])[0][0]
        if found != self._images[split].rows:
            raise ValueError(
                f"{self.root}/{file} has {found:,} rows, but the split has {self._images[split].rows:,} images: the files "
                f"are from two builds: {AGAIN}"
            )

    def _read_file(self, file: str, read: Callable[[str], Value]) -> Value:
        path = self._local(file)
        _require_columns(path, file)
        try:
            return read(path)
        except need("duckdb").Error as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"{path} cannot be read ({reason}): {AGAIN}") from error

    def _local(self, file: str) -> str:
        hub = self._repository
        if not hub.remote:
            return os.path.join(self.root, file)
        try:
            options: dict[str, Any] = {"repo_type": "dataset", "revision": hub.commit}
            path: str = rocov2.patiently(lambda: hf_hub_download(str(hub.repo_id), file, **options))
            return path
        except Exception as error:  # of requests or httpx, by the version of huggingface_hub
            raise ConnectionError(f"{file} of {self.root} could not be downloaded: {error}") from error

    def _read_concepts(self, file: str) -> list[tuple[str, str, int]]:
        total = "+".join(rocov2.SPLITS)
        return [
            (cui, name or cui, images)
            for cui, name, images in self._query(
                f"SELECT cui, name, {total} AS images FROM read_parquet(?) WHERE {total} > 0 AND cui IS NOT NULL "
                "ORDER BY images DESC, cui",
                [file],
            )
        ]

    @property
    def concepts(self) -> list[tuple[str, str, int]]:
        """CUI, name and number of images of every concept with images, the most common first."""
        return self._concepts

    def values(self, column: str) -> list[str]:
        """Return the labels or licences that occur: labels in label order, licences with the most common first."""
        rows = self._query(
            f"SELECT {column} FROM images WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1"
        )
        found = [value for (value,) in rows]
        if column not in rocov2.LABELS:
            return found
        # A label that has no name, in a damaged file, is shown with its row, but is no choice.
        names = {rocov2.label_name(rocov2.FEATURES[column], number) for number in found}
        return [name for name in rocov2.LABELS[column] if name in names]

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.cursor().execute(sql, list(values)).fetchall()
        return rows

    def _where(self, filter: Filter) -> tuple[str, list[Any]]:
        conditions = conditions_of(filter)
        splits = self.splits(filter)
        parts = [f"split IN ({', '.join('?' * len(splits))})", *(condition.sql for condition in conditions)]
        values = [*splits, *(value for condition in conditions for value in condition.values)]
        return " AND ".join(parts), values

    def splits(self, filter: Filter) -> list[str]:
        """Return the splits of a filter, in the order of the repository.

        Raises:
            ValueError: the repository has none of them.
        """
        splits = [split for split in self.counts if split in (filter.splits or self.counts)]
        if not splits:
            raise ValueError(f"{self.root} has no split {' or '.join(filter.splits)}, only {', '.join(self.counts)}")
        return splits

    def count(self, filter: Filter) -> int:
        """Return the number of rows of a filter."""
        where, values = self._where(filter)
        return int(self._query(f"SELECT count(*) FROM images WHERE {where}", values)[0][0])

    def rows(self, filter: Filter, offset: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return rows of a filter, in the order of the repository.

        Returns:
            For each row: the columns of the configuration `text` (labels by name), `split`, and its number in it, `row`.
        """
        where, values = self._where(filter)
        names = ["split", "row", *SHOWN_COLUMNS]
        found = self._query(
            f"SELECT {', '.join(names)} FROM images WHERE {where} ORDER BY split_number, row LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for row, column in itertools.product(rows, rocov2.LABELS):
            row[column] = None if row[column] is None else rocov2.label_name(rocov2.FEATURES[column], row[column])
        return rows

    def images(self, rows: Sequence[dict[str, Any]]) -> list[bytes]:
        """Return the JPEGs of rows of `rows`.

        Raises:
            ValueError: the files have changed.
            ConnectionError: the Hub does not answer.
        """
        found = {
            split: self._images[split].read([row["row"] for row in rows if row["split"] == split])
            for split in {row["split"] for row in rows}
        }
        return [found[row["split"]][row["row"]] for row in rows]

    def sql(self, filter: Filter) -> str:
        """Return the filter as a query of DuckDB: the same rows in the same order, without images."""
        return sql_code(filter, [f"{self.root}/text/{split}.parquet" for split in self.splits(filter)])

    def python(self, filter: Filter) -> str:
        """Return the filter as a program with `datasets`: the same rows in the same order, with images.

        For images that allow commercial use it loads the configuration `commercial`, if a split of the filter has some.
        """
        hub, splits = self._repository, self.splits(filter)
        source = repr(hub.repo_id or self.root)
        revision = f", revision={hub.commit!r}" if hub.repo_id else ""
        if filter.commercial and (free := [split for split in splits if split in self._commercial]):
            # The images of other licences are not even downloaded.
            filter, splits, source = replace(filter, commercial=False), free, f'{source}, "commercial"'
        note = 'Downloads every image before it filters; the configuration "text" has the rows without images.'
        return python_code(filter, source + revision, splits, note if hub.repo_id else "")
