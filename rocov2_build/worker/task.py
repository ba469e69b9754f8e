"""The tasks that workers get and the results that they return: plain data, importable by everyone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeVar

import pyarrow as pa

from rocov2_build.worker.member import Member


@dataclass(frozen=True)
class Scaling:
    """The file with the rows of a shard whose pictures are scaled down.

    Attributes:
        path: the file, relative to the repository.
        side: the shorter side of its pictures, in pixels.
    """

    path: str
    side: int


@dataclass(frozen=True)
class ShardTask:
    """All that a worker needs to write one shard of images.

    Attributes:
        path: the file, relative to the repository.
        schema: its Arrow schema, serialized.
        rows: its rows in order, serialized as an Arrow stream: all columns but `image`, `width` and `height`.
        row_groups: number of rows of each row group.
        source: zip or folder that holds the images.
        members: the image of each row.
        verify: how much of each image is checked, one of `Verification`.
        scaling: the second file to write, with the pictures scaled down; None for none.
    """

    path: str
    schema: bytes
    rows: bytes
    row_groups: tuple[int, ...]
    source: str
    members: tuple[Member, ...]
    verify: str
    scaling: Scaling | None = None


@dataclass(frozen=True)
class TextTask:
    """One `text/` file, made of a split's shards of images: their paths relative to the repository, and their SHA-256."""

    path: str
    schema: bytes
    shards: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MiniTask:
    """One `mini/` file, made of rows of the files with scaled pictures of a split.

    Attributes:
        path: the file, relative to the repository.
        schema: its Arrow schema, serialized.
        shards: by file, its path relative to the repository, its SHA-256, and the numbers of its rows to take.
        row_groups: number of rows of each row group.
    """

    path: str
    schema: bytes
    shards: tuple[tuple[str, str, tuple[int, ...]], ...]
    row_groups: tuple[int, ...]


@dataclass(frozen=True)
class TableTask:
    """One file whose table is ready, serialized as an Arrow stream."""

    path: str
    schema: bytes
    rows: bytes


@dataclass(frozen=True)
class CheckTask:
    """Images to inspect without writing anything, to report every problem of a release that cannot be built."""

    path: str
    source: str
    ids: tuple[str, ...]
    members: tuple[Member, ...]
    verify: str


Task = ShardTask | TextTask | MiniTask | TableTask
AnyTask = TypeVar("AnyTask", Task, CheckTask)


IMAGE_DIGITS, PERCEPTUAL_DIGITS = 32, 64
"""Hex digits of the hash of an image's bytes, and of its perceptual hash."""


def _cut(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)]


@dataclass
class FileFacts:
    """What is known of a finished file.

    Attributes:
        path: relative to the repository.
        rows: number of rows.
        bytes, sha256: of the file.
        uncompressed: bytes of its columns before compression.
        rows_sha256: hash of the rows' values, which no version of pyarrow changes.
        layout: where the rows are in it.
        modes: number of images by Pillow mode.
        turned: ids of the images that Exif or XMP turns or mirrors.
        benign: by id, what the strict decoder complained about in images that are complete.
        images: SHA-256 of each image, `IMAGE_DIGITS` hex digits of it, to find duplicates; one after another, as one string
            needs a third of the memory of many.
        perceptual: perceptual hash of each image, likewise, to find near-duplicates; empty if the images were not decoded.
        kept: of a file with scaled pictures, the number of those that were already as small, and are unchanged.
        scaled: of a shard of images, the facts of the file with the same rows and scaled pictures; None if there is none.
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    uncompressed: int
    rows_sha256: str
    layout: dict[str, Any] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    turned: list[str] = field(default_factory=list)
    benign: dict[str, str] = field(default_factory=dict)
    images: str = ""
    perceptual: str = ""
    kept: int = 0
    scaled: FileFacts | None = None

    @classmethod
    def parse(cls, content: dict[str, Any]) -> FileFacts:
        """Return the facts that `dataclasses.asdict` made a dictionary of."""
        scaled = content.get("scaled")
        return cls(**content | {"scaled": cls.parse(scaled) if scaled else None})

    @property
    def image_hashes(self) -> list[str]:
        """Hash of the bytes of each image."""
        return _cut(self.images, IMAGE_DIGITS)

    @property
    def perceptual_hashes(self) -> list[str]:
        """Perceptual hash of each image; empty if the images were not decoded."""
        return _cut(self.perceptual, PERCEPTUAL_DIGITS)

    @property
    def written(self) -> list[FileFacts]:
        """The facts of every file that the task has written."""
        return [self, *([self.scaled] if self.scaled else [])]


@dataclass(frozen=True)
class ImageFault:
    """An image that a shard cannot hold."""

    code: str
    source: str
    image_id: str
    expected: str
    found: str


def serialize(table: pa.Table) -> bytes:
    """Return a table as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def deserialize(data: bytes) -> pa.Table:
    """Return the table in an Arrow stream."""
    with pa.ipc.open_stream(data) as reader:
        return reader.read_all()
