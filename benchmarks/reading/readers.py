"""The ways to read the training split that `benchmarks/reading/run.py` holds against each other.

Every reader gives batches of image ids, captions and images: uint8 [64, 224, 224, 3], or JPEGs. Here are the stream, what it
is made of, and the limit; `peers.py` has the others.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SIDE = 224
HANDFUL = 8
Batch = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What to measure.

    Attributes:
        reader: one of READERS.
        data: folder, or dataset on the Hub.
        decode: `pillow`, a decode of the stream, or `bytes`.
        task: of `benchmarks/reading/measure_reader.py`.
        processors: that it may use.
        threads: of the stream that decode, workers of a peer; None is one for each processor.
        shuffle: where the reader can.
        name: configuration: `default`, `small` or `text`.
        columns: of the rows.
        epochs: the first with opening, then others.
        batches: of an epoch that is resumed, those before the state is taken.
    """

    reader: str
    data: str
    decode: str = "bytes"
    task: str = "epoch"
    processors: int = 1
    threads: int | None = None
    shuffle: bool = False
    batch: int = 64
    name: str = "default"
    columns: tuple[str, ...] = ("image", "image_id", "caption")
    epochs: int = 1
    batches: int = 1

    @property
    def decoders(self) -> int:
        """Threads or workers that decode."""
        return self.threads or self.processors


def train_files(job: Job) -> list[Path]:
    """The files of the training split of the job's configuration."""
    folder = "data" if job.name == "default" else job.name
    return sorted(Path(job.data, folder).glob("train*.parquet"))


class Reader:
    """Imports when it is made, opens its data with `open`, and gives an epoch with `batches`."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def open(self) -> None:
        """Open the data."""
        raise NotImplementedError

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Read an epoch."""
        raise NotImplementedError


class Stream(Reader):
    """`PretrainingStream`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._module = importlib.import_module("rocov2_tasks.pretraining")

    def open(self) -> None:
        pixels = "image" in self.job.columns and self.job.decode != "bytes"
        self.stream = self._module.PretrainingStream(
            self.job.data,
            name=self.job.name,
            columns=self.job.columns,
            image_size=SIDE if pixels else None,
            decode=self.job.decode,
            shuffle=self.job.shuffle,
            batch_size=self.job.batch,
            threads=self.job.decoders,
        )

    def batches(self, epoch: int) -> Iterator[Batch]:
        self.stream.set_epoch(epoch)
        return iter(self.stream)

    def state(self) -> Any:
        return self.stream.state_dict()

    def load(self, state: Any) -> None:
        self.stream.load_state_dict(state)


class StreamLoader(Stream):
    """The same where torch is imported, through its DataLoader without workers."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._torch = importlib.import_module("torch.utils.data")

    def batches(self, epoch: int) -> Iterator[Batch]:
        self.stream.set_epoch(epoch)
        return iter(self._torch.DataLoader(self.stream, batch_size=None))


class Arrow(Reader):
    """Bare pyarrow: `iter_batches`, and each column made to Python objects."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._parquet = importlib.import_module("pyarrow.parquet")

    def open(self) -> None:
        self._files = [self._parquet.ParquetFile(path) for path in train_files(self.job)]

    def batches(self, epoch: int) -> Iterator[Batch]:
        for file in self._files:
            for batch in file.iter_batches(self.job.batch, columns=list(self.job.columns), use_threads=False):
                columns = {name: batch.column(name) for name in self.job.columns}
                if "image" in columns:
                    columns["image"] = columns["image"].field("bytes")
                yield {name: column.to_pylist() for name, column in columns.items()}


class Memory(Arrow):
    """The limit: all JPEGs are in memory before the clock starts, and the stream's decoder has nothing else beside it."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        super().open()
        self._all = list(super().batches(0))
        self._decoder = decoder(job.decode)
        self._pool = ThreadPoolExecutor(job.decoders)

    def open(self) -> None:
        pass

    def batches(self, epoch: int) -> Iterator[Batch]:
        import numpy as np

        for batch in self._all:
            out = np.empty((len(batch["image"]), SIDE, SIDE, 3), dtype=np.uint8)

            def decode(start: int, jpegs: list[bytes] = batch["image"], out: Any = out) -> None:
                for number in range(start, min(start + HANDFUL, len(jpegs))):
                    self._decoder(jpegs[number], out[number])

            list(self._pool.map(decode, range(0, len(out), HANDFUL)))
            yield {**batch, "image": out}


def decoder(decode: str) -> Any:
    """The stream's decoder of JPEGs, or the cheapest loop of Pillow alone that gives the pixels of `exact`."""
    if decode == "pillow":
        return _decode_with_pillow
    return importlib.import_module("rocov2_tasks.stream.decoding").Decoder(decode, (SIDE, SIDE), "stretch", "bilinear")


def _decode_with_pillow(data: bytes, out: Any) -> None:
    """Resizing before converting to colours gives the same pixels for less."""
    pillow = importlib.import_module("PIL.Image")
    image = pillow.open(io.BytesIO(data))
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    out[...] = image.resize((SIDE, SIDE), pillow.Resampling.BILINEAR).convert("RGB")
