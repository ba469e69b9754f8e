#!/usr/bin/env bash
# grain 0.2.18: the type of a row's label depends on the other rows of its row group.
#
# Expected: an int64 column yields integers and, for a null, None, as the Parquet file says. The documentation of
# `ParquetIterDataset` says only that it iterates over a Parquet file.
# Seen: where a row group contains one null, all its labels are float64 and the null is NaN. Where it contains none, they are
# int64. Both types come out of one file, in the order of its row groups.
# Why it matters: pictures without a label are normal in this field. Code that was tried on the first rows indexes a table of
# names with an integer, and stops far into the epoch, or compares a label with None that is NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check grain==0.2.18 pyarrow==25.0.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
import logging

logging.disable(logging.WARNING)

from importlib.metadata import version

import pyarrow as pa
import pyarrow.parquet as pq
from grain.experimental import ParquetIterDataset

labels = pa.array([0, 1, 2, None], pa.int64())
pq.write_table(pa.table({"modality": labels}), "labels.parquet", row_group_size=2)
seen = [row["modality"] for row in ParquetIterDataset("labels.parquet")]
types = [type(label).__name__ for label in seen]
print("grain", version("grain"), [str(label) for label in seen], types)
assert types == ["int64", "int64", "float64", "float64"] and str(seen[3]) == "nan"
PROGRAM
