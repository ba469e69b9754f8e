"""Columns made and rows chosen without an image being decoded: what views and filters do to a dataset of `datasets`.

`map` and `filter` of `datasets` decode the images of the rows that they hand on, and what `map` gets back decoded it saves
as JPEG again, with other pixels. Here they are given Arrow tables, in which an image is its bytes.

A stream that went through such a step before (also `remove_columns` and `rename_column`, which are one) has no tables any
more, only rows of Python values. Rows are chosen from it all the same; columns are made where images are not in play, or
were not decoded; else it is refused, since the bytes as released are lost.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa
from datasets import (
    Dataset,
    DatasetDict,
    Features,
    IterableDataset,
    IterableDatasetDict,
    Value,
    concatenate_datasets,
)

Batch = dict[str, list[Any]]
Function = TypeVar("Function", bound=Callable[..., Any])

_BATCH = 64
"""Rows that are in memory together: with images of some 100 kB, a few megabytes."""


def of_every_split(view: Function) -> Function:
    """Let a function of one dataset, its first argument, be called with a dictionary of splits too."""

    @functools.wraps(view)
    def call(dataset: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(dataset, dict):  # a plain one becomes what `datasets` makes of such splits
            made = {split: view(part, *arguments, **options) for split, part in dataset.items()}
            streams = any(isinstance(part, IterableDataset) for part in made.values())
            return IterableDatasetDict(made) if streams else DatasetDict(made)
        if not isinstance(dataset, (Dataset, IterableDataset)):
            raise TypeError(
                f"expected a Dataset, an IterableDataset, or a dictionary of splits of either; got {type(dataset).__name__}"
            )
        return view(dataset, *arguments, **options)

    return cast(Function, call)


def require_columns(dataset: Any, *columns: str) -> Features:
    """The features of a dataset that has `columns`.

    Raises:
        ValueError: it lacks some, or does not know its columns.
    """
    if dataset.features is None:
        raise ValueError(
            "the stream does not know its columns, as after a map without features=: make the view first, or pass them"
        )
    missing = [column for column in columns if column not in dataset.features]
    if missing:
        hint = ": the configuration text has none" if "image" in missing else ""
        raise ValueError(f"no column {', '.join(missing)}{hint}; the dataset has {', '.join(dataset.features)}")
    return dataset.features


def require_strings(dataset: Any, *columns: str) -> None:
    """Raise ValueError unless `columns` are there and hold text."""
    features = require_columns(dataset, *columns)
    for column in columns:
        if features[column] != Value("string"):
            raise ValueError(f"column {column} is to hold text, and is {features[column]}")


def add_columns(
    dataset: Any,
    make: Callable[[Batch], Mapping[str, Any]],
    inputs: Sequence[str],
    features: Features,
    keep: Sequence[str] = (),
) -> Any:
    """A dataset of the columns `keep`, as they are, and new ones; a format or transform of the dataset is taken off.

    Map-style the new columns are written to the cache of `datasets`, and those that are kept are not copied (except after
    `select`, `filter` or `shuffle`, whose choice of rows is carried out first).

    Args:
        dataset: map-style or streaming.
        make: the new columns of a batch of `inputs`, but for `images`. It is hashed for the cache: it is no lambda, and all
            that it depends on is in its attributes.
        inputs: columns that it needs.
        features: of the new columns, in order; `images` is the column `image`, each in a list of its own.
        keep: columns; one that is also new is replaced.
    """
    known = require_columns(dataset, *inputs, *keep)
    kept = [column for column in keep if column not in features]
    result = Features({column: known[column] for column in kept} | dict(features))
    inputs = [*inputs, "image"] if "images" in features else list(inputs)
    if isinstance(dataset, IterableDataset):
        needed = list(dict.fromkeys([*kept, *inputs]))
        if not _has_tables(dataset):
            return _add_to_rows(dataset, make, needed, inputs, result, kept)
        # In Arrow, since between Python values a column that has been null so far would be of no type. The features are told
        # by cast(): told to map(), they would be taken for what its rows have been decoded to.
        stream = dataset.with_format("arrow").select_columns(needed)
        step = _Made(make, tuple(inputs), result, tuple(kept))
        return stream.map(step, batched=True, batch_size=_BATCH).with_format(None).cast(result)
    plain = dataset.with_format(None)
    if not len(dataset):  # map() would not add a column
        return Dataset.from_dict({column: [] for column in result}, features=result, split=dataset.split)
    made = (
        plain.select_columns(inputs)
        .with_format("arrow")
        .map(
            _Made(make, tuple(inputs), features),
            batched=True,
            batch_size=_BATCH,
            writer_batch_size=_BATCH,
            remove_columns=inputs,
            features=features,
            desc="Making the view",
        )
        .with_format(None)
    )
    return concatenate_datasets([plain.select_columns(kept), made], axis=1, split=dataset.split) if kept else made


def keep_rows(dataset: Any, choose: Callable[[Batch], Iterable[bool]], inputs: Sequence[str]) -> Any:
    """The rows that `choose` says, from `inputs` alone; of a stream a format is taken off."""
    features = require_columns(dataset, *inputs)
    if isinstance(dataset, Dataset):
        columns = dataset.with_format(None).select_columns(list(inputs))
        chosen = [flag for batch in columns.iter(1000) for flag in choose(batch)] if len(dataset) else []
        return dataset.select(np.flatnonzero(np.asarray(chosen, dtype=bool)))
    if not _has_tables(dataset):
        return dataset.with_format(None).filter(
            _ChosenRows(choose, tuple(inputs)), input_columns=list(inputs), batched=True, batch_size=_BATCH
        )
    # By map(): filter() of a stream of tables fails in datasets 4.8, and one of Python values decodes the images.
    stream = dataset.with_format("arrow").map(_Chosen(choose, tuple(inputs)), batched=True, batch_size=_BATCH)
    return stream.with_format(None).cast(features)


def _has_tables(stream: IterableDataset) -> bool:
    # Nothing public of `datasets` tells it.
    return getattr(stream._ex_iterable, "iter_arrow", None) is not None


_DECODED = (
    "an earlier step of this stream decoded its images (map, filter, remove_columns and rename_column do): the view would "
    "save them anew, with other pixels. Make the view first; or take select_columns, and the filters of "
    'rocov2_tasks.subsets; or put cast_column("image", Image(decode=False)) before that step'
)


def _add_to_rows(
    stream: IterableDataset,
    make: Callable[[Batch], Mapping[str, Any]],
    needed: list[str],
    inputs: Sequence[str],
    features: Features,
    kept: Sequence[str],
) -> IterableDataset:
    """As `add_columns`, to a stream of Python values."""
    if "image" in needed and require_columns(stream, "image")["image"].decode:
        raise ValueError(_DECODED)
    step = _MadeRows(make, tuple(inputs), features, tuple(kept))
    plain = stream.with_format(None).select_columns(needed)
    return plain.map(step, batched=True, batch_size=_BATCH, remove_columns=needed, features=features)


@dataclass(frozen=True)
class _MadeRows:
    """Columns of Python values, as they are and new ones."""

    make: Callable[[Batch], Mapping[str, Any]]
    inputs: tuple[str, ...]
    features: Features
    kept: tuple[str, ...]

    def __call__(self, rows: Batch) -> Batch:
        for image in rows.get("image", ()):
            if not isinstance(image, dict) or not image["path"]:  # as an image that was decoded and saved anew
                raise ValueError(_DECODED)
        made = dict(self.make({column: rows[column] for column in self.inputs if column != "image"}))
        if "images" in self.features:
            made["images"] = [[image] for image in rows["image"]]
        columns = {name: rows[name] if name in self.kept else made[name] for name in self.features}
        return {
            name: values.to_pylist() if isinstance(values, pa.Array) else values for name, values in columns.items()
        }


@dataclass(frozen=True)
class _ChosenRows:
    """Which rows of columns `choose` says."""

    choose: Callable[[Batch], Iterable[bool]]
    inputs: tuple[str, ...]

    def __call__(self, *columns: list[Any]) -> list[bool]:
        return list(self.choose(dict(zip(self.inputs, columns, strict=True))))


@functools.cache
def _code() -> str:
    # `datasets` looks at the attributes of what it calls, not at its code: without this its cache would give what an older
    # version of the project made.
    folder = Path(__file__).parent
    sources = [(folder / name).read_bytes() for name in ("mapping.py", "shapes.py", "prompts.py")]
    return hashlib.sha256(b"".join(sources)).hexdigest()


@dataclass(frozen=True)
class _Made:
    """A table of columns as they are and of new ones."""

    make: Callable[[Batch], Mapping[str, Any]]
    inputs: tuple[str, ...]
    features: Features
    kept: tuple[str, ...] = ()
    code: str = field(default_factory=_code)

    def __call__(self, table: pa.Table) -> pa.Table:
        made = dict(self.make(_texts(table, self.inputs)))
        if "images" in self.features:
            images = table["image"].combine_chunks()
            made["images"] = pa.ListArray.from_arrays(pa.array(range(len(images) + 1), pa.int32()), images)
        schema = self.features.arrow_schema  # with the features in it, which so get into a Parquet file
        columns = [
            table[name].cast(schema.field(name).type)
            if name in self.kept
            else _array(made[name], schema.field(name).type)
            for name in schema.names
        ]
        return pa.Table.from_arrays(columns, schema=schema)


@dataclass(frozen=True)
class _Chosen:
    """The rows of a table that `choose` says."""

    choose: Callable[[Batch], Iterable[bool]]
    inputs: tuple[str, ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        return table.filter(pa.array(self.choose(_texts(table, self.inputs)), pa.bool_()))


def _texts(table: pa.Table, columns: Iterable[str]) -> Batch:
    return {column: table[column].to_pylist() for column in columns if column != "image"}


def _array(values: Any, type: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, type)
