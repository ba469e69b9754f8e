"""Libraries that decode pictures and train on them."""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.values import attempt


def _images(case: Case, columns: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The rows of train by PyArrow, with the JPEG under `jpeg`."""
    import pyarrow.parquet as pq

    rows = pq.read_table(case.files(), columns=["image_id", "image", "region", *columns]).to_pylist()
    return [row | {"jpeg": row["image"]["bytes"]} for row in rows]


def _write_jpegs(case: Case) -> dict[str, str]:
    Path("jpegs").mkdir(exist_ok=True)
    paths = {}
    for row in _images(case):
        paths[row["image_id"]] = f"jpegs/{row['image_id']}.jpg"
        Path(paths[row["image_id"]]).write_bytes(row["jpeg"])
    return paths


def timm(case: Case) -> Findings:
    import datasets
    import numpy
    from timm.data import create_dataset

    datasets.disable_progress_bars()
    # A name of its own for the cache, and relative: timm cuts the name at slashes.
    os.symlink(case.root, "rocov2")
    ids = [row["image_id"] for row in case.rows()]

    def read(kind: str, target: str, **options: Any) -> list[Any]:
        extra = {"is_training": False, "batch_size": 1} if kind == "hfids" else {}
        data = create_dataset(f"{kind}/rocov2", root="cache", split="train", target_key=target, **extra, **options)
        return list(data) if kind == "hfids" else [data[index] for index in range(len(data))]

    def nulls(kind: str) -> str:
        return case.judge_nulls({id: label for id, (_, label) in zip(ids, read(kind, "region"), strict=True)})

    def pixels(**options: Any) -> str:
        pictures = read("hfds", "modality", **options)
        return case.judge_pixels({id: numpy.asarray(picture) for id, (picture, _) in zip(ids, pictures, strict=True)})

    labels = {id: label for id, (_, label) in zip(ids, read("hfds", "modality"), strict=True)}
    streamed = attempt(lambda: read("hfids", "modality"))
    return {
        "images": "decoded",
        "pixels": pixels(),
        "pixels, input_img_mode='L'": pixels(input_img_mode="L"),
        "labels": case.judge_labels(labels),
        "nulls": f"hfds {attempt(lambda: nulls('hfds'))}; hfids {attempt(lambda: nulls('hfids'))}",
        "lists": attempt(lambda: str(type(read("hfds", "cuis")[0][1]).__name__)),
        "hfids": f"{len(streamed)} of {len(ids)} images" if isinstance(streamed, list) else streamed,
        "configurations": "only the default one: timm passes no name",
    }


def open_clip(case: Case) -> Findings:
    import numpy
    from open_clip.transform import image_transform
    from open_clip_train.data import get_wds_dataset
    from PIL import Image

    preprocess = image_transform(64, is_train=False, mean=(0, 0, 0), std=(1, 1, 1))
    tars = sorted(map(str, case.tars.glob("train-*.tar")))
    args = SimpleNamespace(
        train_data=None,
        val_data="::".join(tars),
        val_num_samples=len(case.rows()),
        train_num_samples=None,
        dataset_resampled=False,
        train_data_upsampling_factors=None,
        batch_size=8,
        workers=1,
        world_size=1,
        seed=0,
        image_key="jpg;png;jpeg;webp",
        text_key="txt",
    )
    got: Any = attempt(lambda: list(get_wds_dataset(args, preprocess, False, tokenizer=lambda text: [text]).dataloader))
    if isinstance(got, str):
        return {"error": got}
    pairs = [(image, text) for images, texts in got for image, text in zip(images, texts, strict=True)]
    by_caption: Counter[str] = Counter(text if isinstance(text, str) else text[0] for _, text in pairs)
    expected = Counter(row["caption"] for row in case.rows())
    ours = {row["image_id"]: preprocess(Image.open(io.BytesIO(row["jpeg"]))).numpy() for row in _images(case)}
    hashes = Counter(image.numpy().tobytes() for image, _ in pairs)
    same = hashes == Counter(array.tobytes() for array in ours.values())
    grey = [ours[row["image_id"]] for row in case.rows() if row["mode"] == "L"]
    return {
        "reads": "the tars of `rocov2 export`",
        "images": "decoded",
        "pixels": f"{'those of its own transform' if same else 'others than its own transform gives'}; grey: "
        + (
            "3 equal channels" if all(numpy.array_equal(array[0], array[2]) for array in grey) else "not equal channels"
        ),
        "texts": "equal" if by_caption == expected else f"{sum((expected - by_caption).values())} differ",
        "order": f"{len(pairs)} of {len(case.rows())} images",
    }


def torchvision(case: Case) -> Findings:
    import torch
    from torchvision.io import ImageReadMode, decode_image, decode_jpeg

    rows = _images(case)
    buffers = {row["image_id"]: torch.frombuffer(bytearray(row["jpeg"]), dtype=torch.uint8) for row in rows}

    def pixels(mode: Any, decode: Any = decode_jpeg, **options: Any) -> str:
        return case.judge_pixels({id: decode(buffer, mode=mode, **options).numpy() for id, buffer in buffers.items()})

    return {
        "images": "bytes go in",
        "pixels": f"UNCHANGED: {pixels(ImageReadMode.UNCHANGED)}; RGB: {pixels(ImageReadMode.RGB)}",
        "apply_exif_orientation=True": pixels(ImageReadMode.RGB, decode_image, apply_exif_orientation=True),
        "distance to Pillow": _distance(
            rows, {id: decode_jpeg(b, mode=ImageReadMode.RGB) for id, b in buffers.items()}
        ),
    }


def _distance(rows: list[dict[str, Any]], tensors: Any) -> str:
    """Largest difference to the pixels of Pillow, over grey and over coloured images that are not turned."""
    import numpy
    from PIL import Image

    largest = {"L": 0, "RGB": 0}
    mean = dict.fromkeys(largest, 0.0)
    for row in rows:
        picture = Image.open(io.BytesIO(row["jpeg"]))
        ours = numpy.asarray(picture.convert("RGB")).astype(int)
        theirs = numpy.asarray(tensors[row["image_id"]]).astype(int)
        theirs = theirs.transpose(1, 2, 0) if theirs.shape[0] == 3 else theirs
        if ours.shape == theirs.shape:
            difference = numpy.abs(ours - theirs)
            largest[picture.mode] = max(largest[picture.mode], int(difference.max()))
            mean[picture.mode] = max(mean[picture.mode], float(difference.mean()))
    return "; ".join(
        f"{name} at most {largest[mode]} levels, {mean[mode]:.2f} on average in the worst picture"
        for name, mode in (("grey", "L"), ("colour", "RGB"))
    )


def monai(case: Case) -> Findings:
    import torch
    from monai.data import DataLoader, Dataset
    from monai.transforms import LoadImage

    paths = _write_jpegs(case)

    def pixels(**options: Any) -> str:
        load = LoadImage(image_only=True, **options)
        return case.judge_pixels({id: load(path) for id, path in paths.items()})

    rows = [{"region": row["region"], "cuis": row["cuis"]} for row in _images(case, ("cuis",))]
    batch = attempt(lambda: next(iter(DataLoader(Dataset(rows), batch_size=4))))
    plain = [{"region": row["region"] if row["region"] is not None else -1} for row in rows]
    return {
        "images": "files, no bytes: write them out",
        "pixels": attempt(lambda: pixels(reader="PILReader")),
        "reverse_indexing=False": attempt(lambda: pixels(reader="PILReader", reverse_indexing=False)),
        "ensure_channel_first": attempt(lambda: pixels(reader="PILReader", ensure_channel_first=True)),
        "nulls": f"in a batch: {batch if isinstance(batch, str) else type(batch['region']).__name__}",
        "nulls, -1 instead": attempt(
            lambda: str(isinstance(next(iter(DataLoader(Dataset(plain), batch_size=4)))["region"], torch.Tensor))
        ),
        "reads": "JPEG files",
    }


def spdl(case: Case) -> Findings:
    import numpy
    import spdl.io

    rows = _images(case)

    def load(jpeg: bytes, **options: Any) -> Any:
        return spdl.io.to_numpy(spdl.io.load_image(jpeg, **options))

    def pixels(**options: Any) -> str:
        return case.judge_pixels({row["image_id"]: load(row["jpeg"], **options) for row in rows})

    grey = spdl.io.get_video_filter_desc(pix_fmt="gray")
    return {
        "images": "bytes go in",
        "pixels": attempt(pixels),
        "pix_fmt gray": attempt(lambda: pixels(filter_desc=grey)),
        "distance to Pillow": attempt(
            lambda: _distance(rows, {row["image_id"]: numpy.array(load(row["jpeg"])) for row in rows})
        ),
    }


def fastai(case: Case) -> Findings:
    import numpy
    from fastai.vision.all import CategoryBlock, DataBlock, ImageBlock, PILImage, PILImageBW, Resize

    rows = _images(case, ("modality",))

    def pixels(kind: Any) -> str:
        return case.judge_pixels({row["image_id"]: numpy.asarray(kind.create(row["jpeg"])) for row in rows})

    def block(column: str) -> str:
        blocks = DataBlock(
            blocks=(ImageBlock, CategoryBlock),
            get_x=lambda row: row["jpeg"],
            get_y=lambda row: row[column],
            item_tfms=Resize(32),
            splitter=lambda items: (list(range(len(items) - 8)), list(range(len(items) - 8, len(items)))),
        )
        loaders = blocks.dataloaders(rows, bs=4, num_workers=0)
        loaders.one_batch()
        return f"vocabulary {list(loaders.vocab)}"

    return {
        "images": "bytes go in",
        "pixels": f"PILImage: {pixels(PILImage)}; PILImageBW: {pixels(PILImageBW)}",
        "labels": attempt(lambda: block("modality")),
        "nulls": attempt(lambda: block("region")),
    }


def autogluon(case: Case) -> Findings:
    import pandas as pd
    from autogluon.multimodal.data.infer_types import (
        infer_column_types,
        infer_label_column_type_by_problem_type,
        infer_problem_type,
    )

    rows = _images(case, ("caption", "modality", "cuis"))
    frame = pd.DataFrame(
        {name: [row[name] for row in rows] for name in ("jpeg", "caption", "modality", "region", "cuis")}
    )
    kinds = attempt(lambda: dict(infer_column_types(data=frame, valid_data=None, label_columns=["modality"])))
    bytearrays = frame.assign(jpeg=[bytearray(jpeg) for jpeg in frame["jpeg"]])
    again = attempt(lambda: dict(infer_column_types(data=bytearrays, valid_data=None, label_columns=["modality"])))
    raw = attempt(
        lambda: infer_column_types(
            data=frame[["modality"]].assign(image=[row["image"] for row in rows]),
            valid_data=None,
            label_columns=["modality"],
        )
    )

    def label() -> str:
        kinds = dict(infer_column_types(data=frame, valid_data=None, label_columns=["region"]))
        kinds = infer_label_column_type_by_problem_type(kinds, ["region"], "multiclass", frame)
        return f"as label: problem {infer_problem_type(y_train_data=frame['region'])}, column {kinds['region']}"

    return {
        "images": f"bytes: {_of(kinds, 'jpeg')}; bytearray: {_of(again, 'jpeg')}; struct: {_of(raw, 'image')}",
        "texts": f"caption: {_of(kinds, 'caption')}",
        "lists": f"cuis: {_of(kinds, 'cuis')}",
        "nulls": attempt(label),
    }


def _of(kinds: Any, name: str) -> str:
    return kinds if isinstance(kinds, str) else kinds.get(name, "?")
