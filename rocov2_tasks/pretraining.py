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
from collections.abc import Mapping, Sequence
from typing import Any

from rocov2 import CONFIGS, Repository
from rocov2_tasks import arguments
from rocov2_tasks.stream.batches import Plan
from rocov2_tasks.stream.decoding import DamagedImageError, make_decoder
from rocov2_tasks.stream.geometry import width_and_height
from rocov2_tasks.stream.iterator import StreamIterator
from rocov2_tasks.stream.layout import read_layout
from rocov2_tasks.stream.reading import ChangedShardError
from rocov2_tasks.stream.shared_value import Shared
from rocov2_tasks.stream.state import check_state, first_state, rewound
from rocov2_tasks.stream.world import find_worker, find_world

__all__ = ["ChangedShardError", "DamagedImageError", "PretrainingStream"]


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
        columns: Sequence[str] | None = None,
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
        for option, value, least in (
            ("seed", seed, 0),
            ("epoch", epoch, 0),
            ("lanes", lanes, 1),
            ("batch_size", 1 if batch_size is None else batch_size, 1),
            ("threads", 1 if threads is None else threads, 1),
        ):
            arguments.require_integer(option, value, least)
        arguments.require_choice("on_error", on_error, ("raise", "skip"))
        repository = Repository.open(path, revision)
        repository.check(name, columns=columns)
        arguments.require_choice("split", split, tuple(repository.counts[name]))
        names = [column for column in CONFIGS[name].features if column in (columns or CONFIGS[name].features)]
        size = width_and_height(image_size)
        self._given = (rank, world_size)
        rank, world_size = find_world(rank, world_size)
        self._plan = Plan(
            layout=read_layout(repository, name, split),
            columns=tuple(names),
            decoder=make_decoder(decode, size, fit, resample, images="image" in names),
            size=size,
            rank=rank,
            world_size=world_size,
            batch_size=batch_size,
            drop_last=drop_last,
            threads=threads,
            read_ahead=arguments.number_of_bytes("read_ahead", read_ahead),
            skip=on_error == "skip",
        )
        self._start = Shared(
            first_state(
                self._plan.layout,
                shuffle=bool(shuffle),
                seed=seed,
                epoch=epoch,
                lanes=max(lanes, world_size),
                window=arguments.number_of_bytes("window", window),
            )
        )
        self._iterator: StreamIterator | None = None
        self._of_worker: dict[str, Any] | None = None

    @property
    def __class__(self) -> Any:
        # isinstance(stream, IterableDataset) reads it: the last moment to register the stream and to share its position.
        if _register_with_torch():
            self._start.share()
        return PretrainingStream

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError("the class of a stream cannot be changed")

    def __getstate__(self) -> dict[str, Any]:
        # For a new process, such as a worker that is not forked: a running iteration stays in this one.
        return self.__dict__ | {"_iterator": None}

    def __len__(self) -> int:
        """Return the number of batches (without `batch_size`: samples) that the next iteration returns on this rank."""
        return self._plan.share(self._start.get()["position"]).batches

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch. A new one starts at its beginning; the same one keeps a loaded position."""
        arguments.require_integer("epoch", epoch, 0)
        start = self._start.get()
        if epoch != start["epoch"]:
            self._start.set(rewound(start, epoch=epoch))
            self._iterator = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state after the last batch (or sample) that this process has consumed, as plain JSON."""
        return self._start.get() if self._iterator is None else self._iterator.state_dict()

    def state_at(self, batches_consumed: int) -> dict[str, Any]:
        """Return the state after each rank has consumed this many batches (without `batch_size`: samples) of the iteration.

        For the workers of a DataLoader, which are ahead of what was consumed.

        Raises:
            ValueError: a rank has fewer batches.
        """
        start = self._start.get() if self._iterator is None else self._iterator.start
        share = self._plan.share(start["position"])
        arguments.require_integer("batches_consumed", batches_consumed, 0)
        if batches_consumed > share.batches:
            raise ValueError(f"batches_consumed={batches_consumed}: each rank has only {share.batches}")
        return start | {"position": share.position_after(batches_consumed)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state, in its order: shuffling, seed, epoch, lanes and window come from the state.

        Raises:
            ValueError: it is not the state of such a stream, or belongs to other data.
        """
        checked = check_state(state, self._plan.layout, find_worker())
        self._iterator = None
        if "worker" in checked:
            self._of_worker = checked
        else:
            self._start.set(checked)

    def __iter__(self) -> StreamIterator:
        worker = find_worker()
        start = self._start.get()
        if worker is None:
            self._require_same_world()
            self._start.set(rewound(start))  # the position is used up
        elif self._of_worker is not None:
            start, self._of_worker = self._of_worker, None
        self._iterator = StreamIterator(self._plan, start, worker)
        return self._iterator

    def _require_same_world(self) -> None:
        world = find_world(*self._given)
        if world != (self._plan.rank, self._plan.world_size):
            raise RuntimeError(
                f"the stream was made for rank {self._plan.rank} of {self._plan.world_size}, but this is rank {world[0]} of "
                f"{world[1]} now: make it after torch.distributed.init_process_group, or pass rank= and world_size="
            )


def _register_with_torch() -> bool:
    """Register PretrainingStream as an IterableDataset if the program has imported torch; return whether it has.

    Torch may be imported after the stream was made, and is not imported for programs that do without it.
    """
    data = sys.modules.get("torch.utils.data")
    if data is None or not hasattr(data, "IterableDataset"):
        return False
    data.IterableDataset.register(PretrainingStream)
    return True
