"""Which samples two processes see through accelerate, as a program under torchrun: `-m tests.support.preparing ARGUMENTS`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from typing import Any

import torch
from accelerate import Accelerator, DataLoaderConfiguration
from datasets import load_dataset
from datasets.distributed import split_dataset_by_node
from torch.utils.data import DataLoader

from tests.support.loops import leave
from tests.support.streams import open_stream


def make_loader(accelerator: Accelerator, way: str, repository: str) -> Any:
    """A loader whose batches have the widths of images, in the way that a test names."""
    stream: dict[str, Any] = {"columns": ["image"], "image_size": (1, 8), "batch_size": 4}
    if way == "stream":
        return open_stream(repository, **stream)
    if way == "stream, prepared":
        return accelerator.prepare(DataLoader(open_stream(repository, **stream), batch_size=None))
    if way == "stream of all, prepared":
        whole = open_stream(repository, **stream, rank=0, world_size=1)
        return accelerator.prepare(DataLoader(whole, batch_size=None))
    train = load_dataset(repository, split="train", streaming=True, columns=["width"]).with_format("torch")
    if way == "datasets, prepared":
        return accelerator.prepare(DataLoader(train, batch_size=4))
    if way == "datasets, split":
        return DataLoader(split_dataset_by_node(train, accelerator.process_index, 2), batch_size=4)
    if way == "datasets, split and prepared":
        return accelerator.prepare(DataLoader(split_dataset_by_node(train, accelerator.process_index, 2), batch_size=4))
    raise ValueError(way)


def samples_of(loader: Iterable[Any]) -> list[str]:
    """What distinguishes the samples of all batches: the pixels, or the width, which no two images of a test share."""
    seen: list[str] = []
    for batch in loader:
        if "image" in batch:
            seen += [bytes(torch.as_tensor(image).numpy()).hex() for image in batch["image"]]
        else:
            seen += [str(int(width)) for width in batch["width"]]
    return seen


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    reported: dict[str, list[list[str]]] = {}
    for dispatch in (None, False):
        accelerator = Accelerator(cpu=True, dataloader_config=DataLoaderConfiguration(dispatch_batches=dispatch))
        for way in arguments["ways"]:
            name = way if dispatch is None else f"{way}, not dispatched"
            everyone: list[list[str]] = [[], []]
            try:
                seen = samples_of(make_loader(accelerator, way, arguments["repository"]))
            except TypeError as error:
                seen = [type(error).__name__]
            torch.distributed.all_gather_object(everyone, seen)
            reported[name] = everyone
    torch.distributed.barrier()
    if accelerator.process_index:
        os._exit(0)
    leave(reported)
