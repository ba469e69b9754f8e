"""Random changes to one Parquet file: the way in which it is written, its schema, metadata and rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_build.worker.parquet import CHUNKING, IMAGE_BYTES, leaf_columns
from tests.support.mutation import Done

_SAME_ROWS = "it contains the same rows under the same schema, and every reader decodes this way of writing"


def _writing(schema: pa.Schema) -> dict[str, Any]:
    """Return the options of the project's own writer, but for the time when the file appears."""
    others = [leaf for leaf in leaf_columns(schema) if leaf != IMAGE_BYTES]
    images = [IMAGE_BYTES] if "image" in schema.names else []
    return {
        "compression": dict.fromkeys(others, "zstd") | dict.fromkeys(images, "none"),
        "use_dictionary": others,
        "column_encoding": dict.fromkeys(images, "PLAIN"),
        "write_statistics": others,
        "write_page_index": True,
        "use_content_defined_chunking": CHUNKING,
    }


def _texts(schema: pa.Schema, encoding: str) -> dict[str, str]:
    return {"caption" if "caption" in schema.names else "name": encoding}


_WRITERS: dict[str, Callable[[pa.Schema], dict[str, Any]]] = {
    "no compression": lambda _: {"compression": "none"},
    "snappy": lambda _: {"compression": "snappy"},
    "gzip": lambda _: {"compression": "gzip"},
    "brotli": lambda _: {"compression": "brotli"},
    "lz4": lambda _: {"compression": "lz4"},
    "zstd for all": lambda _: {"compression": "zstd"},
    "dictionary for all": lambda _: {"use_dictionary": True, "column_encoding": None},
    "no dictionary": lambda _: {"use_dictionary": False},
    "pages of version 2": lambda _: {"data_page_version": "2.0"},
    "format 1.0": lambda _: {"version": "1.0"},
    "format 2.4": lambda _: {"version": "2.4"},
    "small pages": lambda _: {"data_page_size": 64, "write_batch_size": 1},
    "small pages of version 2": lambda _: {"data_page_size": 64, "write_batch_size": 1, "data_page_version": "2.0"},
    "checksums of pages": lambda _: {"write_page_checksum": True},
    "no page index": lambda _: {"write_page_index": False},
    "no statistics": lambda _: {"write_statistics": False},
    "statistics of all": lambda _: {"write_statistics": True},
    "no chunking": lambda _: {"use_content_defined_chunking": False},
    "no Arrow schema": lambda _: {"store_schema": False},
    "lists of item": lambda _: {"use_compliant_nested_type": False},
    "delta lengths": lambda schema: {
        "use_dictionary": False,
        "column_encoding": _texts(schema, "DELTA_LENGTH_BYTE_ARRAY") | dict.fromkeys(_images(schema), "PLAIN"),
    },
    "delta strings": lambda schema: {
        "use_dictionary": False,
        "column_encoding": _texts(schema, "DELTA_BYTE_ARRAY") | dict.fromkeys(_images(schema), "PLAIN"),
    },
    "delta lengths of images": lambda schema: {
        "column_encoding": dict.fromkeys(_images(schema), "DELTA_LENGTH_BYTE_ARRAY")
    },
}
"""Other ways to write the same table, by name: the options that differ from the project's own."""


def _images(schema: pa.Schema) -> list[str]:
    return [IMAGE_BYTES] if "image" in schema.names else []


def _rewrite(path: Path, table: pa.Table, groups: list[int], **options: Any) -> None:
    settings = _writing(table.schema) | options
    with pq.ParquetWriter(path, table.schema, **settings) as writer:
        start = 0
        for rows in groups:
            writer.write_table(table.slice(start, rows).combine_chunks(), row_group_size=max(rows, 1))
            start += rows


def _read(path: Path) -> tuple[pa.Table, list[int]]:
    with pq.ParquetFile(path) as parquet:
        footer = parquet.metadata
        return parquet.read(), [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]


def of_writer(path: Path, random: Random) -> Done:
    """Write a file again in another way."""
    table, groups = _read(path)
    name = random.choice(sorted(_WRITERS))
    _rewrite(path, table, groups, **_WRITERS[name](table.schema))
    return Done(f"written with {name}", harmless=_SAME_ROWS)


def of_row_groups(path: Path, random: Random) -> Done:
    """Write a file again with other row groups, or with an empty one."""
    table, groups = _read(path)
    kind = random.choice(["one", "single rows", "halves", "an empty one"])
    rows = len(table)
    other = {
        "one": [rows],
        "single rows": [1] * rows,
        "halves": [rows // 2, rows - rows // 2],
        "an empty one": [*groups, 0],
    }
    if other[kind] == groups:
        kind = "single rows"
    _rewrite(path, table, other[kind])
    return Done(f"row groups: {kind}", harmless=_SAME_ROWS)


def _set_type(table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    column = table[name].cast(kind)
    return table.set_column(table.column_names.index(name), pa.field(name, column.type), column)


def _first(table: pa.Table, *kinds: Callable[[pa.DataType], bool]) -> str:
    return str(next(field.name for field in table.schema for is_kind in kinds if is_kind(field.type)))


def _string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind))


def _integer(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind))


_SCHEMAS: dict[str, Callable[[pa.Table], pa.Table]] = {
    "large strings": lambda table: _set_type(table, _first(table, _string), pa.large_string()),
    "string views": lambda table: _set_type(table, _first(table, _string), pa.string_view()),
    "binary instead of strings": lambda table: _set_type(table, _first(table, _string), pa.binary()),
    "dictionary of strings": lambda table: _set_type(
        table, _first(table, _string), pa.dictionary(pa.int32(), pa.string())
    ),
    "other integers": lambda table: _set_type(
        table, _first(table, _integer), pa.int16() if "cui" in table.column_names else pa.int32()
    ),
    "floats": lambda table: _set_type(table, _first(table, _integer), pa.float64()),
    "integers as strings": lambda table: _set_type(table, _first(table, _integer), pa.string()),
    "other order of columns": lambda table: table.select([*table.column_names[1:], table.column_names[0]]),
    "the last two columns exchanged": lambda table: table.select(
        [*table.column_names[:-2], *table.column_names[:-3:-1]]
    ),
    "one column less": lambda table: table.drop_columns(table.column_names[-1]),
    "one column more": lambda table: table.append_column("more", pa.array(range(len(table)))),
    "a pandas index": lambda table: table.append_column("__index_level_0__", pa.array(range(len(table)))),
    "a column twice": lambda table: table.append_column(table.schema.field(1), table.column(1)),
    "a column renamed": lambda table: table.rename_columns([*table.column_names[:-1], table.column_names[-1].upper()]),
    "columns that exclude null": lambda table: table.cast(
        pa.schema(
            [field.with_nullable(bool(table[field.name].null_count)) for field in table.schema],
            metadata=table.schema.metadata,
        )
    ),
    "metadata of a field": lambda table: table.cast(
        pa.schema([table.schema.field(0).with_metadata({"a": "b"}), *list(table.schema)[1:]], table.schema.metadata)
    ),
}
"""Other schemas of the same values, by name."""


def of_schema(path: Path, random: Random) -> Done:
    """Write a file again with other columns or types."""
    table, groups = _read(path)
    metadata = table.schema.metadata
    name = random.choice(sorted(_SCHEMAS))
    changed = _SCHEMAS[name](table).replace_schema_metadata(metadata)
    try:
        _rewrite(path, changed, groups)
    except (pa.ArrowException, TypeError):  # two columns of one name
        options = {"compression": "none", "use_dictionary": False, "write_page_index": True}
        with pq.ParquetWriter(path, changed.schema, **options) as writer:
            writer.write_table(changed)
    harmless = "readers go by names, types and features, which are the same" if "of a field" in name else ""
    return Done(f"schema with {name}", harmless=harmless)


def _edit_features(metadata: dict[bytes, bytes], edit: Callable[[dict[str, Any]], object]) -> dict[bytes, bytes]:
    info = json.loads(metadata[b"huggingface"])
    edit(info["info"]["features"])
    return metadata | {b"huggingface": json.dumps(info).encode()}


def _other_label(features: dict[str, Any]) -> None:
    labels = features.get("modality")
    if labels:
        labels["names"] = labels["names"][::-1]
    else:
        features["kind"] = {"names": ["a", "b"], "_type": "ClassLabel"}


def _spell_lists(features: dict[str, Any]) -> None:
    for feature in features.values():
        if feature["_type"] == "Sequence":
            feature["_type"] = "List"
    features.setdefault("cuis", {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"})


def _first_as(feature: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda features: features.update({next(iter(features)): feature})


_METADATA: dict[str, Callable[[dict[bytes, bytes]], dict[bytes, bytes] | None]] = {
    "no metadata": lambda _: None,
    "no features": lambda metadata: {key: value for key, value in metadata.items() if key != b"huggingface"},
    "no key of chunking": lambda metadata: {key: value for key, value in metadata.items() if b"chunking" not in key},
    "another chunking": lambda metadata: metadata | {b"content_defined_chunking": b'{"min_chunk_size": 1}'},
    "features that are not JSON": lambda metadata: metadata | {b"huggingface": b"{"},
    "features that are not UTF-8": lambda metadata: metadata | {b"huggingface": b"\xff"},
    "features that are a list": lambda metadata: metadata | {b"huggingface": b"[]"},
    "features without info": lambda metadata: metadata | {b"huggingface": b"{}"},
    "deep features": lambda metadata: metadata | {b"huggingface": b"[" * 20_000 + b"]" * 20_000},
    "other labels": lambda metadata: _edit_features(metadata, _other_label),
    "lists spelled List": lambda metadata: _edit_features(metadata, _spell_lists),
    "a feature of another type": lambda metadata: _edit_features(
        metadata, _first_as({"dtype": "int64", "_type": "Value"})
    ),
    "a feature of no type": lambda metadata: _edit_features(metadata, _first_as({"_type": "Nothing"})),
    "a feature more": lambda metadata: _edit_features(
        metadata, lambda features: features.update(more={"dtype": "string", "_type": "Value"})
    ),
    "a feature less": lambda metadata: _edit_features(metadata, lambda features: features.popitem()),
    "features in another order": lambda metadata: _edit_features(
        metadata, lambda features: features.update({(first := next(iter(features))): features.pop(first)})
    ),
    "another key": lambda metadata: metadata | {b"more": b"x"},
    "a key of pandas": lambda metadata: (
        metadata | {b"pandas": b'{"index_columns": ["image_id"], "columns": [], "column_indexes": []}'}
    ),
}
"""Other metadata of the schema, by name."""


def of_metadata(path: Path, random: Random) -> Done:
    """Write a file again with other metadata."""
    table, groups = _read(path)
    name = random.choice(sorted(_METADATA))
    metadata = _METADATA[name](dict(table.schema.metadata))
    _rewrite(path, table.replace_schema_metadata(metadata), groups)
    return Done(name)


def of_rows(path: Path, random: Random) -> Done:
    """Write a file again with other rows, or the same ones in another order."""
    table, groups = _read(path)
    rows = list(range(len(table)))
    kind = random.choice(["swap", "drop", "twice", "reverse", "rotate", "column shifted"])
    one, other = random.sample(rows, 2)
    if kind == "column shifted":
        name = random.choice(table.column_names)
        shifted = table[name].take(pa.array([*rows[1:], 0]))
        if shifted.equals(table[name]):
            name = table.column_names[1]
            shifted = table[name].take(pa.array([*rows[1:], 0]))
        table = table.set_column(table.column_names.index(name), table.schema.field(name), shifted)
        kind += f": {name}"
    else:
        rows = {
            "swap": [{one: other, other: one}.get(row, row) for row in rows],
            "drop": [row for row in rows if row != one],
            "twice": sorted([*rows, one]),
            "reverse": rows[::-1],
            "rotate": [*rows[1:], 0],
        }[kind]
        table = table.take(pa.array(rows))
        groups[-1] += len(rows) - sum(groups)
    _rewrite(path, table, [size for size in groups if size > 0])
    return Done(f"rows: {kind}")
