"""Formats that keep a copy of their own, made from the Parquet files."""

from __future__ import annotations

from typing import Any

from benchmarks.tools.probes.case import Case, Findings
from benchmarks.tools.probes.frames import COLUMNS
from benchmarks.tools.probes.values import attempt


def _reader(files: list[str]) -> Any:
    import pyarrow.dataset as ds

    return ds.dataset(files).scanner(batch_size=64, batch_readahead=0).to_reader()


def lance(case: Case) -> Findings:
    import json

    import lance as library
    import pyarrow as pa
    import pyarrow.dataset as ds

    train = library.write_dataset(_reader(case.files()), "train.lance")
    table = train.to_table(columns=COLUMNS)
    names = json.loads(train.schema.metadata[b"huggingface"])["info"]["features"]["modality"]["names"]
    train.create_scalar_index("cuis", "LABEL_LIST")

    def plan(dataset: Any) -> str:
        used = "ScalarIndexQuery" in dataset.scanner(filter="array_has(cuis, 'C0817096')").explain_plan()
        return "used" if used else "silently not used"

    schema = ds.dataset(case.files()).schema
    for number, field in enumerate(schema):
        if pa.types.is_list(field.type):
            schema = schema.set(number, field.with_type(pa.list_(field.type.value_type)))
    rows = ds.dataset(case.files(), schema=schema).scanner().to_reader()
    renamed = library.write_dataset(rows, "renamed.lance")
    renamed.create_scalar_index("cuis", "LABEL_LIST")
    return case.judge(table.to_pylist()) | {
        "names": "in the metadata, kept" if names == case.names["modality"] else "wrong",
        "index on cuis": f"{plan(train)}; lists renamed: {plan(renamed)}",
        "traps": {"rocov2/data": case.judge_mixture(lambda: library.dataset(str(case.root / "data")).to_table())},
        "memory": case.measure(lambda files: library.write_dataset(_reader(files), "heavy.lance")),
    }


def lancedb(case: Case) -> Findings:
    import lancedb as library

    base = library.connect("base")
    table = base.create_table("train", _reader(case.files()))
    found = table.search().where("array_has(cuis, 'C0817096')").limit(1000).to_list()
    expected = {row["image_id"] for row in case.rows() if "C0817096" in row["cuis"]}
    table.create_fts_index("caption")
    return case.judge(table.to_arrow().to_pylist()) | {
        "filter on cuis": "right" if {row["image_id"] for row in found} == expected else "wrong",
        "full text": attempt(lambda: f"{len(table.search('aneurysm', query_type='fts').limit(50).to_list())} found"),
        "nulls in pandas": case.judge_nulls(dict(table.to_pandas().set_index("image_id")["region"])),
        "memory": case.measure(lambda files: base.create_table("heavy", _reader(files))),
    }


def vortex(case: Case) -> Findings:
    import vortex as library

    columns = _reader(case.files())
    library.io.write(columns, "train.vortex")
    table = library.open("train.vortex").scan().read_all().to_arrow_table()
    return case.judge(table.select(COLUMNS).to_pylist()) | {
        "names": "in the metadata, kept"
        if b"huggingface" in (table.schema.metadata or {})
        else "lost with the metadata of the schema",
        "types": f"image_id {table.schema.field('image_id').type}, cuis {table.schema.field('cuis').type}",
        "memory": case.measure(lambda files: library.io.write(_reader(files), "heavy.vortex")),
    }
