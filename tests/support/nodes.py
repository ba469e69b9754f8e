"""What streams of `datasets` return in the interpreter that runs this: `python nodes.py REPOSITORY`, JSON to stdout.

Needs only `datasets`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import datasets
from datasets.distributed import split_dataset_by_node

NODES = (1, 2, 3, 4, 8)


def ids(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The ids of rows."""
    return [row["image_id"] for row in rows]


def ids_or_error(load: Callable[[str, bool], Iterable[dict[str, Any]]], split: str, streaming: bool) -> list[str] | str:
    """The ids of a split, or the name of the error that came instead."""
    try:
        return ids(load(split, streaming))
    except Exception as error:
        return type(error).__name__


def bytes_read(rows: Iterable[Any]) -> int:
    """Bytes that this process reads while it iterates over all rows."""
    before = _read_so_far()
    for _ in rows:
        pass
    return _read_so_far() - before


def _read_so_far() -> int:
    with open("/proc/self/io") as file:
        return int(file.readline().split()[1])


def report(repository: str) -> dict[str, Any]:
    """Shares of nodes, heads, unions, epochs, and bytes that are read for the column of ids."""

    def load(split: str = "train", streaming: bool = True, **options: Any) -> Any:
        return datasets.load_dataset(repository, split=split, streaming=streaming, **options)

    train, validation = load(), load("validation")
    files = [os.path.join(repository, "data", name) for name in sorted(os.listdir(os.path.join(repository, "data")))]
    shards = [
        ids(datasets.load_dataset("parquet", data_files=file, split="train", streaming=True, columns=["image_id"]))
        for file in files
        if os.path.basename(file).startswith("train-")
    ]
    shuffled = train.shuffle(seed=1, buffer_size=20)
    epochs = []
    for epoch in (0, 0, 1):
        shuffled.set_epoch(epoch)
        epochs.append(ids(shuffled))
    return {
        "shards": shards,
        "shares": {nodes: [ids(split_dataset_by_node(train, node, nodes)) for node in range(nodes)] for nodes in NODES},
        "take": ids(train.take(10)),
        "skip": len(ids(train.skip(10))),
        "concatenated": ids(datasets.concatenate_datasets([train, validation])),
        "interleaved": ids(
            datasets.interleave_datasets([train, validation], stopping_strategy="all_exhausted_without_replacement")
        ),
        "head": {"map": ids_or_error(load, "train[:10%]", False), "stream": ids_or_error(load, "train[:10%]", True)},
        "union": {
            "map": ids_or_error(load, "train+validation", False),
            "stream": ids_or_error(load, "train+validation", True),
        },
        "epochs": epochs,
        "bytes": {
            "all": bytes_read(load().cast_column("image", datasets.Image(decode=False))),
            "select_columns": bytes_read(load().select_columns(["image_id"])),
            "columns": bytes_read(load(columns=["image_id"])),
        }
        if sys.platform == "linux"
        else None,
    }


if __name__ == "__main__":
    datasets.disable_progress_bars()
    print(json.dumps(report(sys.argv[1])), flush=True)
    os._exit(0)  # threads of pyarrow can abort an interpreter's ordinary end
