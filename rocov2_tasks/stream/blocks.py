"""Row groups on the Hub that are fetched together, since they are read in the order of the files: fewer, larger requests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rocov2_tasks.stream.layout import SplitLayout
from rocov2_tasks.stream.remote import Held

_MAGIC = 4
"""Bytes of a Parquet file before its first row group; each next one follows the one before."""


@dataclass
class _Block:
    """Consecutive row groups of a shard.

    Attributes:
        shard: index of the shard.
        start, end: the range of the file.
        left: row groups that were not yet read.
        held: the range, once it was fetched.
    """

    shard: int
    start: int
    end: int
    left: int = 0
    held: Held | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Blocks:
    """Plans which row groups are fetched together, and keeps each block until its last row group was read.

    Args:
        layout: the row groups of a split.
        groups: the row groups that are read, each once, as indices in the layout. The first is not part of a block, so that
            the first rows come from a small read.
        most: bytes of a block, at most. A shard that is not larger and is read whole is fetched with its footer.
        fetch: takes the index of a shard, and start and end of a range of it; returns the bytes.
    """

    def __init__(
        self, layout: SplitLayout, groups: Sequence[int], most: int, fetch: Callable[[int, int, int], bytes]
    ) -> None:
        self._fetch = fetch
        self._of_group: dict[int, _Block] = {}
        self._whole: dict[int, _Block] = {}
        needed = set(groups[1:]).difference(groups[:1])
        lost = {group.shard for number, group in enumerate(layout.groups) if number not in needed}
        offset, shard, block = _MAGIC, -1, None
        for number, group in enumerate(layout.groups):
            if group.shard != shard:
                offset, shard, block = _MAGIC, group.shard, None
                size = layout.shards[shard].bytes
                if shard not in lost and size <= most:
                    block = self._whole[shard] = _Block(shard, 0, size)
            end = offset + group.bytes
            if number not in needed:
                block = None
            else:
                if block is None or (end - block.start > most and shard not in self._whole):
                    block = _Block(shard, offset, end)
                block.end, block.left = max(block.end, end), block.left + 1
                self._of_group[number] = block
            offset = end

    def take(self, group: int) -> Held | None:
        """Return the block of a row group, which is read only once; None if it has none."""
        block = self._of_group.pop(group, None)
        if block is None:
            return None
        held = self._held(block)
        with block.lock:
            block.left -= 1
            if not block.left:
                block.held = None
        return held

    def footer(self, shard: int, start: int) -> bytes | None:
        """Return a shard from `start` on, if the whole shard is one block that is still to be read."""
        block = self._whole.pop(shard, None)
        return None if block is None else bytes(self._held(block).read(start, block.end - start))

    def _held(self, block: _Block) -> Held:
        with block.lock:
            if block.held is None:
                held = Held(lambda start, end: self._fetch(block.shard, start, end), block.end)
                held.hold(block.start, block.end)
                block.held = held
            return block.held
