"""Rows of a row group that were read: the values of their columns, and the bytes of their images or where these are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rocov2_tasks.stream.image_bytes import Spans


class Columns(Mapping[str, list[Any]]):
    """The values of a row group by column. They become Python objects when they are asked for."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self._lists: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._lists:
            self._lists[name] = self._arrays[name].to_pylist()
        return self._lists[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def part(self, name: str, begin: int, stop: int) -> list[Any]:
        """Return the values of the rows `begin` to `stop`: the memory of so few is used again for the next ones."""
        if name in self._lists:
            return self._lists[name][begin:stop]
        values: list[Any] = self._arrays[name].slice(begin, stop - begin).to_pylist()
        return values


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a row group.

    Attributes:
        first: number in the row group of the first row whose image is in `buffer`.
        columns: values of all rows of the row group by column, without images.
        buffer: contains the bytes of the images.
        spans: where each image begins and ends in `buffer`.
        shard: index of the local shard that `spans` are of, if the images are still in the file.
    """

    first: int
    columns: Columns
    buffer: memoryview | bytes
    spans: Spans
    shard: int | None = None

    def image(self, row: int) -> memoryview:
        """Return the image of a row, by its number in the row group; valid until the rows are given back."""
        start, end = self.spans[row - self.first]
        return memoryview(self.buffer)[start:end]
