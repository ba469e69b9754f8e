"""Engines that run on several processes or machines."""

from __future__ import annotations

import os
import sys
from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.frames import COLUMNS
from benchmarks.tools.probes.values import attempt


def dask(case: Case) -> Findings:
    import dask.dataframe as dd

    def ids(place: Any) -> list[Any]:
        return list(dd.read_parquet(place, columns=["image_id"])["image_id"].compute())

    frame = dd.read_parquet(case.files(), columns=COLUMNS)
    return case.judge(frame.compute().to_dict("records")) | {
        "nulls": f"{case.judge_nulls(dict(frame.compute().set_index('image_id')['region']))} ({frame['region'].dtype})",
        "partitions": f"{frame.npartitions} of {len(case.files())} files",
        "text partitions": dd.read_parquet(case.files(config="text")).npartitions,
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: ids(str(case.root / "data"))),
            "rocov2": case.judge_mixture(lambda: ids(str(case.root))),
            "rocov2/**/*.parquet": case.judge_mixture(lambda: ids(str(case.root / "**" / "*.parquet"))),
            "rocov2/data/train-*.parquet": case.judge_mixture(lambda: ids(case.pattern())),
        },
        "memory": case.measure(
            lambda files: (
                dd.read_parquet(files, columns=["image"])
                .map_partitions(
                    lambda part: part["image"].map(lambda image: len(image["bytes"])), meta=("image", "int64")
                )
                .sum()
                .compute()
            )
        ),
    }


def spark(case: Case) -> Findings:
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = session.config("spark.driver.memory", "2g").config("spark.sql.shuffle.partitions", "4").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")

    def ids(place: Any, **options: Any) -> list[Any]:
        return [
            row["image_id"] for row in session.read.options(**options).parquet(str(place)).select("image_id").collect()
        ]

    def rows(frame: Any) -> list[dict[str, Any]]:
        return [row.asDict(recursive=True) for row in frame.select(*COLUMNS).collect()]

    def count(frame: Any) -> int:
        return frame.selectExpr("sum(length(image.bytes))").collect()[0][0]  # type: ignore[no-any-return]

    frame = session.read.parquet(case.pattern())
    in_pandas = attempt(lambda: frame.select("image_id", "region").toPandas())
    found = case.judge(rows(frame)) | {
        "nulls in toPandas": case.judge_nulls(dict(in_pandas.set_index("image_id")["region"]))
        if hasattr(in_pandas, "columns")
        else in_pandas,
        "partitions": f"{frame.rdd.getNumPartitions()} of {len(case.files())} files",
        "order": f"of one file: {_order_of_files(case, session)}; of the glob: {case.judge_order(ids(case.pattern()))}",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: ids(case.root / "data")),
            "rocov2": case.judge_mixture(lambda: ids(case.root)),
            "rocov2, recursiveFileLookup, *.parquet": case.judge_mixture(
                lambda: ids(case.root, recursiveFileLookup="true", pathGlobFilter="*.parquet")
            ),
        },
        "memory": case.measure(lambda files: count(session.read.parquet(*files))),
    }
    session.stop()
    return found


def _order_of_files(case: Case, session: Any) -> str:
    parts = [
        row["image_id"] for file in case.files() for row in session.read.parquet(file).select("image_id").collect()
    ]
    return case.judge_order(parts)


def ray(case: Case) -> Findings:
    os.environ.update(RAY_AUTH_MODE="disabled", RAY_DATA_DISABLE_PROGRESS_BARS="1", RAY_ENABLE_UV_RUN_RUNTIME_ENV="0")
    import ray as engine
    import ray.data

    engine.init(include_dashboard=False, num_cpus=2, object_store_memory=400_000_000, log_to_driver=False)

    def ids(place: Any) -> list[Any]:
        return [row["image_id"] for row in engine.data.read_parquet(place).select_columns(["image_id"]).take_all()]

    def drain(files: list[str]) -> int:
        batches = engine.data.read_parquet(files).select_columns(["image"]).iter_batches(batch_size=64)
        return sum(len(batch["image"]) for batch in batches)

    train = engine.data.read_parquet(case.files())
    batch = next(iter(train.select_columns(["region", "image_id"]).iter_batches(batch_size=None)))
    found = case.judge(train.select_columns(COLUMNS).take_all()) | {
        "nulls in batches": f"{batch['region'].dtype}",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: ids(str(case.root / "data"))),
            "rocov2": case.judge_mixture(lambda: ids(str(case.root))),
            "rocov2/data/train-*.parquet": case.judge_mixture(lambda: ids(case.pattern())),
        },
        "memory": case.measure(drain),
    }
    engine.shutdown()
    return found


def daft(case: Case) -> Findings:
    import daft as engine
    from daft import col

    def ids(place: Any) -> list[Any]:
        return engine.read_parquet(str(place)).select("image_id").to_pydict()["image_id"]  # type: ignore[no-any-return]

    frame = engine.read_parquet(case.pattern())
    decoded = attempt(
        lambda: frame.select("image_id", col("image")["bytes"].decode_image(mode="RGB").alias("pixels")).to_pydict()
    )
    pixels = case.judge_pixels(dict(zip(*decoded.values(), strict=True))) if isinstance(decoded, dict) else decoded
    return case.judge(frame.select(*COLUMNS).to_pylist()) | {
        "pixels": pixels,
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: ids(case.root / "data")),
            "rocov2": case.judge_mixture(lambda: ids(case.root)),
            "rocov2/**/*.parquet": case.judge_mixture(lambda: ids(case.root / "**" / "*.parquet")),
        },
        "memory": case.measure(
            lambda files: [
                len(part) for part in engine.read_parquet(files).select(col("image")["bytes"]).iter_partitions()
            ]
        ),
    }
