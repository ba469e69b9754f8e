"""How a Parquet file of the repository is written, so that every reader and the Hub's viewer can use it well.

Image bytes are uncompressed, PLAIN and without a dictionary (a JPEG does not shrink, and a dictionary page would contain
megabytes); everything else is zstd. Columns whose texts hardly repeat have no dictionary either: it would only be longer than
its texts. A page index and content-defined chunking let the viewer read single pages.
This module is imported by the workers: it needs pyarrow alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from rocov2_shared.files import write_whole

IMAGE_BYTES = "image.bytes"

NEARLY_UNIQUE = ("image.path", "image_id", "caption", "pmcid", "url", "cui", "name")
"""Parquet columns without a dictionary: nearly every row has another text."""

# What `datasets` writes by default. It writes the first key into the metadata; the viewer looks for the second one.
CHUNKING = {"min_chunk_size": 256 * 1024, "max_chunk_size": 1024 * 1024, "norm_level": 0}
CHUNKING_KEYS = ("content_defined_chunking", "use_content_defined_chunking")


def portable_features(features: dict[str, Any]) -> dict[str, Any]:
    """Features as JSON that every version of `datasets` reads: lists spelled `Sequence`, as before 4.0.

    Args:
        features: from `Features.to_dict()`, with either spelling.
    """

    def spell(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {key: spell(part) for key, part in value.items() if (key, part) != ("length", -1)}
            return kept | {"_type": "Sequence"} if value.get("_type") == "List" else kept
        return value

    return {name: spell(feature) for name, feature in features.items()}


def repository_schema(schema: pa.Schema, features: dict[str, Any]) -> pa.Schema:
    """The Arrow schema of a file: the types of `schema`, with `features` (JSON) where `datasets` looks for them."""
    info = {"info": {"features": portable_features(features)}}
    return schema.with_metadata({"huggingface": json.dumps(info), **dict.fromkeys(CHUNKING_KEYS, json.dumps(CHUNKING))})


def leaf_columns(schema: pa.Schema) -> list[str]:
    """Paths of the schema's Parquet columns: `image.bytes`, `cuis.list.element`, ..."""

    def leaves(path: str, kind: pa.DataType) -> Iterator[str]:
        if pa.types.is_struct(kind):
            for field in kind:
                yield from leaves(f"{path}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            yield from leaves(f"{path}.list.element", kind.value_type)
        else:
            yield path

    return [leaf for field in schema for leaf in leaves(field.name, field.type)]


class Digest(Protocol):
    """A hash that is computed part by part, as those of `hashlib` are."""

    def update(self, data: bytes, /) -> None: ...


class _HashedFile:
    """A file that is hashed while it is written: then it need not be read again for its hash."""

    closed = False

    def __init__(self, file: BinaryIO, digest: Digest) -> None:
        self._file, self._digest = file, digest
        self.tell, self.flush = file.tell, file.flush

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)


@contextmanager
def open_writer(path: Path, schema: pa.Schema, digest: Digest | None = None) -> Iterator[pq.ParquetWriter]:
    """A writer of one file, which appears under `path` only whole and on disk; an exception leaves nothing behind.

    Each table that is written becomes one row group.

    Args:
        path: of the file.
        schema: its schema.
        digest: gets the bytes of the file, the last ones when the writer is closed.
    """
    others = [leaf for leaf in leaf_columns(schema) if leaf != IMAGE_BYTES]
    images = [IMAGE_BYTES] if "image" in schema.names else []
    with (
        write_whole(path) as file,
        pq.ParquetWriter(
            file if digest is None else _HashedFile(file, digest),
            schema,
            compression=dict.fromkeys(others, "zstd") | dict.fromkeys(images, "none"),
            use_dictionary=[leaf for leaf in others if leaf not in NEARLY_UNIQUE],
            column_encoding=dict.fromkeys(images, "PLAIN"),
            write_statistics=others,
            write_page_index=True,
            use_content_defined_chunking=CHUNKING,
        ) as writer,
    ):
        yield writer


def describe_layout(footer: pq.FileMetaData) -> dict[str, Any]:
    """Return where the rows of a file are, so that a reader can plan without opening it.

    Returns:
        Bytes of the footer with the eight behind it; by row group the number of rows and the bytes on disk.
    """
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    return {
        "footer_bytes": footer.serialized_size + 8,
        "row_groups": {
            "rows": [group.num_rows for group in groups],
            "bytes": [sum(group.column(i).total_compressed_size for i in range(group.num_columns)) for group in groups],
        },
    }


def write_row_group(writer: pq.ParquetWriter, table: pa.Table) -> None:
    """Write `table` as one row group, from contiguous arrays: chunked ones would give other bytes."""
    whole = table.combine_chunks()
    writer.write_table(whole, row_group_size=max(whole.num_rows, 1))
