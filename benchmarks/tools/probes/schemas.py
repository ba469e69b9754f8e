"""Readers of croissant.json."""

from __future__ import annotations

from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.values import attempt


def mlcroissant(case: Case) -> Findings:
    import mlcroissant as mlc

    def records(name: str, **options: Any) -> list[dict[str, Any]]:
        dataset = mlc.Dataset(str(case.root / "croissant.json"))
        return [
            {key.partition("/")[2]: value.decode() if isinstance(value, bytes) else value for key, value in row.items()}
            for row in dataset.records(name, **options)
        ]

    rows = records("default", filters={"default/split": "train"})
    names = list(mlc.Dataset(str(case.root / "croissant.json")).metadata.record_sets)
    pictures = {row["image_id"]: row["image"] for row in rows}
    import numpy

    plain = [{key: value for key, value in row.items() if key != "image"} for row in rows]
    return case.judge(plain) | {
        "images": f"decoded ({type(next(iter(pictures.values()))).__name__})",
        "pixels": case.judge_pixels({id: numpy.asarray(picture) for id, picture in pictures.items()}),
        "configurations": ", ".join(record_set.name for record_set in names),
        "without filters": case.judge_mixture(lambda: [row["image_id"] for row in records("default")]),
    }


def tfds(case: Case) -> Findings:
    import tensorflow_datasets as builders

    def build(name: str, **options: Any) -> Any:
        builder = builders.dataset_builders.CroissantBuilder(
            jsonld=str(case.root / "croissant.json"),
            record_set_ids=[name],
            file_format="array_record",
            data_dir="built",
            **options,
        )
        builder.download_and_prepare()
        return builder

    def rows(builder: Any, split: str) -> list[dict[str, Any]]:
        source = builder.as_data_source(split=split)
        return [{key.partition("/")[2] or key: _decode(value) for key, value in row.items()} for row in source]

    builder = plain = attempt(lambda: build("default"))
    if isinstance(plain, str):
        builder = attempt(lambda: build("default", overwrite_version="1.0.0"))
    if isinstance(builder, str):
        return {"error": builder}
    splits = list(builder.info.splits)
    first = "train" if "train" in splits else splits[0]
    read = rows(builder, first)
    import numpy

    pictures = {row["image_id"]: numpy.asarray(row.pop("image")) for row in read}
    known = {row["image_id"] for row in case.rows()}
    return case.judge([row for row in read if row["image_id"] in known]) | {
        "splits": f"{', '.join(splits)}: {case.judge_mixture(lambda: [row['image_id'] for row in read])}",
        "images": "decoded",
        "pixels": case.judge_pixels({id: picture for id, picture in pictures.items() if id in known}),
        "names": "lost: int64" if "modality': int64" in str(builder.info.features) else str(builder.info.features),
        "without overwrite_version": plain if isinstance(plain, str) else "the same",
    }


def _decode(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    return value
