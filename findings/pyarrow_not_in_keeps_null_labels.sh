#!/usr/bin/env bash
# pyarrow 26.0.1: the filter "not in" keeps rows without a label, and "!=" drops them.
#
# Expected: `filters=[("modality", "!=", 1)]` and `filters=[("modality", "not in", [1])]` choose the same rows, as they do in
# SQL. The documentation lists both operators and says nothing of null.
# Seen: "!=" drops the row whose label is null, and "not in" keeps it. DuckDB and Polars drop it in both forms. "in" treats a
# None in its list as a value that equals null, while ("modality", "==", None) chooses nothing.
# Why it matters: radiology sets have pictures without a label. Whether "everything but CT" contains them depends on how the
# same condition is spelled, and pandas and datasets hand their `filters=` to pyarrow.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table({"image_id": ["ct", "mr", "unlabelled"], "modality": pa.array([1, 2, None], pa.int64())})
pq.write_table(table, "labels.parquet")


def choose(*condition: object) -> list[str]:
    return pq.read_table("labels.parquet", filters=[condition])["image_id"].to_pylist()


print("pyarrow", version("pyarrow"))
seen = {
    "!= 1": choose("modality", "!=", 1),
    "not in [1]": choose("modality", "not in", [1]),
    "in [2, None]": choose("modality", "in", [2, None]),
    "== None": choose("modality", "==", None),
}
print(seen)
in_sql = [duckdb.sql(f"SELECT image_id FROM 'labels.parquet' WHERE modality {condition}").fetchall()
          for condition in ("<> 1", "NOT IN (1)")]
frame, column = polars.read_parquet("labels.parquet"), polars.col("modality")
in_polars = [frame.filter(condition)["image_id"].to_list() for condition in (column != 1, ~column.is_in([1]))]
print(f"duckdb {version('duckdb')}: {in_sql}, polars {version('polars')}: {in_polars}")
assert list(seen.values()) == [["mr"], ["mr", "unlabelled"], ["mr", "unlabelled"], []]
assert in_sql == [[("mr",)]] * 2 and in_polars == [["mr"]] * 2
PROGRAM
