"""Spark and Ray Data on a repository of full size: count modalities and concepts, decode a sample of the images."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tools.probes.case import Case, Findings

PROJECT = str(Path(__file__).resolve().parents[3])
SAMPLE = 1_000
"""Images that are decoded."""


def spark(case: Case) -> Findings:
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as sql

    os.environ.update(PYSPARK_PYTHON=sys.executable, PYTHONPATH=PROJECT)  # the workers import this module
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.memory": "4g",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
        # Rows that a task holds of each column: by default 4,096, with images some 350 MB a task.
        "spark.sql.parquet.columnarReaderBatchSize": "64",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    train = session.read.parquet(case.pattern())
    found: Findings = {}

    def count_modalities(files: list[str]) -> None:
        rows = train.groupBy("modality").count().collect()
        found["modalities"] = {str(row["modality"]): row["count"] for row in rows}

    def count_concepts(files: list[str]) -> None:
        rows = train.select(sql.explode(sql.array_distinct("cuis")).alias("cui")).groupBy("cui").count().collect()
        found["concepts"] = {row["cui"]: row["count"] for row in rows}

    def decode(files: list[str]) -> None:
        images = train.select("image.bytes").limit(SAMPLE)
        found["pixels"] = images.mapInPandas(_spark_pixels, "pixels long").agg(sql.count("pixels")).collect()[0][0]

    result = _measure(case, found, count_modalities, count_concepts, decode)
    session.stop()
    return result


def _spark_pixels(parts: Iterator[Any]) -> Iterator[Any]:
    import pandas as pd
    from PIL import Image

    for part in parts:
        sizes = [len(Image.open(io.BytesIO(jpeg)).convert("RGB").tobytes()) for jpeg in part["bytes"]]
        yield pd.DataFrame({"pixels": sizes})


def ray(case: Case) -> Findings:
    os.environ.update(
        RAY_AUTH_MODE="disabled",
        RAY_DATA_DISABLE_PROGRESS_BARS="1",
        RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
        PYTHONPATH=PROJECT,
    )
    import ray as engine
    import ray.data

    engine.init(include_dashboard=False, num_cpus=2, object_store_memory=1_000_000_000, log_to_driver=False)
    files = case.files()
    found: Findings = {}

    def count_modalities(_: list[str]) -> None:
        rows = (
            engine.data.read_parquet(files, columns=["modality"])
            .groupby("modality", num_partitions=2)
            .count()
            .take_all()
        )
        found["modalities"] = {str(row["modality"]): row["count()"] for row in rows}

    def count_concepts(_: list[str]) -> None:
        lists = engine.data.read_parquet(files, columns=["cuis"])
        single = lists.flat_map(lambda row: [{"cui": cui} for cui in set(row["cuis"])])
        found["concepts"] = {r["cui"]: r["count()"] for r in single.groupby("cui", num_partitions=4).count().take_all()}

    def decode(_: list[str]) -> None:
        images = engine.data.read_parquet(files, columns=["image"]).limit(SAMPLE)
        found["pixels"] = images.map_batches(_ray_pixels, batch_size=64).count()

    result = _measure(case, found, count_modalities, count_concepts, decode)
    engine.shutdown()
    return result


def _ray_pixels(batch: dict[str, Any]) -> dict[str, Any]:
    import numpy
    from PIL import Image

    pictures = [Image.open(io.BytesIO(image["bytes"])).convert("RGB") for image in batch["image"]]
    return {"pixels": numpy.array([len(picture.tobytes()) for picture in pictures])}


def _measure(case: Case, found: Findings, *steps: Any) -> Findings:
    """Run the steps; give what they found and what each needed."""
    needed = {step.__name__: case.measure(step) for step in steps}
    return {"needed": needed, **found}
