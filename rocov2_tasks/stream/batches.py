"""From a plan and a state to batches: pieces are loaded ahead, images decoded in threads, rows handed out in order."""

from __future__ import annotations

import logging
import sys
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from rocov2_tasks.stream.decoding import DamagedImageError, Decoder, Pixels
from rocov2_tasks.stream.layout import Layout
from rocov2_tasks.stream.order import Integers, Order
from rocov2_tasks.stream.prefetch import Loader, Schedule, plan_reading
from rocov2_tasks.stream.reading import GroupReader, Rows
from rocov2_tasks.stream.world import Share, usable_processors

HANDFUL = 8
"""Images that a thread decodes in one go: what surrounds the decoding runs inside the interpreter's lock."""

DECODED_AHEAD = 32_000_000
"""Bytes of pixels that may wait, ready, beyond the batch that is asked for; at least one batch does."""

MOST_AHEAD = 8
"""Batches that may wait at most."""

REMOTE_READERS = 4
"""Row groups that are fetched at the same time from the Hub."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a reader gives, whatever it is at.

    Attributes:
        layout: of the split.
        columns: those of the rows, in order.
        decoder: of the images; None hands out their bytes, where they are among the columns.
        size: width and height of all images, None where each has its own.
        rank, world_size: whose share.
        batch_size: samples of a batch; None hands out single rows.
        drop_last: leave out what does not fill a batch on every rank.
        threads: that decode; None for what processors there are.
        read_ahead: bytes that may be read beyond the open windows.
        skip: leave out images that cannot be decoded.
    """

    layout: Layout
    columns: tuple[str, ...]
    decoder: Decoder | None
    size: tuple[int, int] | None
    rank: int
    world_size: int
    batch_size: int | None
    drop_last: bool
    threads: int | None
    read_ahead: int
    skip: bool

    def share(self, position: int) -> Share:
        """What this rank gets from a position on."""
        return Share(position, self.layout.rows, self.rank, self.world_size, self.batch_size or 1, self.drop_last)


@dataclass(frozen=True)
class Batch:
    """Some samples.

    Attributes:
        rows: values by column.
        skipped: numbers of the samples that were left out since they are damaged.
        error: what ended the batch before its last sample, where that is not to be left out.
    """

    rows: dict[str, Any]
    skipped: list[int]
    error: DamagedImageError | None = None


class _Pending:
    """A batch whose images are being decoded."""

    def __init__(
        self,
        plan: Plan,
        reader: GroupReader,
        schedule: Schedule,
        samples: range,
        loaded: dict[int, Rows],
        pool: Executor,
    ) -> None:
        self._plan, self._reader = plan, reader
        self.pieces = schedule.piece[samples.start : samples.stop].tolist()
        self._rows = schedule.row[samples.start : samples.stop].tolist()
        self._loaded = [loaded[piece] for piece in self.pieces]
        self._groups = [schedule.pieces[piece].group for piece in self.pieces]
        self._out: Pixels | None = None
        self._futures: list[Future[list[Pixels | DamagedImageError]]] = []
        if plan.decoder is not None:
            if plan.size is not None and plan.batch_size is not None:
                self._out = np.empty((len(samples), *plan.size[::-1], 3), dtype=np.uint8)
            self._futures = [
                pool.submit(self._decode, plan.decoder, range(start, min(start + HANDFUL, len(samples))))
                for start in range(0, len(samples), HANDFUL)
            ]

    def _decode(self, decoder: Decoder, numbers: range) -> list[Pixels | DamagedImageError]:
        results: list[Pixels | DamagedImageError] = []
        for number in numbers:
            data = self._loaded[number].image(self._rows[number])
            try:
                results.append(decoder(data, None if self._out is None else self._out[number]))
            except DamagedImageError as error:
                results.append(error)
        return results

    def finish(self) -> Batch:
        """Wait for the images."""
        places = list(zip(self._loaded, self._rows, strict=True))
        images: Any = None
        error: DamagedImageError | None = None
        skipped: list[int] = []
        if self._futures:
            images = [result for future in self._futures for result in future.result()]
            damaged = {number: result for number, result in enumerate(images) if isinstance(result, DamagedImageError)}
            skipped = list(damaged)
            if damaged and not self._plan.skip:
                first = skipped[0]
                error = self._describe(first, damaged[first])
                skipped = list(range(first, len(places)))
            for number in damaged if error is None else ():
                _logger.warning("%s; left out", self._describe(number, damaged[number]))
            images = self._out if self._out is not None else images
        elif "image" in self._plan.columns:
            images = [bytes(rows.image(row)) for rows, row in places]
        kept = [number for number in range(len(places)) if number not in skipped] if skipped else None
        columns: dict[str, Any] = {}
        for name in self._plan.columns:
            if name == "image":
                columns[name] = images
            else:
                columns[name] = [rows.columns[name][row] for rows, row in places]
            if kept is not None:
                values = columns[name]
                columns[name] = values[kept] if isinstance(values, np.ndarray) else [values[number] for number in kept]
        return Batch(columns, skipped, error)

    def _describe(self, number: int, error: DamagedImageError) -> DamagedImageError:
        where = self._plan.layout.describe(self._groups[number], self._rows[number])
        image_id = self._reader.image_id(self._groups[number], self._rows[number])
        message = f"image {image_id} ({where}) cannot be decoded: {error}"
        if not self._plan.skip:
            message += (
                '. Leave such images out with on_error="skip", or build the repository again: check_repository.py --decode '
                "lists them"
            )
        described = DamagedImageError(message)
        described.__cause__ = error
        return described


def read_batches(
    plan: Plan, order: Order, positions: Integers, bounds: Integers, workers: int = 1
) -> Generator[Batch, None, None]:
    """Read the rows at `positions`, in batches that begin and end at `bounds`; `workers` share the processors.

    Raises:
        ChangedShardError: a shard is not what it was.
        ConnectionError: the Hub did not answer, also not when asked again.
    """
    # When the interpreter ends, modules may be gone before a stream that was left is closed.
    finalizing = sys.is_finalizing
    schedule = plan_reading(order, positions, plan.layout, "image" in plan.columns)
    reader = GroupReader(plan.layout, plan.columns)
    decoding = ThreadPoolExecutor(plan.threads or max(1, usable_processors() // workers), "decode")
    loading = ThreadPoolExecutor(REMOTE_READERS if plan.layout.remote else 1, "load")
    try:
        loader = Loader(schedule.pieces, reader, loading, plan.read_ahead)
        pending: deque[_Pending] = deque()
        batches = [range(*pair) for pair in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
        most = MOST_AHEAD
        if plan.size is not None and batches:
            most = min(MOST_AHEAD, DECODED_AHEAD // (len(batches[0]) * plan.size[0] * plan.size[1] * 3))
        begun = 0
        for number in range(len(batches)):
            # What is asked for is waited for; of the following, only what has been loaded is begun.
            while begun < len(batches) and begun <= number + max(1, most):
                following = batches[begun]
                needed = set(schedule.piece[following.start : following.stop].tolist())
                if begun == number:
                    loader.want(following.stop)
                elif not (number and all(loader.loaded(piece) for piece in needed)):
                    break
                loaded = {piece: loader.get(piece) for piece in needed}
                pending.append(_Pending(plan, reader, schedule, following, loaded, decoding))
                begun += 1
            yield _hand_out(pending.popleft(), loader)  # of which nothing is kept here
    finally:
        if not finalizing():
            decoding.shutdown(wait=False, cancel_futures=True)
            loading.shutdown(wait=False, cancel_futures=True)


def _hand_out(pending: _Pending, loader: Loader) -> Batch:
    batch = pending.finish()
    for piece, count in Counter(pending.pieces).items():
        loader.release(piece, count)
    return batch
