"""The steps that `datasets` runs over a batch, of Arrow tables or of Python values: make columns, choose or check rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from datasets import Features

from rocov2_tasks.shaping.fingerprint import hash_code

Batch = dict[str, list[Any]]

DECODED = (
    "an earlier step of this stream decoded its images (map, filter, remove_columns and rename_column do): the view would "
    "encode them again, with other pixels. Make the view first, or use select_columns and the filters of "
    'rocov2_tasks.subsets, or put cast_column("image", Image(decode=False)) before that step'
)


@dataclass(frozen=True)
class MadeRows:
    """Makes new columns of Python values, beside kept ones."""

    make: Callable[[Batch], Mapping[str, Any]]
    inputs: tuple[str, ...]
    features: Features
    kept: tuple[str, ...]

    def __call__(self, rows: Batch) -> Batch:
        for image in rows.get("image", ()):
            if not isinstance(image, dict) or not image["path"]:  # as of an image that was decoded and encoded again
                raise ValueError(DECODED)
        made = dict(self.make({column: rows[column] for column in self.inputs if column != "image"}))
        if "images" in self.features:
            made["images"] = [[image] for image in rows["image"]]
        columns = {name: rows[name] if name in self.kept else made[name] for name in self.features}
        return {
            name: values.to_pylist() if isinstance(values, pa.Array) else values for name, values in columns.items()
        }


@dataclass(frozen=True)
class ChosenRows:
    """Tells `filter` which rows of the input columns to keep."""

    choose: Callable[[Batch], Iterable[bool]]
    inputs: tuple[str, ...]

    def __call__(self, *columns: list[Any]) -> list[bool]:
        return list(self.choose(dict(zip(self.inputs, columns, strict=True))))


@dataclass(frozen=True)
class MadeTable:
    """Makes a table of new columns, beside kept ones."""

    make: Callable[[Batch], Mapping[str, Any]]
    inputs: tuple[str, ...]
    features: Features
    kept: tuple[str, ...] = ()
    code: str = field(default_factory=hash_code)

    def __call__(self, table: pa.Table) -> pa.Table:
        made = dict(self.make(_texts(table, self.inputs)))
        if "images" in self.features:
            images = table["image"].combine_chunks()
            made["images"] = pa.ListArray.from_arrays(pa.array(range(len(images) + 1), pa.int32()), images)
        schema = self.features.arrow_schema  # contains the features, so that a Parquet file has them
        columns = [
            table[name].cast(schema.field(name).type)
            if name in self.kept
            else _array(made[name], schema.field(name).type)
            for name in schema.names
        ]
        return pa.Table.from_arrays(columns, schema=schema)


@dataclass(frozen=True)
class Checked:
    """Returns a table as it is, after a check."""

    check: Callable[[Batch], None]
    inputs: tuple[str, ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        self.check(_texts(table, self.inputs))
        return table


@dataclass(frozen=True)
class Passed:
    """Chooses every row, after a check."""

    check: Callable[[Batch], None]

    def __call__(self, batch: Batch) -> list[bool]:
        self.check(batch)
        return [True] * len(next(iter(batch.values())))


@dataclass(frozen=True)
class Chosen:
    """Keeps the rows of a table for which `choose` is true."""

    choose: Callable[[Batch], Iterable[bool]]
    inputs: tuple[str, ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        return table.filter(pa.array(self.choose(_texts(table, self.inputs)), pa.bool_()))


def _texts(table: pa.Table, columns: Iterable[str]) -> Batch:
    return {column: table[column].to_pylist() for column in columns if column != "image"}


def _array(values: Any, type: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, type)
