"""The tables of a repository in DuckDB: the rows of `text/` in the order of the repository, and the concepts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from huggingface_hub import hf_hub_download

import rocov2
from rocov2_shared.schemas import differing_columns
from rocov2_tasks.explorer.images import AGAIN
from rocov2_tasks.explorer.packages import need

SHOWN_COLUMNS = tuple(rocov2.TEXT_FEATURES)

Value = TypeVar("Value")


class Tables:
    """The table `images` of a repository: its rows without images, each with its `split` and its `number`, counted from 0.

    Args:
        repository: the repository. From the Hub the files of `text/` and `vocabulary/` are downloaded into the cache of
            huggingface_hub.
        counts: rows of the images by split, in the order of the repository.

    Raises:
        ConnectionError: the Hub did not answer.
        ValueError: a file is damaged, or does not belong to the images.
    """

    def __init__(self, repository: rocov2.Repository, counts: Mapping[str, int]) -> None:
        self._repository = repository
        self._connection = need("duckdb").connect()
        self._connection.execute("SET enable_progress_bar = false")
        first = 0
        for split, rows in counts.items():
            self._add(split, first, rows)
            first += rows
        (vocabulary,) = repository.shards("vocabulary", rocov2.VOCABULARY_SPLIT)
        self.concepts = self._read_file(vocabulary, self._read_concepts)
        """CUI, name and number of images of every concept with images, the most common first."""

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        rows: list[tuple[Any, ...]] = self._run(sql, values).fetchall()
        return rows

    def arrays(self, sql: str, values: Sequence[Any] = ()) -> dict[str, Any]:
        """Return the columns of a query as arrays of NumPy."""
        columns: dict[str, Any] = self._run(sql, values).fetchnumpy()
        return columns

    def _run(self, sql: str, values: Sequence[Any]) -> Any:
        return self._connection.cursor().execute(
            sql, list(values)
        )  # a connection is for one thread, its cursors are not

    def _add(self, split: str, first: int, wanted: int) -> None:
        (file,) = self._repository.shards("text", split)
        rows = (
            f"SELECT ?::VARCHAR AS split, file_row_number AS row, file_row_number + {first} AS number, "
            f"{', '.join(SHOWN_COLUMNS)} FROM read_parquet(?, file_row_number = true)"
        )
        into = "INSERT INTO images" if first else "CREATE TABLE images AS"
        self._read_file(file, lambda path: self._connection.execute(f"{into} {rows}", [split, path]))
        found = self.query("SELECT count(*) FROM images WHERE split = ?", [split])[0][0]
        if found != wanted:
            raise ValueError(
                f"{self._repository.root}/{file} has {found:,} rows, but the split has {wanted:,} images: the files are "
                f"from two builds: {AGAIN}"
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
            return os.path.join(hub.root, file)
        try:
            options: dict[str, Any] = {"repo_type": "dataset", "revision": hub.commit}
            path: str = rocov2.patiently(lambda: hf_hub_download(str(hub.repo_id), file, **options))
            return path
        except Exception as error:  # of requests or httpx, by the version of huggingface_hub
            raise ConnectionError(f"{file} of {hub.root} could not be downloaded: {error}") from error

    def _read_concepts(self, file: str) -> list[tuple[str, str, int]]:
        total = "+".join(rocov2.SPLITS)
        rows = self.query(
            f"SELECT cui, name, {total} AS images FROM read_parquet(?) WHERE {total} > 0 AND cui IS NOT NULL "
            "ORDER BY images DESC, cui",
            [file],
        )
        return [(cui, name or cui, images) for cui, name, images in rows]


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
