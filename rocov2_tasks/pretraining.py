"""A stream of images and texts for pre-training: fast, and resumed exactly by any number of processes.

    from rocov2_tasks.pretraining import PretrainingStream

    stream = PretrainingStream("rocov2", columns=["image", "caption"], image_size=224, batch_size=64)
    for epoch in range(3):
        stream.set_epoch(epoch)
        for batch in stream:
            batch["image"], batch["caption"]    # uint8 [64, 224, 224, 3], list of 64 strings

docs/streaming.md shows its use with torch, torchdata, accelerate and Lightning, and compares it with other readers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from datasets import NamedSplit

from rocov2 import CONFIGS, Repository
from rocov2_tasks import arguments
from rocov2_tasks.stream.batches import Plan
from rocov2_tasks.stream.decoding import DamagedImageError, make_decoder
from rocov2_tasks.stream.geometry import width_and_height
from rocov2_tasks.stream.iterator import StreamIterator
from rocov2_tasks.stream.layout import read_layout
from rocov2_tasks.stream.reading import ChangedShardError
from rocov2_tasks.stream.shared import Start, Stats
from rocov2_tasks.stream.state import check_state, first_state, rewound
from rocov2_tasks.stream.world import MOST_RANKS, find_worker, find_world

__all__ = ["ChangedShardError", "DamagedImageError", "PretrainingStream"]

MOST_THREADS = 1024
"""Threads that decode, at most."""


class PretrainingStream:
    """An iterable over one split, in an order that depends only on `seed` and epoch: single rows, or batches.

    Iterating returns this rank's samples as dictionaries by column or, with `batch_size`, as dictionaries of lists. `image`
    is uint8 [height, width, 3], in a batch uint8 [samples, height, width, 3]. Without `image_size` a batch has a list of
    arrays, and with `decode="bytes"` images are the JPEGs.

        stream = PretrainingStream("rocov2", columns=["image", "caption"], image_size=224, batch_size=64)
        batch = next(iter(stream))

    Every rank gets the same number of samples. If they do not divide evenly, up to `world_size` - 1 samples are repeated in
    the last batch; with `drop_last` the incomplete batches at the end are left out instead.

    The position is that of the consumed samples: `state_dict()` returns it if this process iterates, `state_at(batches)` if
    the workers of a DataLoader do. When all ranks have stopped after the same number of batches, any number of ranks or
    workers can resume from the state of any of them, and no sample of the epoch is lost or repeated.
    Call `set_epoch` before each epoch: otherwise the next iteration repeats the order of the last one.

    Args:
        path: folder, `ORG/NAME` on the Hub, or `hf://datasets/ORG/NAME[@REVISION]`.
        split: `train`, `validation` or `test`.
        name: configuration, such as `default`, `commercial`, or `text` (no images: a caption costs a hundred bytes to read).
        columns: columns to read (default: all).
        image_size: side, or (height, width), in pixels; None keeps the size of each image.
        fit: how an image fits in: `stretch`, `crop` (centre) or `pad` (black).
        resample: Pillow's filter: `nearest`, `box`, `bilinear`, `hamming`, `bicubic`, `lanczos`.
        decode: `exact`: the pixels of `image.convert("RGB").resize(...)` in Pillow; `scaled`: decoded at the smallest scale
            not below `image_size`, then `resample`; `fast`: likewise, but resized without a low-pass;
            `bytes`: the JPEG itself.
        shuffle: False keeps the order of the files; every rank then reads all of them.
        seed, epoch: seed of the order.
        rank, world_size: this process among those that share the epoch (default: of `torch.distributed`, else the
            environment variables `RANK` and `WORLD_SIZE`, else 0 and 1).
        lanes: number of streams of row groups that are mixed; at least one per rank.
        window: bytes within which rows are shuffled, for all lanes together, such as "64MB".
        batch_size: samples per batch; None returns single samples.
        drop_last: leave out what does not fill a batch on every rank.
        threads: threads that decode (default: one per processor of this process or worker).
        read_ahead: bytes that may be read beyond the open windows.
        on_error: `raise`, or `skip` images that cannot be decoded: batches are then shorter, and the state counts them.
            `skip` needs `batch_size`, since all ranks must get the same number of items.
        revision: revision of a dataset on the Hub.

    Raises:
        FileNotFoundError: there is no repository at `path`, or one of its files is missing.
        PermissionError: the dataset on the Hub is gated, or the token is refused.
        ConnectionError: the Hub cannot be reached, or offline mode is on, and the cache has no snapshot.
        ValueError: an argument is invalid.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = "rocov2",
        split: str = "train",
        name: str = "default",
        columns: Iterable[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        fit: str = "stretch",
        resample: str = "bilinear",
        decode: str = "exact",
        shuffle: bool = True,
        seed: int = 0,
        epoch: int = 0,
        rank: int | None = None,
        world_size: int | None = None,
        lanes: int = 8,
        window: str | int = "64MB",
        batch_size: int | None = None,
        drop_last: bool = False,
        threads: int | None = None,
        read_ahead: str | int = "32MB",
        on_error: str = "raise",
        revision: str | None = None,
    ) -> None:
        seed = arguments.require_integer("seed", seed, 0)
        epoch = arguments.require_integer("epoch", epoch, 0)
        lanes = arguments.require_integer("lanes", lanes, 1, MOST_RANKS)
        if batch_size is not None:
            batch_size = arguments.require_integer("batch_size", batch_size, 1)
        if threads is not None:
            threads = arguments.require_integer("threads", threads, 1, MOST_THREADS)
        arguments.require_choice("on_error", on_error, ("raise", "skip"))
        if on_error == "skip" and batch_size is None:
            raise ValueError(
                'on_error="skip" needs batch_size: a batch with fewer samples is still one batch, but without batches the '
                "ranks would get different numbers of samples"
            )
        size = width_and_height(image_size)
        self._given = (rank, world_size)
        rank, world_size = find_world(rank, world_size)
        repository = _open(path, revision)
        columns = _list_of(columns)
        if not isinstance(name, str):
            arguments.require_choice("name", name, CONFIGS)
        repository.check(name, columns=columns)
        split = str(split) if isinstance(split, NamedSplit) else split
        arguments.require_choice("split", split, tuple(repository.counts[name]))
        names = [column for column in CONFIGS[name].features if column in (columns or CONFIGS[name].features)]
        self._name, self._split = name, split
        self._plan = Plan(
            layout=read_layout(repository, name, split),
            columns=tuple(names),
            decoder=make_decoder(decode, size, fit, resample, images="image" in names),
            size=size,
            rank=rank,
            world_size=world_size,
            batch_size=batch_size,
            drop_last=arguments.require_flag("drop_last", drop_last),
            threads=threads,
            read_ahead=arguments.number_of_bytes("read_ahead", read_ahead),
            skip=on_error == "skip",
        )
        self._stats = Stats()
        self._start = Start(
            first_state(
                self._plan.layout,
                shuffle=arguments.require_flag("shuffle", shuffle),
                seed=seed,
                epoch=epoch,
                lanes=max(lanes, world_size),
                window=arguments.number_of_bytes("window", window),
            )
        )
        self._iterator: StreamIterator | None = None
        self._of_worker: dict[str, Any] | None = None
        self._turn = 0

    def __repr__(self) -> str:
        state, plan = self.state_dict(), self._plan
        order = f"seed={state['seed']}, epoch={state['epoch']}, lanes={state['lanes']}, window={state['window']}"
        return (
            f"PretrainingStream({plan.layout.root!r}, split={self._split!r}, name={self._name!r}, "
            f"{f'shuffle=True, {order}' if state['shuffle'] else 'shuffle=False, epoch=' + str(state['epoch'])}, "
            f"batch_size={plan.batch_size}, rank {plan.rank} of {plan.world_size}, "
            f"position {state['position']:,} of {plan.layout.rows:,})"
        )

    @property
    def __class__(self) -> Any:
        # isinstance(stream, IterableDataset) reads it: the last moment to register the stream and to share its position.
        if _register_with_torch():
            self._start.share()
            self._stats.share()
        return PretrainingStream

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("the class of a stream cannot be changed")

    def __getstate__(self) -> dict[str, Any]:
        # For a new process, such as a worker that is not forked: a running iteration stays in this one.
        return self.__dict__ | {"_iterator": None}

    def __len__(self) -> int:
        """Return the number of batches (without `batch_size`: samples) that the next iteration returns on this rank."""
        return self._plan.share(self._start.next()["position"]).batches

    def set_epoch(self, epoch: arguments.Integer) -> None:
        """Choose the epoch. A new one starts at its beginning; the same one keeps a loaded position."""
        epoch = arguments.require_integer("epoch", epoch, 0)
        if epoch != self._start.get()["epoch"]:
            self._start.set(rewound(self._start.get(), epoch=epoch))
            self._iterator = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state after the last batch (or sample) that this process has consumed, as plain JSON."""
        iterator = self._latest()
        return self._start.get() if iterator is None else iterator.state_dict()

    def state_at(self, batches_consumed: arguments.Integer) -> dict[str, Any]:
        """Return the state after each rank has consumed this many batches (without `batch_size`: samples) of the iteration.

        For the workers of a DataLoader, which are ahead of what was consumed. `skipped` is that of the beginning.

        Raises:
            ValueError: a rank has fewer batches; or the workers have begun from the state of a StatefulDataLoader, so that
                only the loader knows where.
        """
        batches_consumed = arguments.require_integer("batches_consumed", batches_consumed, 0)
        iterator = self._latest()
        if iterator is None and self._start.resumed:
            raise ValueError(
                f"batches_consumed={batches_consumed}: the workers have resumed from the state of a StatefulDataLoader, and "
                "only the loader knows from which batch: save loader.state_dict(), or call set_epoch before the next epoch"
            )
        start = self._start.get() if iterator is None else iterator.start
        share = self._plan.share(start["position"])
        if batches_consumed > share.batches:
            raise ValueError(f"batches_consumed={batches_consumed}: each rank has only {share.batches}")
        return start | {"position": share.position_after(batches_consumed)}

    def stats(self) -> dict[str, int | float]:
        """Return what iterating has cost so far, in this process and in the workers of DataLoaders.

        `images` (decoded, also ahead; with `decode="bytes"`: read), `seconds_decoding` (of all threads together),
        `bytes_read`, `requests` (to the Hub), `seconds_waiting` (for batches, in this process or in the workers) and
        `skipped` (damaged images).
        """
        return self._stats.sums()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state, in its order: shuffling, seed, epoch, lanes and window come from the state.

        Raises:
            ValueError: it is not the state of such a stream, or belongs to other data.
        """
        worker = find_worker()
        checked = check_state(state, self._plan.layout, worker)
        self._iterator = None
        if worker is None:
            self._start.set(checked)
        else:
            self._of_worker = checked

    def __iter__(self) -> StreamIterator:
        worker = find_worker()
        if worker is None:
            self._require_same_world()
            start = self._start.take()
        else:
            self._turn += 1
            start = self._start.take_in_worker(worker, self._turn)
            if self._of_worker is not None:
                start, self._of_worker = self._of_worker, None
                self._start.resumed_in_worker()
        on_load = self._start.resumed_in_worker if worker is not None else _do_nothing
        self._iterator = StreamIterator(self._plan, start, worker, self._stats.costs_of(worker), on_load)
        return self._iterator

    def _latest(self) -> StreamIterator | None:
        """Return the iterator of this process, unless workers have begun an iteration since."""
        return self._iterator if find_worker() is not None or not self._start.begun else None

    def _require_same_world(self) -> None:
        world = find_world(*self._given)
        if world != (self._plan.rank, self._plan.world_size):
            raise RuntimeError(
                f"the stream was made for rank {self._plan.rank} of {self._plan.world_size}, but this is rank {world[0]} of "
                f"{world[1]} now: make it after torch.distributed.init_process_group, or pass rank= and world_size="
            )


def _open(path: Any, revision: Any) -> Repository:
    if not isinstance(path, Repository) and not (
        isinstance(path, (str, os.PathLike)) and isinstance(os.fspath(path), str)
    ):
        raise ValueError(
            f"path={arguments.shown(path)}: expected a folder, ORG/NAME or hf://datasets/ORG/NAME@REVISION"
        )
    if revision is not None and not isinstance(revision, str):
        raise ValueError(f"revision={arguments.shown(revision)}: expected a text, such as a commit, or None")
    return Repository.open(path, revision)


def _list_of(columns: Any) -> list[str] | None:
    """Return the columns as a list, also those of an iterator, which is used up by reading it once."""
    if columns is None:
        return None
    listed = list(columns) if isinstance(columns, Iterable) and not isinstance(columns, (str, bytes)) else []
    if not listed or not all(isinstance(column, str) for column in listed):
        raise ValueError(f"columns={arguments.shown(columns)}: expected a list of names of columns")
    return listed


def _do_nothing() -> None:
    pass


def _register_with_torch() -> bool:
    """Register PretrainingStream as an IterableDataset if the program has imported torch; return whether it has.

    Torch may be imported after the stream was made, and is not imported for programs that do without it.
    """
    data = sys.modules.get("torch.utils.data")
    if data is None or not hasattr(data, "IterableDataset"):
        return False
    data.IterableDataset.register(PretrainingStream)
    return True
