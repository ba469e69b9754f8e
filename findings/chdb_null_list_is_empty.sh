#!/usr/bin/env bash
# chdb 4.4.0: a list that is null in Parquet is an empty list, while a null label stays null.
#
# Expected: the Parquet file says which lists are null and which are empty, and DuckDB, Polars and pyarrow keep them apart.
# Seen: `cuis` is [] for both, `cuis IS NULL` is false everywhere, and `NOT has(cuis, ...)` also chooses the rows whose list
# is null. An int64 column in the same file keeps its null. `input_format_null_as_default=0` changes nothing.
# Why it matters: an empty list says that a picture has no concept, and null that nobody looked. Negative examples for a concept
# are chosen by just this difference.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 pyarrow==26.0.1 duckdb==2.0.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
import json
from importlib.metadata import version

import chdb
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({
    "image_id": ["tagged", "without concept", "not looked at"],
    "modality": pa.array([0, 1, None], pa.int64()),
    "cuis": pa.array([["C0040405"], [], None], pa.list_(pa.string())),
})
pq.write_table(table, "pictures.parquet")


def ask(query: str) -> list[object]:
    answer = str(chdb.query(query, "JSONCompactEachRow"))
    return [json.loads(line) for line in answer.splitlines()]


rows = ask("SELECT modality, cuis, cuis IS NULL FROM file('pictures.parquet')")
negatives = ask("SELECT image_id FROM file('pictures.parquet') WHERE NOT has(cuis, 'C0040405')")
in_duckdb = duckdb.sql("SELECT image_id FROM 'pictures.parquet' WHERE NOT list_contains(cuis, 'C0040405')").fetchall()
print("chdb", version("chdb"), rows, "negatives:", negatives)
print("duckdb", version("duckdb"), "negatives:", in_duckdb)
assert rows == [[0, ["C0040405"], 0], [1, [], 0], [None, [], 0]]
assert negatives == [["without concept"], ["not looked at"]] and in_duckdb == [("without concept",)]
PROGRAM
