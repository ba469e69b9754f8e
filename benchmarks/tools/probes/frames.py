"""Data frames and query engines in one process."""

from __future__ import annotations

import json
import os
from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.values import attempt

COLUMNS = ["image_id", "image", "caption", "cuis", "manual_cuis", "modality", "region"]


def pyarrow(case: Case) -> Findings:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    table = pq.read_table(case.files())
    found = case.judge(table.to_pylist())
    names = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["modality"]["names"]
    return found | {
        "names": "in the metadata" if names == case.names["modality"] else "wrong",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: pq.read_table(case.root / "data")["image_id"].to_pylist()),
            "rocov2": case.judge_mixture(lambda: pq.read_table(case.root)["image_id"].to_pylist()),
            "rocov2/data/train-*.parquet": case.judge_mixture(
                lambda: pq.read_table(case.pattern())["image_id"].to_pylist()
            ),
        },
        "memory": case.measure(
            lambda files: [len(batch) for batch in ds.dataset(files).scanner(batch_readahead=0).to_batches()]
        ),
    }


def pandas(case: Case) -> Findings:
    import pandas as pd

    def read(place: Any, **options: Any) -> Any:
        return pd.read_parquet(place, **options)

    frame = read(case.files())
    found = case.judge(frame.to_dict("records"))
    filled = frame["region"].fillna(-1).astype(int).map(dict(enumerate(case.names["region"])))
    return found | {
        "nulls": f"{found['nulls']} ({frame['region'].dtype})",
        "nulls, dtype_backend": case.judge_nulls(
            dict(read(case.files(), dtype_backend="numpy_nullable").set_index("image_id")["region"])
        ),
        "names": "none; map them" if filled.isna().sum() == frame["region"].isna().sum() else "wrong",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: list(read(case.root / "data")["image_id"])),
            "rocov2": case.judge_mixture(lambda: list(read(case.root)["image_id"])),
            "rocov2/data/train-*.parquet": case.judge_mixture(lambda: list(read(case.pattern())["image_id"])),
        },
        "memory": case.measure(read),
    }


def fastparquet(case: Case) -> Findings:
    import pandas as pd

    def read(place: Any, columns: list[str] | None = None) -> Any:
        return pd.read_parquet(place, engine="fastparquet", columns=columns)

    def column(name: str) -> Any:
        return attempt(lambda: dict(zip(ids, read(case.files(), [name])[name], strict=True)))

    def judge(name: str, judge_values: Any) -> str:
        values = column(name)
        return judge_values(values) if isinstance(values, dict) else values  # type: ignore[no-any-return]

    ids = list(read(case.files(), ["image_id"])["image_id"])
    names = attempt(lambda: list(read(case.files(), ["image"]).columns))
    return {
        "order": case.judge_order(ids),
        "images": judge("image.bytes", case.judge_images),
        "texts": judge("caption", case.judge_texts),
        "labels": judge("modality", case.judge_labels),
        "nulls": judge("region", case.judge_nulls),
        "lists": judge("cuis", lambda values: case.judge_lists({id: (value, None) for id, value in values.items()})),
        "empty lists": judge(
            "manual_cuis",
            lambda values: repr(next(values[row["image_id"]] for row in case.rows() if not row["manual_cuis"])),
        ),
        "columns=['image']": names,
        "all columns": attempt(lambda: len(read(case.files()))),
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: list(read(str(case.root / "data"), ["image_id"])["image_id"])),
            "rocov2": case.judge_mixture(lambda: list(read(str(case.root), ["image_id"])["image_id"])),
        },
        "memory": attempt(lambda: case.measure(lambda files: read(files, ["image.bytes"]))),
    }


def polars(case: Case) -> Findings:
    import polars as pl

    def ids(place: Any) -> list[Any]:
        return pl.scan_parquet(place).select("image_id").collect()["image_id"].to_list()

    names = json.loads(pl.read_parquet_metadata(case.files()[0])["huggingface"])["info"]["features"]["modality"][
        "names"
    ]
    return case.judge(pl.read_parquet(case.pattern()).to_dicts()) | {
        "names": "in the metadata" if names == case.names["modality"] else "wrong",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: ids(case.root / "data")),
            "rocov2": case.judge_mixture(lambda: ids(case.root)),
            "rocov2/**/*.parquet": case.judge_mixture(lambda: ids(case.root / "**" / "*.parquet")),
        },
        "memory": case.measure(pl.read_parquet),
    }


def duckdb(case: Case) -> Findings:
    import duckdb

    db: Any = duckdb

    def ids(place: Any, options: str = "") -> list[Any]:
        return [id for (id,) in db.sql(f"SELECT image_id FROM read_parquet('{place}'{options})").fetchall()]  # noqa: S608

    relation = db.sql(f"SELECT {', '.join(COLUMNS)} FROM '{case.pattern()}'")  # noqa: S608
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in relation.fetchall()]
    cast = "CAST(decode(value)::JSON -> 'info' -> 'features' -> 'modality' ->> 'names' AS VARCHAR[])"
    metadata = f"parquet_kv_metadata('{case.files()[0]}') WHERE decode(key) = 'huggingface'"
    names = db.sql(f"SELECT {cast} FROM {metadata}").fetchall()[0][0]  # noqa: S608
    everything = case.root / "**" / "*.parquet"
    return case.judge(rows) | {
        "names": "in the metadata" if names == case.names["modality"] else "wrong",
        "traps": {
            "rocov2/data": case.judge_mixture(lambda: ids(case.root / "data")),
            "rocov2/**/*.parquet": case.judge_mixture(lambda: ids(everything)),
            "rocov2/**/*.parquet, union_by_name": case.judge_mixture(lambda: ids(everything, ", union_by_name = true")),
        },
        "memory": case.measure(
            lambda files: db.sql(f"SELECT sum(octet_length(image.bytes)) FROM read_parquet({files})").fetchall()  # noqa: S608
        ),
    }


def datafusion(case: Case) -> Findings:
    from datafusion import SessionContext

    context = SessionContext()

    def ids(place: Any) -> list[Any]:
        return context.read_parquet(str(place)).select("image_id").to_pydict()["image_id"]  # type: ignore[no-any-return]

    places = {os.path.basename(file): file for file in case.files()}
    parts = [row for file in places.values() for row in context.read_parquet(file).select(*COLUMNS).to_pylist()]
    glob_order = case.judge_order(attempt(lambda: ids(case.pattern())))
    return case.judge(parts) | {
        "order": f"file by file {case.judge_order([row['image_id'] for row in parts])}; of a glob {glob_order}",
        "traps": {
            "rocov2/data/": case.judge_mixture(lambda: ids(f"{case.root}/data/")),
            "rocov2/": case.judge_mixture(lambda: ids(f"{case.root}/")),
        },
        "memory": case.measure(
            lambda files: [
                sum(1 for _ in context.read_parquet(file).select("image").execute_stream()) for file in files
            ]
        ),
    }


def chdb(case: Case) -> Findings:
    import chdb as db

    def rows(query: str, settings: str = "SETTINGS output_format_arrow_string_as_string = 0") -> list[dict[str, Any]]:
        import pyarrow.ipc as ipc

        return list(ipc.open_file(db.query(f"{query} {settings}", "Arrow").bytes()).read_all().to_pylist())

    def ids(place: Any) -> list[Any]:
        return [_decoded(row["image_id"]) for row in rows(f"SELECT image_id FROM file('{place}', Parquet)")]  # noqa: S608

    everything = f"SELECT {', '.join(COLUMNS)} FROM file('{case.pattern()}', Parquet)"  # noqa: S608
    train = [_decoded(row) for row in rows(everything)]
    ordered = rows(
        f"SELECT image_id FROM file('{case.pattern()}', Parquet) ORDER BY _file, _row_number"  # noqa: S608
    )
    return case.judge(train) | {
        "without the setting": attempt(
            lambda: case.judge_images({r["image_id"]: r["image"] for r in rows(everything, "")})
        ),
        "order": f"{case.judge_order([row['image_id'] for row in train])}; ORDER BY _file, _row_number: "
        f"{case.judge_order([_decoded(row['image_id']) for row in ordered])}",
        "traps": {
            "rocov2/data/*.parquet": case.judge_mixture(lambda: ids(case.root / "data" / "*.parquet")),
            "rocov2/**/*.parquet": case.judge_mixture(lambda: ids(case.root / "**" / "*.parquet")),
        },
        "memory": case.measure(
            lambda files: [
                db.query(f"SELECT sum(length(image.bytes)) FROM file('{file}', Parquet)", "CSV")  # noqa: S608
                for file in files
            ]
        ),
    }


def _decoded(value: Any) -> Any:
    """The values of a row with its strings decoded, apart from the bytes of the image."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [_decoded(entry) for entry in value]
    if isinstance(value, dict):
        return {key: entry if key == "bytes" else _decoded(entry) for key, entry in value.items()}
    return value
