"""Searching a built repository: rows found by DuckDB in `text/`, images read from `data/` by the place of their rows.

The rows of `text/<split>.parquet` are those of `data/<split>-*` in the same order, so the number of a row says where its
image lies, and only the images that are asked for are read. Every condition of a filter is written once, as SQL and as
Python beside each other: what is searched and what is copied cannot differ.
"""

from __future__ import annotations

import bisect
import importlib
import itertools
import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from huggingface_hub import hf_hub_download

import rocov2
from rocov2_tasks.layout import read_layout
from rocov2_tasks.reading import ChangedShardError, GroupReader

COLUMNS = tuple(rocov2.TEXT_FEATURES)
LABELS = {"modality": tuple(rocov2.MODALITIES), "region": tuple(rocov2.REGIONS), "direction": tuple(rocov2.DIRECTIONS)}
"""Names of the labels by column, in label order."""

CUI = re.compile(r"C\d{7}")
_TERM = re.compile(r'"([^"]*)"|(\S+)')
_READERS = 8
"""Images of the Hub that are fetched at a time."""

Value = TypeVar("Value")

_LOWER = '''def lower(text):  # letter by letter, as DuckDB does
    return "".join(map(str.lower, text.replace("İ", "i")))


'''


def need(module: str) -> Any:
    """Import a package of the extra `explore`.

    Raises:
        ModuleNotFoundError: it is not installed; says how to.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise ModuleNotFoundError(
            f"the explorer needs the package {module}: pip install -e '.[explore]' in this project", name=module
        ) from None


def lower(text: str) -> str:
    """Small letters as DuckDB's `lower()` makes them: without the Greek final sigma, and İ is i."""
    return "".join(map(str.lower, text.replace("İ", "i")))


def terms(text: str) -> list[str]:
    """What a caption has to hold: words, and phrases in double quotes; in small letters, each once."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", " ")
    found = [lower(phrase or word) for phrase, word in _TERM.findall(clean)]
    return list(dict.fromkeys(term for term in found if term.strip()))


@dataclass(frozen=True)
class Filter:
    """What the rows have to be; an empty field asks for nothing.

    Attributes:
        splits: in one of these.
        modalities, regions: names of labels, one of which the image has.
        licenses: one of which it has.
        commercial: whether its licence has to allow commercial use.
        cuis: concepts, all of which it has.
        text: all the words, and phrases in double quotes, that its caption holds, in capital or small letters.

    Raises:
        ValueError: an unknown name, or a malformed CUI.
    """

    splits: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    commercial: bool = False
    cuis: tuple[str, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        known: dict[str, Iterable[str]] = {
            "splits": rocov2.SPLITS,
            "modalities": rocov2.MODALITIES,
            "regions": rocov2.REGIONS,
            "licenses": rocov2.LICENSES,
        }
        for field in fields(self):
            for name in getattr(self, field.name) if field.name in known else ():
                if name not in known[field.name]:
                    raise ValueError(f"{field.name}: no {name!r}, there are {', '.join(known[field.name])}")
        for cui in self.cuis:
            if not CUI.fullmatch(cui):
                raise ValueError(f"cuis: {cui!r} is no concept code, expected C and seven digits")


@dataclass(frozen=True)
class _Condition:
    """A condition on `column`: SQL with a `?` for each of `values`, the same as Python, and a note for a reader."""

    column: str
    sql: str
    values: tuple[str | int, ...]
    python: str
    note: str = ""


def _one_of(column: str, names: Sequence[str]) -> list[_Condition]:
    if not names:
        return []
    values: list[str | int] = list(dict.fromkeys(names))
    note = ""
    if column in LABELS:
        note = ", ".join(map(str, values))
        values = [LABELS[column].index(str(name)) for name in values]
    marks = ", ".join("?" * len(values))
    python = f"{column} in {{{', '.join(map(repr, values))}}}"
    return [_Condition(column, f"{column} IN ({marks})", tuple(values), python, note)]


def _conditions(filter: Filter) -> list[_Condition]:
    commercial = [name for name, allowed in rocov2.LICENSES.items() if allowed] if filter.commercial else []
    return [
        *_one_of("modality", filter.modalities),
        *_one_of("region", filter.regions),
        *_one_of("license", filter.licenses),
        *_one_of("license", commercial),
        *(
            _Condition("cuis", "list_contains(cuis, ?)", (cui,), f"{cui!r} in cuis")
            for cui in dict.fromkeys(filter.cuis)
        ),
        *(
            _Condition("caption", "contains(lower(caption), ?)", (term,), f"{term!r} in lower(caption)")
            for term in terms(filter.text)
        ),
    ]


def _quote(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _with_values(condition: _Condition) -> str:
    parts = condition.sql.split("?")
    return "".join(itertools.chain(*zip(parts, [*map(_quote, condition.values), ""], strict=True)))


def _lines(texts: Sequence[str], conditions: Sequence[_Condition], between: str, comment: str) -> str:
    notes = [f"  {comment} {condition.note}" if condition.note else "" for condition in conditions]
    return f"\n{between}".join(text + note for text, note in zip(texts, notes, strict=True))


def sql_code(filter: Filter, files: Sequence[str]) -> str:
    """A query of DuckDB that gives the rows of `filter`, without images, of the Parquet files of the wanted splits."""
    conditions = _conditions(filter)
    where = _lines([_with_values(condition) for condition in conditions], conditions, "  AND ", "--")
    tables = ",\n".join(f"    {_quote(file)}" for file in files)
    return f"SELECT *\nFROM read_parquet([\n{tables}\n])" + (f"\nWHERE {where}" if where else "") + ";\n"


def python_code(filter: Filter, source: str, splits: Sequence[str]) -> str:
    """A program with `datasets` that gives the rows of `filter`, with images.

    Args:
        filter: the filter; its splits are not looked at.
        source: first arguments of `load_dataset`, as Python.
        splits: the wanted ones.
    """
    conditions = _conditions(filter)
    load = f"rows = load_dataset({source}, split={'+'.join(splits)!r})\n"
    if not conditions:
        return f"from datasets import load_dataset\n\n{load}"
    columns = list(dict.fromkeys(condition.column for condition in conditions))
    tests = _lines([condition.python for condition in conditions], conditions, "        and ", "#")
    return (
        f"from datasets import load_dataset\n\n\n{_LOWER if 'caption' in columns else ''}"
        f"def wanted({', '.join(columns)}):\n    return (\n        {tests}\n    )\n\n\n"
        f"{load}rows = rows.filter(wanted, input_columns={columns!r})\n"
    )


class Images:
    """JPEGs of a split by the number of their row.

    Raises:
        ValueError: a shard is missing, or is not the one that `conversion.json` tells of.
    """

    def __init__(self, repository: rocov2.Repository, split: str) -> None:
        self._layout = read_layout(repository, "default", split)
        self._stops = list(itertools.accumulate(group.rows for group in self._layout.groups))
        self._reader = _told(lambda: GroupReader(self._layout, ["image"]))
        self.rows = self._layout.rows
        """Their number."""

    def read(self, row: int) -> bytes:
        """The JPEG of a row of the split, byte for byte as released."""
        group = bisect.bisect_right(self._stops, row)
        within = row - (self._stops[group] - self._layout.groups[group].rows)
        return _told(lambda: bytes(self._reader.read(group, within, within + 1).image(within)))


def _told(read: Callable[[], Value]) -> Value:
    try:
        return read()
    except ChangedShardError as error:
        raise ValueError(f"the images cannot be read: {error}") from error


class Collection:
    """The rows of a built repository, to be searched; its methods may be called from several threads.

    Args:
        path: folder, `ORG/NAME` or `hf://datasets/ORG/NAME[@REVISION]`. Of a dataset on the Hub the files of `text/` and
            `vocabulary/` are fetched into the cache of huggingface_hub, images when they are shown.

    Attributes:
        root: absolute folder, or `hf://datasets/ORG/NAME@COMMIT`.
        counts: rows by split.

    Raises:
        FileNotFoundError: no repository there, or one of its files is missing.
        ConnectionError: the Hub could not be asked.
        ValueError: its files do not belong together, or are of an older version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        repository = rocov2.Repository.open(path)
        for config in ("default", "text", "vocabulary"):
            repository.check(config)
        self.root = repository.root
        self.counts = repository.counts["default"]
        self._images = {split: Images(repository, split) for split in self.counts}
        self._connection = need("duckdb").connect()
        self._connection.execute("SET enable_progress_bar = false")
        for number, split in enumerate(self.counts):
            self._add(repository, number, split)
        (vocabulary,) = repository.shards("vocabulary", rocov2.VOCABULARY_SPLIT)
        self._concepts = self._read_concepts(self._local(vocabulary))

    def _add(self, repository: rocov2.Repository, number: int, split: str) -> None:
        (file,) = repository.shards("text", split)
        rows = (
            f"SELECT {number} AS split_number, '{split}' AS split, file_row_number AS row, {', '.join(COLUMNS)} "
            "FROM read_parquet(?, file_row_number = true)"
        )
        into = "INSERT INTO images" if number else "CREATE TABLE images AS"
        self._connection.execute(f"{into} {rows}", [self._local(file)])
        found = self._query("SELECT count(*) FROM images WHERE split = ?", [split])[0][0]
        if found != self._images[split].rows:
            raise ValueError(
                f"{self.root}/{file} has {found:,} rows, the images of the split are {self._images[split].rows:,}: they are "
                "of two builds. Build it again, or download it again"
            )

    def _local(self, file: str) -> str:
        hub = self._hub
        if hub is None:
            return os.path.join(self.root, file)
        name, commit = hub
        try:
            return hf_hub_download(name, file, repo_type="dataset", revision=commit)
        except Exception as error:  # of requests or httpx, by the version of huggingface_hub
            raise ConnectionError(f"{file} of {self.root} could not be fetched: {error}") from error

    @property
    def _hub(self) -> tuple[str, str] | None:
        if not self.root.startswith("hf://"):
            return None
        name, _, commit = self.root.removeprefix("hf://datasets/").partition("@")
        return name, commit

    def _read_concepts(self, file: str) -> list[tuple[str, str, int]]:
        total = "+".join(rocov2.SPLITS)
        return [
            (cui, name or cui, images)
            for cui, name, images in self._query(
                f"SELECT cui, name, {total} AS images FROM read_parquet(?) WHERE {total} > 0 ORDER BY images DESC, cui",
                [file],
            )
        ]

    @property
    def concepts(self) -> list[tuple[str, str, int]]:
        """CUI, name and number of images of every concept that an image has, the commonest first."""
        return self._concepts

    def values(self, column: str) -> list[str]:
        """Labels or licences that occur: labels in label order, licences the commonest first."""
        rows = self._query(f"SELECT {column} FROM images WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1")
        found = [value for (value,) in rows]
        return [LABELS[column][number] for number in sorted(found)] if column in LABELS else found

    def _query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.cursor().execute(sql, list(values)).fetchall()
        return rows

    def _where(self, filter: Filter) -> tuple[str, list[Any]]:
        conditions = _conditions(filter)
        splits = self.splits(filter)
        parts = [f"split IN ({', '.join('?' * len(splits))})", *(condition.sql for condition in conditions)]
        values = [*splits, *(value for condition in conditions for value in condition.values)]
        return " AND ".join(parts), values

    def splits(self, filter: Filter) -> list[str]:
        """The splits that a filter asks for, in the order of the repository.

        Raises:
            ValueError: the repository has none of them.
        """
        splits = [split for split in self.counts if split in (filter.splits or self.counts)]
        if not splits:
            raise ValueError(f"no split {' or '.join(filter.splits)} in {self.root}: it has {', '.join(self.counts)}")
        return splits

    def count(self, filter: Filter) -> int:
        """Number of rows."""
        where, values = self._where(filter)
        return int(self._query(f"SELECT count(*) FROM images WHERE {where}", values)[0][0])

    def rows(self, filter: Filter, offset: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Some of the rows of a filter, in the order of the repository.

        Returns:
            By row: the columns of the configuration `text` (labels by name), `split`, and `row`, its number there.
        """
        where, values = self._where(filter)
        names = ["split", "row", *COLUMNS]
        found = self._query(
            f"SELECT {', '.join(names)} FROM images WHERE {where} ORDER BY split_number, row LIMIT ? OFFSET ?",
            [*values, limit, offset],
        )
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for row, (column, labels) in itertools.product(rows, LABELS.items()):
            row[column] = None if row[column] is None else labels[row[column]]
        return rows

    def images(self, rows: Sequence[dict[str, Any]]) -> list[bytes]:
        """JPEGs of rows that `rows` gave.

        Raises:
            ValueError: the files have changed since.
            ConnectionError: they did not come from the Hub.
        """
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(lambda row: self._images[row["split"]].read(row["row"]), rows))

    def sql(self, filter: Filter) -> str:
        """The filter as a query of DuckDB: the same rows in the same order, without images."""
        return sql_code(filter, [f"{self.root}/text/{split}.parquet" for split in self.splits(filter)])

    def python(self, filter: Filter) -> str:
        """The filter as a program with `datasets`: the same rows in the same order, with images."""
        hub = self._hub
        source = repr(self.root) if hub is None else f"{hub[0]!r}, revision={hub[1]!r}"
        return python_code(filter, source, self.splits(filter))
