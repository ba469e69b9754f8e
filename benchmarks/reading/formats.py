"""The peers' own formats, written by their own writers from a repository's JPEGs: what `benchmarks/reading/run.py` starts.

    python benchmarks/reading/formats.py webdataset REPOSITORY OUTPUT

Each in the environment of the peer.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.reading.peers import stub_torchvision
from benchmarks.reading.readers import Arrow, Job

CHUNK = 64_000_000
"""Bytes of a file of MDS and litdata: what litdata's documentation uses, and the default of MDS."""

TARS = 8
"""Tars: an even number, and of equal numbers of images, so that two workers have the same to do."""


def rows_of(repository: Path) -> list[dict[str, Any]]:
    """The rows of train: image, image_id and caption."""
    reader = Arrow(Job("pyarrow", str(repository)))
    reader.open()
    return [
        dict(zip(batch, row, strict=True)) for batch in reader.batches(0) for row in zip(*batch.values(), strict=True)
    ]


def webdataset(repository: Path, output: Path) -> None:
    """Tars, by `ShardWriter`."""
    rows = rows_of(repository)
    pattern = str(output / "train-%05d.tar")
    with importlib.import_module("webdataset").ShardWriter(
        pattern, maxcount=-(-len(rows) // TARS), verbose=0
    ) as writer:
        for row in rows:
            writer.write({"__key__": row["image_id"], "jpg": row["image"], "txt": row["caption"]})


def mosaicml(repository: Path, output: Path) -> None:
    """MDS, by `MDSWriter`."""
    stub_torchvision()
    columns = {"image": "bytes", "image_id": "str", "caption": "str"}
    with importlib.import_module("streaming").MDSWriter(out=str(output), columns=columns, size_limit=CHUNK) as writer:
        for row in rows_of(repository):
            writer.write(row)


def _same(row: dict[str, Any]) -> dict[str, Any]:
    return row


def litdata(repository: Path, output: Path) -> None:
    """Chunks, by `optimize`."""
    importlib.import_module("litdata").optimize(
        fn=_same,
        inputs=list(rows_of(repository)),
        output_dir=str(output),
        chunk_bytes=CHUNK,
        num_workers=1,
        verbose=False,
    )


def datasets(repository: Path, output: Path) -> None:
    """The cache of `datasets` (under HF_HOME), as `load_dataset` makes it."""
    importlib.import_module("datasets").load_dataset(str(repository), split="train")


WRITERS = {"webdataset": webdataset, "mosaicml": mosaicml, "litdata": litdata, "datasets": datasets}

if __name__ == "__main__":
    format, source, target = sys.argv[1:]
    Path(target).mkdir(parents=True, exist_ok=True)
    WRITERS[format](Path(source), Path(target))
