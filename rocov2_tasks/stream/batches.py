"""Batches of a plan: pieces are loaded ahead, images are decoded in threads, rows are returned in order."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise
from typing import Any

import numpy as np

from rocov2_shared.processors import usable_processors
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.decoding import DamagedImageError, Decoder
from rocov2_tasks.stream.image_bytes import keep_freed_memory
from rocov2_tasks.stream.layout import SplitLayout
from rocov2_tasks.stream.order import Integers, Order
from rocov2_tasks.stream.plain_resize import Pixels
from rocov2_tasks.stream.prefetch import Loader, Schedule, plan_reading
from rocov2_tasks.stream.reading import GroupReader
from rocov2_tasks.stream.rows import Rows
from rocov2_tasks.stream.world import ALONE, Share, Worker, local_world_size

HANDFUL = 8
"""Images that a thread decodes per task: everything around the decoding runs inside the interpreter's lock."""

DECODED_AHEAD = 32_000_000
"""Bytes of decoded pixels that may wait beyond the requested batch; at least one batch may."""

MOST_AHEAD = 8
"""Batches that may wait, at most."""

REMOTE_READERS = 4
"""Row groups that are fetched from the Hub at the same time."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What a stream returns, at any position.

    Attributes:
        layout: layout of the split.
        columns: columns of the rows, in order.
        decoder: decoder of the images; None returns the JPEGs, if `image` is one of the columns.
        size: width and height of all images; None if each keeps its own.
        rank, world_size: which share of the rows is returned.
        batch_size: samples per batch; None returns single rows.
        drop_last: leave out what does not fill a batch on every rank.
        threads: threads that decode; None for one per usable processor.
        read_ahead: bytes that may be read beyond the open windows.
        skip: leave out images that cannot be decoded.
    """

    layout: SplitLayout
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
        """Return what this rank gets from a position on."""
        rows = self.layout.rows
        # A batch of more samples than there are is none with drop_last, and otherwise all of them.
        return Share(position, rows, self.rank, self.world_size, min(self.batch_size or 1, rows + 1), self.drop_last)


@dataclass(frozen=True)
class Batch:
    """Some samples.

    Attributes:
        rows: values by column.
        skipped: numbers of the samples that were left out, since their images are damaged.
        error: the damaged image that ended the batch early, unless damaged images are skipped.
    """

    rows: dict[str, Any]
    skipped: list[int]
    error: DamagedImageError | None = None


class _Samples:
    """Which rows the samples of a batch are.

    Attributes:
        runs: their pieces, each with a first row and the one after the last, if the rows follow each other as in the order
            of the files; else empty.
        uses: number of samples by piece.
    """

    def __init__(self, schedule: Schedule, samples: range) -> None:
        self._schedule, self._samples = schedule, samples
        self.stop = samples.stop
        self.runs = schedule.runs(samples)
        self.uses = Counter[int]()
        for piece, begin, end in self.runs:
            self.uses[piece] += end - begin
        if not self.runs:
            self.uses.update(self.pieces)

    def __len__(self) -> int:
        return len(self._samples)

    @cached_property
    def pieces(self) -> list[int]:
        """The index of the piece of each sample."""
        pieces: list[int] = self._schedule.piece[self._samples.start : self._samples.stop].tolist()
        return pieces

    @cached_property
    def rows(self) -> list[int]:
        """The row of each sample in its row group."""
        rows: list[int] = self._schedule.row[self._samples.start : self._samples.stop].tolist()
        return rows


class _Pending:
    """A batch whose images are being decoded."""

    def __init__(
        self,
        plan: Plan,
        reader: GroupReader,
        schedule: Schedule,
        samples: _Samples,
        loaded: dict[int, Rows],
        pool: Executor,
        costs: Costs,
    ) -> None:
        self._plan, self._reader, self._costs = plan, reader, costs
        self.samples, self._loaded, self._schedule = samples, loaded, schedule
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
        began, damaged = time.perf_counter(), 0
        for number in numbers:
            data = self._loaded[self.samples.pieces[number]].image(self.samples.rows[number])
            try:
                results.append(decoder(data, None if self._out is None else self._out[number]))
            except DamagedImageError as error:
                results.append(error)
                damaged += 1
        self._costs.add(images=len(results) - damaged, seconds_decoding=time.perf_counter() - began)
        return results

    def finish(self) -> Batch:
        """Wait for the images and return the batch."""
        images = self._collect_images()
        skipped, error = self._find_skipped(images)
        if self._out is not None:
            images = self._out
        kept = [number for number in range(len(self.samples)) if number not in skipped] if skipped else None
        columns = {name: _select(self._column(name, images), kept) for name in self._plan.columns}
        return Batch(columns, skipped, error)

    def _collect_images(self) -> Any:
        """Return the images of all samples, a DamagedImageError in the place of one that cannot be decoded."""
        if self._futures:
            return [result for future in self._futures for result in future.result()]
        if "image" in self._plan.columns:
            self._costs.add(images=len(self.samples))
            loaded = self._loaded
            return self._reader.jpegs(zip(map(loaded.__getitem__, self.samples.pieces), self.samples.rows, strict=True))
        return []

    def _find_skipped(self, images: list[Any]) -> tuple[list[int], DamagedImageError | None]:
        """Return the samples to leave out: the damaged ones, or with the error to raise all from the first of them on."""
        damaged = [number for number, image in enumerate(images) if isinstance(image, DamagedImageError)]
        if damaged and not self._plan.skip:
            return list(range(damaged[0], len(images))), self._describe(damaged[0], images[damaged[0]])
        for number in damaged:
            _logger.warning("%s; left out", self._describe(number, images[number]))
        return damaged, None

    def _column(self, name: str, images: Any) -> Any:
        if name == "image":
            return images
        columns = {piece: rows.columns for piece, rows in self._loaded.items()}
        if self.samples.runs:
            parts = [columns[piece].part(name, begin, stop) for piece, begin, stop in self.samples.runs]
            return parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))
        values = {piece: of_piece[name] for piece, of_piece in columns.items()}
        return [values[piece][row] for piece, row in zip(self.samples.pieces, self.samples.rows, strict=True)]

    def _describe(self, number: int, error: DamagedImageError) -> DamagedImageError:
        group, row = self._schedule.pieces[self.samples.pieces[number]].group, self.samples.rows[number]
        where = self._plan.layout.describe(group, row)
        image_id = self._reader.image_id(group, row)
        message = f"image {image_id} ({where}) cannot be decoded: {error}"
        if not self._plan.skip:
            skip = 'on_error="skip"' + (" and a batch_size" if self._plan.batch_size is None else "")
            message += (
                f". Leave such images out with {skip}, or build the repository again "
                "(rocov2 check --decode lists all of them)"
            )
        described = DamagedImageError(message)
        described.__cause__ = error
        return described


def _select(values: Any, kept: list[int] | None) -> Any:
    """Return the values of the samples `kept`; all for None."""
    if kept is None:
        return values
    return values[kept] if isinstance(values, np.ndarray) else [values[number] for number in kept]


def read_batches(
    plan: Plan,
    order: Order,
    positions: Integers,
    bounds: Integers,
    worker: Worker = ALONE,
    costs: Costs | None = None,
) -> Generator[Batch, None, None]:
    """Read the rows at `positions`, in batches that begin and end at `bounds`.

    Args:
        worker: this process; all workers share the processors, and the first one reports long waits.
        costs: counts what it costs.

    Raises:
        ChangedShardError: a shard has changed.
        ConnectionError: the Hub did not answer in several attempts.
    """
    # When the interpreter ends, modules may be gone before an unfinished stream is closed.
    finalizing = sys.is_finalizing
    schedule = plan_reading(order, positions, plan.layout, "image" in plan.columns)
    costs = costs or Costs()
    keep_freed_memory()
    in_order = None
    if not order.shuffle and "image" in plan.columns and schedule.pieces:
        in_order = [piece.group for piece in schedule.pieces], plan.read_ahead * 3 // 2
    reader = GroupReader(plan.layout, plan.columns, costs=costs, whole=plan.decoder is None, in_order=in_order)
    decoding = ThreadPoolExecutor(plan.threads or usable_processors(local_world_size() * worker.workers), "decode")
    loading = ThreadPoolExecutor(REMOTE_READERS if plan.layout.remote else 1, "load")
    try:
        loader = Loader(schedule.pieces, reader, loading, plan.read_ahead, reports=worker.number == 0)
        pending: deque[_Pending] = deque()
        batches = [range(*pair) for pair in pairwise(bounds.tolist())]
        most = max(1, _count_ahead(plan, batches))
        begun = 0
        following: _Samples | None = None
        for number in range(len(batches)):
            # Wait for the pieces of the requested batch; begin a later batch only if its pieces are loaded.
            while begun < len(batches) and begun <= number + most:
                following = following or _Samples(schedule, batches[begun])
                if begun == number:
                    loader.want(following.stop)
                elif not (number and all(map(loader.loaded, following.uses))):
                    break
                loaded = {piece: loader.get(piece) for piece in following.uses}
                pending.append(_Pending(plan, reader, schedule, following, loaded, decoding, costs))
                following = None
                begun += 1
            yield _hand_out(pending.popleft(), loader)  # no reference to the batch is kept here
    finally:
        if not finalizing():
            decoding.shutdown(wait=False, cancel_futures=True)
            loading.shutdown(wait=False, cancel_futures=True)


def _count_ahead(plan: Plan, batches: list[range]) -> int:
    """Return how many batches may wait beyond the requested one."""
    if plan.size is None or not batches:
        return MOST_AHEAD
    return min(MOST_AHEAD, DECODED_AHEAD // (len(batches[0]) * plan.size[0] * plan.size[1] * 3))


def _hand_out(pending: _Pending, loader: Loader) -> Batch:
    batch = pending.finish()
    for piece, count in pending.samples.uses.items():
        loader.release(piece, count)
    return batch
