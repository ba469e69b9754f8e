"""Loaders for training: those that read Parquet, and those that read the tars of the export or a format of their own."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.values import attempt, describe_error


def grain(case: Case) -> Findings:
    from grain import experimental

    def rows(files: Any) -> list[Any]:
        return list(experimental.ParquetIterDataset(files))

    def struct(row: Any) -> dict[str, Any]:
        return dict(row) if not isinstance(row["image"], (str, bytes)) else row

    parts = [struct(row) for file in case.files() for row in rows(file)]
    return case.judge(parts) | {
        "order": f"file by file {case.judge_order([row['image_id'] for row in parts])}; of a list of files "
        f"{case.judge_order([row['image_id'] for row in rows(case.files())])}",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: [row["image_id"] for row in rows(str(case.root / "data"))]),
            "rocov2/data/train-*.parquet": case.judge_mixture(
                lambda: [row["image_id"] for row in rows(case.pattern())]
            ),
        },
        "memory": case.measure(lambda files: sum(1 for _ in experimental.ParquetIterDataset(files))),
    }


def litdata(case: Case) -> Findings:
    from litdata import StreamingDataset, index_parquet_dataset
    from litdata.streaming.item_loader import ParquetLoader

    def index(files: list[str], folder: str) -> str:
        Path(folder).mkdir()
        for file in files:
            os.link(file, f"{folder}/{os.path.basename(file)}") if _same_disk(file) else shutil.copy(file, folder)
        index_parquet_dataset(folder, num_workers=1)
        return folder

    def rows(folder: str) -> Any:
        return StreamingDataset(folder, item_loader=ParquetLoader(), shuffle=False)

    def as_dict(row: Any, dataset: Any) -> dict[str, Any]:
        return row if isinstance(row, dict) else dict(zip(columns, row, strict=True))

    import pyarrow.parquet as pq

    columns = pq.read_schema(case.files()[0]).names
    train = rows(index(case.files(), "train"))
    found = [as_dict(row, train) for row in train]
    heavy = index(case.heavy_files, "heavy")
    return case.judge(found) | {
        "traps": {
            "rocov2/data": attempt(
                lambda: _in_copy(case, "data", lambda folder: _index_ids(case, folder, rows, columns))
            ),
            "rocov2": attempt(lambda: _in_copy(case, ".", lambda folder: _index_ids(case, folder, rows, columns))),
        },
        "memory": case.measure(lambda files: sum(1 for _ in rows(heavy))),
    }


def _index_ids(case: Case, folder: str, rows: Any, columns: list[str]) -> str:
    from litdata import index_parquet_dataset

    def ids() -> list[Any]:
        index_parquet_dataset(folder, num_workers=1)
        return [
            row["image_id"] if isinstance(row, dict) else dict(zip(columns, row, strict=False)).get("image_id")
            for row in rows(folder)
        ]

    return case.judge_mixture(ids)


def _in_copy(case: Case, part: str, use: Any) -> str:
    """Use a copy of a folder of the repository, since the tool writes into it; say which files are new."""
    folder = Path("copy-" + (part if part != "." else "root"))
    shutil.copytree(case.root / part, folder)
    before = {path.relative_to(folder) for path in folder.rglob("*")}
    words = use(str(folder))
    new = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.relative_to(folder) not in before)
    return f"{words}; writes {', '.join(new)} there" if new else str(words)


def _same_disk(file: str) -> bool:
    return os.stat(file).st_dev == os.stat(".").st_dev


def webdataset(case: Case) -> Findings:
    import webdataset as wds

    tars = sorted(map(str, case.tars.glob("train-*.tar")))

    def rows(*stages: Any) -> list[Any]:
        pipeline = wds.WebDataset(tars, shardshuffle=False)
        for stage in stages:
            pipeline = pipeline.decode(stage)
        return list(pipeline)

    raw = rows()
    labels = [json.loads(row["json"]) for row in raw]
    pixels = {row["__key__"]: row["jpg"] for row in rows("rgb8")}
    return {
        "order": case.judge_order([row["__key__"] for row in raw]),
        "images": case.judge_images({row["__key__"]: row["jpg"] for row in raw}),
        "texts": case.judge_texts({row["__key__"]: row["txt"].decode() for row in raw}),
        "labels": case.judge_labels(
            {row["__key__"]: label["modality"] for row, label in zip(raw, labels, strict=True)}
        ),
        "nulls": case.judge_nulls({row["__key__"]: label["region"] for row, label in zip(raw, labels, strict=True)}),
        "lists": case.judge_lists(
            {row["__key__"]: (label["cuis"], label["manual_cuis"]) for row, label in zip(raw, labels, strict=True)}
        ),
        "pixels": f"rgb8: {case.judge_pixels(pixels)}; l8: "
        f"{case.judge_pixels({row['__key__']: row['jpg'] for row in rows('l8')})}",
        "reads": "the tars of `rocov2 export`",
    }


def mosaicml(case: Case) -> Findings:
    import pyarrow.parquet as pq
    from PIL import Image
    from streaming import MDSWriter, StreamingDataset

    def write(folder: str, files: list[str], kind: str) -> str:
        columns = {
            "image_id": "str",
            "image": kind,
            "caption": "str",
            "modality": "int",
            "region": "int",
            "cuis": "json",
        }
        with MDSWriter(out=folder, columns=columns) as writer:
            for file in files:
                for batch in pq.ParquetFile(file).iter_batches(64):
                    for row in batch.to_pylist():
                        data = row["image"]["bytes"]
                        picture = data if kind == "bytes" else Image.open(io.BytesIO(data))
                        region = -1 if row["region"] is None else row["region"]
                        writer.write({name: row[name] for name in columns} | {"image": picture, "region": region})
        return folder

    def read(folder: str) -> Any:
        return StreamingDataset(local=folder, shuffle=False, batch_size=1)

    rows = list(read(write("train", case.files(), "bytes")))

    def kept(kind: str) -> str:
        import numpy

        worst = 0
        originals = {row["image_id"]: row for row in rows}
        arrays = {row["image_id"]: numpy.asarray(row["image"]) for row in read(write(kind, case.files(), kind))}
        for id, array in arrays.items():
            before = numpy.asarray(Image.open(io.BytesIO(originals[id]["image"])))
            if before.shape == array.shape:
                worst = max(worst, int(numpy.abs(before.astype(int) - array.astype(int)).max()))
        changed = f"encoded again, pixels differ by up to {worst} levels" if worst else "pixels equal"
        return f"{changed}; {case.judge_pixels(arrays)}"

    return case.judge(rows) | {
        "nulls": f"a None: {attempt(lambda: _mds_none())}",
        "encoding jpeg": attempt(lambda: kept("jpeg")),
        "encoding jpeg_array": attempt(lambda: kept("jpeg_array")),
        "reads": "a copy in its own format (MDS)",
        "memory": case.measure(lambda files: sum(1 for _ in read(write("heavy", files, "bytes")))),
    }


def _mds_none() -> str:
    from streaming import MDSWriter

    with MDSWriter(out="none", columns={"region": "int"}) as writer:
        writer.write({"region": None})
    return "accepted"


def energon(case: Case) -> Findings:
    from megatron.energon import WorkerConfig, get_loader, get_train_dataset

    shutil.copytree(case.tars, "tars")
    program = str(Path(sys.executable).with_name("energon"))
    parts = [f"--split-parts={part}:{part}-.*\\.tar" for part in ("train", "validation", "test")]
    fields = ["--sample-type=CaptioningSample", '--field-map={"image": "jpg", "caption": "txt"}']
    done = subprocess.run(
        [program, "prepare", "tars", "--non-interactive", *parts, *fields], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"error": describe_error(RuntimeError(done.stderr.strip().splitlines()[-1]))}
    workers = WorkerConfig(rank=0, world_size=1, num_workers=0)
    options = {"shuffle_buffer_size": None, "max_samples_per_sequence": None, "worker_config": workers}
    dataset = get_train_dataset("tars", batch_size=1, repeat=False, **options)
    rows = [
        (key, caption, image)
        for batch in get_loader(dataset)
        for key, caption, image in zip(batch.__key__, batch.caption, batch.image, strict=True)
    ]
    rows = [(key.rpartition("/")[2], caption, image) for key, caption, image in rows]
    return {
        "order": case.judge_order([key for key, _, _ in rows]),
        "texts": case.judge_texts({key: caption for key, caption, _ in rows}),
        "pixels": case.judge_pixels({key: image for key, _, image in rows}),
        "images": "decoded; bytes with the type CrudeWebdataset",
        "reads": "the tars of `rocov2 export`",
    }


def torchdata(case: Case) -> Findings:
    import datasets
    from torchdata.stateful_dataloader import StatefulDataLoader

    datasets.disable_progress_bars()
    stream = datasets.load_dataset(str(case.root), split="train", streaming=True)
    stream = stream.cast_column("image", datasets.Image(decode=False))
    loader = StatefulDataLoader(stream, batch_size=4, num_workers=2, collate_fn=list)
    rows = [row for batch in loader for row in batch]
    iterator = iter(loader)
    first = [row["image_id"] for _ in range(3) for row in next(iterator)]
    state = loader.state_dict()
    del iterator
    again = StatefulDataLoader(stream, batch_size=4, num_workers=2, collate_fn=list)
    again.load_state_dict(state)
    resumed = first + [row["image_id"] for batch in again for row in batch]
    heavy = datasets.load_dataset(str(case.heavy), split="train", streaming=True)
    heavy = heavy.cast_column("image", datasets.Image(decode=False))
    return case.judge(rows) | {
        "resumed after 3 batches": "every image once"
        if sorted(resumed) == sorted(r["image_id"] for r in rows)
        else "wrong",
        "reads": "what `datasets` streams",
        "memory": case.measure(lambda files: sum(1 for _ in StatefulDataLoader(heavy, batch_size=16, collate_fn=list))),
    }
