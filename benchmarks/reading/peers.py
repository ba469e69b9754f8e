"""The peers of the stream, for `run.py`: each as its own documentation uses it, and with the stream's decoder.

With a DataLoader of torch and its default collation; with two processors they have two workers, the stream two threads.
`pillow` decodes as each of them does by itself, by Pillow, followed by `convert("RGB").resize(...)`; with another decode they
hand out the JPEGs, to which the decoder of the stream is applied. All read in the order of their files, which is the fastest.
litdata and MDS hold the JPEGs as bytes: their own types for images need torchvision, or are decoded by Pillow just so.
"""

from __future__ import annotations

import importlib
import io
import sys
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from itertools import zip_longest
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.reading.readers import (
    SIDE,
    Arrow,
    Batch,
    Job,
    Memory,
    Reader,
    Stream,
    StreamLoader,
    decoder,
    train_files,
)


class Loaded(Reader):
    """A reader whose samples a DataLoader of torch puts together."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        self._torch = importlib.import_module("torch.utils.data")
        self._arrays, self._image = importlib.import_module("numpy"), importlib.import_module("PIL.Image")
        self._decode = decoder(job.decode) if job.decode not in ("pillow", "bytes") else None

    @property
    def workers(self) -> int:
        return self.job.decoders if self.job.decoders > 1 else 0

    def image(self, value: Any) -> Any:
        """A JPEG, or a picture of Pillow, as it goes into the batch."""
        if self._decode is not None:
            return self._decode(value)
        if self.job.decode == "bytes":
            return value
        picture = self._image.open(io.BytesIO(value)) if isinstance(value, bytes) else value
        return self._arrays.asarray(picture.convert("RGB").resize((SIDE, SIDE), self._image.Resampling.BILINEAR))

    def collate(self, samples: list[dict[str, Any]]) -> Any:
        """A batch."""
        return self._torch.default_collate(samples)

    def load_with(self, loader: Any, dataset: Any, **options: Any) -> None:
        """Set up the DataLoader."""
        self.loader = loader(dataset, num_workers=self.workers, **options)

    def batches(self, epoch: int) -> Iterator[Batch]:
        return iter(self.loader)

    def state(self) -> Any:
        return self.loader.state_dict()

    def load(self, state: Any) -> None:
        self.loader.load_state_dict(state)


def deal(paths: list[Path]) -> list[Path]:
    """Order files so that two that take turns get the same, as nearly as their sizes allow."""
    shares: tuple[list[Path], list[Path]] = ([], [])
    for path in sorted(paths, key=lambda path: path.stat().st_size, reverse=True):
        lighter = min(
            shares, key=lambda share: (len(share) > len(paths) // 2, sum(one.stat().st_size for one in share))
        )
        lighter.append(path)
    first, second = sorted(shares, key=len, reverse=True)
    return [path for pair in zip_longest(first, second) for path in pair if path]


class Datasets(Loaded):
    """`datasets`, streaming. Two workers, of which each takes every other file, get about the same number of bytes."""

    streaming = True

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._datasets = importlib.import_module("datasets")
        self._loader = self._torch.DataLoader
        if job.task in ("resume", "interrupt"):
            self._loader = importlib.import_module("torchdata.stateful_dataloader").StatefulDataLoader

    def open(self) -> None:
        columns = list(self.job.columns)
        options: dict[str, Any] = {"split": "train", "streaming": self.streaming}
        if self.streaming:
            options["columns"] = columns
        if self.workers and self.streaming:
            paths = deal(train_files(self.job))
            dataset = self._datasets.load_dataset("parquet", data_files=[str(path) for path in paths], **options)
        else:
            dataset = self._datasets.load_dataset(self.job.data, self.job.name, **options)
        if not self.streaming:
            dataset = dataset.select_columns(columns)
        if "image" in columns and self.job.decode != "pillow":
            dataset = dataset.cast_column("image", self._datasets.Image(decode=False))
        self.load_with(self._loader, dataset, batch_size=self.job.batch, collate_fn=self.collate)

    def collate(self, samples: list[dict[str, Any]]) -> Any:
        if "image" in self.job.columns:
            raw = self.job.decode != "pillow"
            samples = [
                {**sample, "image": self.image(sample["image"]["bytes"] if raw else sample["image"])}
                for sample in samples
            ]
        return super().collate(samples)


class DatasetsMap(Datasets):
    """`datasets`, map-style, from a cache that is there already."""

    streaming = False


class WebDataset(Loaded):
    """webdataset: tars, decoded by its own `decode("pil")`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._webdataset = importlib.import_module("webdataset")

    def open(self) -> None:
        paths = sorted(str(path) for path in Path(self.job.data).glob("*.tar"))
        dataset = self._webdataset.WebDataset(paths, shardshuffle=False)
        dataset = dataset.decode("pil") if self.job.decode == "pillow" else dataset.decode(only=["txt"])
        dataset = dataset.map(self._sample)
        self.load_with(self._webdataset.WebLoader, dataset, batch_size=self.job.batch, collate_fn=self.collate)

    def _sample(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {"image": self.image(sample["jpg"]), "image_id": sample["__key__"], "caption": sample["txt"]}


class Mosaic(Loaded):
    """mosaicml-streaming: MDS. It imports torchvision, which reading does not use: a stub replaces it if it is missing."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        stub_torchvision()
        self._streaming = importlib.import_module("streaming")

    def open(self) -> None:
        reader = self

        class Images(self._streaming.StreamingDataset):  # type: ignore[misc, name-defined]
            def __getitem__(self, index: Any) -> Any:
                sample = super().__getitem__(index)
                return {**sample, "image": reader.image(sample["image"])}

        dataset = Images(local=self.job.data, shuffle=self.job.shuffle, batch_size=self.job.batch)
        self.load_with(self._streaming.StreamingDataLoader, dataset, batch_size=self.job.batch)


def stub_torchvision() -> None:
    """Stand in for torchvision where it is not installed, or does not fit the build of torch."""
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for name in ("", ".datasets", ".transforms", ".transforms.functional"):
            module = ModuleType(f"torchvision{name}")
            module.__spec__ = ModuleSpec(module.__name__, None)  # transformers, which is imported as well, looks at it
            sys.modules[module.__name__] = module
        sys.modules["torchvision.datasets"].VisionDataset = object  # type: ignore[attr-defined]
        sys.modules["torchvision.transforms.functional"].to_tensor = None  # type: ignore[attr-defined]


class LitData(Loaded):
    """litdata: chunks made by `optimize`."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._litdata = importlib.import_module("litdata")

    def open(self) -> None:
        dataset = self._litdata.StreamingDataset(self.job.data, shuffle=self.job.shuffle, transform=self._sample)
        self.load_with(self._litdata.StreamingDataLoader, dataset, batch_size=self.job.batch)

    def _sample(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {**sample, "image": self.image(sample["image"])}


READERS: dict[str, type[Reader]] = {
    "stream": Stream,
    "stream-torch": StreamLoader,
    "memory": Memory,
    "pyarrow": Arrow,
    "datasets": Datasets,
    "datasets-map": DatasetsMap,
    "webdataset": WebDataset,
    "mosaicml": Mosaic,
    "litdata": LitData,
}
