#!/usr/bin/env bash
# Ray Data 2.60.0: `read_parquet(columns=...)` drops a name that it does not find, without a word.
#
# Expected: an error for a column that does not exist, as Polars and DuckDB report one, and the bytes for "image.bytes", which is
# how pyarrow names a field inside a struct.
# Seen: `columns=["image_id", "image.bytes"]` returns rows with `image_id` alone. So does a misspelt name.
# Why it matters: image sets of the Hugging Face Hub keep a picture as struct<bytes, path>, and "image.bytes" is what one asks
# for to leave the path out. The job runs over the whole set, and its rows contain no picture.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "ray[data]==2.60.0" pyarrow==25.0.1 pandas==3.1.1
cd "$folder"
RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0 PYTHONWARNINGS=ignore venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import pyarrow as pa
import pyarrow.parquet as pq
import ray

image = pa.array([{"bytes": b"picture", "path": "1.jpg"}], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
pq.write_table(pa.table({"image_id": ["1"], "image": image}), "images.parquet")
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
seen = {}
for name in ("image", "image.bytes", "imgae"):
    rows = ray.data.read_parquet("images.parquet", columns=["image_id", name]).take_all()
    seen[name] = sorted(rows[0])
print("ray", version("ray"), seen)
assert seen == {"image": ["image", "image_id"], "image.bytes": ["image_id"], "imgae": ["image_id"]}
PROGRAM
