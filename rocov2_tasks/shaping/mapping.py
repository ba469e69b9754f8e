"""What views and filters do to a dataset: make columns and choose rows without decoding an image.

`map` and `filter` of `datasets` decode the images of the rows that they pass on, and `map` encodes a decoded image again,
with other pixels. Here they get Arrow tables, in which an image is its bytes.

A stream that went through such a step before (also `remove_columns` or `rename_column`) has no tables any more, only rows of
Python values. Rows can still be chosen from it. Columns can be made if no images are needed, or if they were not decoded;
otherwise the stream is refused, since the released bytes are lost.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from datasets import (
    Dataset,
    DatasetDict,
    Features,
    IterableDataset,
    IterableDatasetDict,
    Value,
    concatenate_datasets,
)

from rocov2_tasks.shaping.steps import DECODED, Batch, Checked, Chosen, ChosenRows, MadeRows, MadeTable, Passed

__all__ = [
    "ID",
    "Batch",
    "add_columns",
    "check_rows",
    "keep_rows",
    "of_every_split",
    "read_batches",
    "require_columns",
    "require_strings",
]

Function = TypeVar("Function", bound=Callable[..., Any])

ID = "image_id"
"""Column that names a row in messages: whatever makes or checks columns gets it, if the dataset has it."""

_BATCH = 64
"""Rows in memory at a time: a few megabytes, with images of some 100 kB."""


def of_every_split(view: Function) -> Function:
    """Let a function whose first argument is a dataset take a dictionary of splits, too."""

    @functools.wraps(view)
    def call(dataset: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(dataset, dict):  # also a plain one: the result is always a dictionary of `datasets`
            made = {split: view(part, *arguments, **options) for split, part in dataset.items()}
            streams = any(isinstance(part, IterableDataset) for part in made.values())
            return IterableDatasetDict(made) if streams else DatasetDict(made)
        if not isinstance(dataset, (Dataset, IterableDataset)):
            raise TypeError(
                f"expected a Dataset, an IterableDataset, or a dictionary of splits of either, got {type(dataset).__name__}"
            )
        return view(dataset, *arguments, **options)

    return cast(Function, call)


def require_columns(dataset: Any, *columns: str) -> Features:
    """Return the features of a dataset that must have `columns`.

    Raises:
        ValueError: a column is missing, or the dataset does not know its columns.
    """
    if dataset.features is None:
        raise ValueError(
            "the stream does not know its columns, as after a map without features=: make the view first, or pass features="
        )
    missing = [column for column in columns if column not in dataset.features]
    if missing:
        hint = " (the configuration text has no images)" if "image" in missing else ""
        raise ValueError(f"missing column {', '.join(missing)}{hint}: the dataset has {', '.join(dataset.features)}")
    return dataset.features


def require_strings(dataset: Any, *columns: str) -> None:
    """Raise ValueError unless all `columns` exist and are string columns."""
    features = require_columns(dataset, *columns)
    for column in columns:
        if features[column] != Value("string"):
            raise ValueError(f"column {column!r} must be a string column, got {features[column]}")


def add_columns(
    dataset: Any,
    make: Callable[[Batch], Mapping[str, Any]],
    inputs: Sequence[str],
    features: Features,
    keep: Sequence[str] = (),
) -> Any:
    """Return a dataset of the columns `keep`, unchanged, and new ones; a format or transform of the dataset is removed.

    In a map-style dataset the new columns are written to the cache of `datasets`, and the kept ones are not copied (except
    after `select`, `filter` or `shuffle`, whose choice of rows is carried out first).

    Args:
        dataset: map-style or streaming.
        make: returns the new columns, except `images`, for a batch of `inputs` (and `ID`). It is hashed for the cache: it
            must not be a lambda, and everything that it depends on must be in its attributes.
        inputs: columns that `make` needs.
        features: features of the new columns, in order; `images` is the column `image`, each image in a list of its own.
        keep: columns to keep; a new column replaces one of the same name.
    """
    known = require_columns(dataset, *inputs, *keep)
    kept = tuple(column for column in keep if column not in features)
    result = Features({column: known[column] for column in kept} | dict(features))
    inputs = (*_named(inputs, known), *(["image"] if "images" in features else []))
    if not isinstance(dataset, IterableDataset):
        return _add_to_dataset(dataset, MadeTable(make, inputs, features), kept, result)
    if _has_tables(dataset):
        return _add_to_tables(dataset, MadeTable(make, inputs, result, kept))
    return _add_to_rows(dataset, MadeRows(make, inputs, result, kept))


def _add_to_dataset(dataset: Dataset, step: MadeTable, kept: Sequence[str], features: Features) -> Dataset:
    """Add columns to a map-style dataset: make the new ones, and put the kept ones beside them."""
    if not len(dataset):  # map() would not add a column
        return Dataset.from_dict({column: [] for column in features}, features=features, split=dataset.split)
    plain = dataset.with_format(None)
    made = (
        plain.select_columns(list(step.inputs))
        .with_format("arrow")
        .map(
            step,
            batched=True,
            batch_size=_BATCH,
            writer_batch_size=_BATCH,
            remove_columns=list(step.inputs),
            features=step.features,
            desc="Making the view",
        )
        .with_format(None)
    )
    if not kept:
        return made
    return concatenate_datasets([plain.select_columns(list(kept)), made], axis=1, split=dataset.split)


def _add_to_tables(stream: IterableDataset, step: MadeTable) -> IterableDataset:
    """Add columns to a stream that still has tables.

    In Arrow, since among Python values a column without a value so far would have no type. cast() sets the features: map()
    would take them for the types of the decoded rows.
    """
    tables = stream.with_format("arrow").select_columns(list(dict.fromkeys([*step.kept, *step.inputs])))
    return tables.map(step, batched=True, batch_size=_BATCH).with_format(None).cast(step.features)


def _add_to_rows(stream: IterableDataset, step: MadeRows) -> IterableDataset:
    """Add columns to a stream of Python values."""
    needed = list(dict.fromkeys([*step.kept, *step.inputs]))
    if "image" in needed and require_columns(stream, "image")["image"].decode:
        raise ValueError(DECODED)
    plain = stream.with_format(None).select_columns(needed)
    return plain.map(step, batched=True, batch_size=_BATCH, remove_columns=needed, features=step.features)


def keep_rows(dataset: Any, choose: Callable[[Batch], Iterable[bool]], inputs: Sequence[str]) -> Any:
    """Return the rows for which `choose` is true, given `inputs`; a format of a stream is removed."""
    features = require_columns(dataset, *inputs)
    if isinstance(dataset, Dataset):
        columns = dataset.with_format(None).select_columns(list(inputs))
        chosen = [flag for batch in columns.iter(1000) for flag in choose(batch)] if len(dataset) else []
        return dataset.select(np.flatnonzero(np.asarray(chosen, dtype=bool)))
    if not _has_tables(dataset):
        return dataset.with_format(None).filter(
            ChosenRows(choose, tuple(inputs)), input_columns=list(inputs), batched=True, batch_size=_BATCH
        )
    # map() instead of filter(), which in datasets 4.8 fails on a stream of tables, and decodes the images of Python values.
    stream = dataset.with_format("arrow").map(Chosen(choose, tuple(inputs)), batched=True, batch_size=_BATCH)
    return stream.with_format(None).cast(features)


def check_rows(dataset: Any, check: Callable[[Batch], None], inputs: Sequence[str]) -> Any:
    """Return a dataset whose rows pass `check`, which raises an error for a batch of `inputs` (and `ID`) with a wrong row.

    Map-style rows are checked now, those of a stream when they come; a format of a stream is removed.
    """
    inputs = _named(inputs, require_columns(dataset, *inputs))
    if isinstance(dataset, Dataset):
        for batch in read_batches(dataset, inputs):
            check(batch)
        return dataset
    if not _has_tables(dataset):
        return keep_rows(dataset, Passed(check), inputs)
    checked = dataset.with_format("arrow").map(Checked(check, inputs), batched=True, batch_size=_BATCH)
    return checked.with_format(None).cast(dataset.features)


def read_batches(dataset: Dataset, inputs: Sequence[str]) -> Iterator[Batch]:
    """Yield columns of a map-style dataset (and `ID`, if it has it), some rows at a time; none of them may be images."""
    columns = dataset.with_format("arrow").select_columns(list(_named(inputs, dataset.features)))
    for table in columns.iter(1000) if len(dataset) else ():
        yield table.to_pydict()


def _named(inputs: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*inputs, *({ID} & set(known))]))


def _has_tables(stream: IterableDataset) -> bool:
    # `datasets` has no public way to find out.
    return getattr(stream._ex_iterable, "iter_arrow", None) is not None
