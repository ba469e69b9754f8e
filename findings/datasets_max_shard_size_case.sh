#!/usr/bin/env bash
# datasets 5.2.0: the case of the last letter of `max_shard_size` divides the size by eight.
#
# "64MB" is 64,000,000 bytes, and "64mb" or "64Mb" 8,000,000: a small b is read as bits, but not behind a binary unit ("64Mib").
# No message says so. A set that is saved with max_shard_size="100kb" gets several times as many files as with "100KB".
# Seen: 80,000 bytes are 1 file with "100KB" and 7 files with "100kb".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==25.0.0
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
from datasets import Dataset, disable_progress_bars
from datasets.utils.py_utils import convert_file_size_to_int

disable_progress_bars()
sizes = {text: convert_file_size_to_int(text) for text in ("64MB", "64mb", "64Mb", "64MiB", "64Mib")}
print("datasets", version("datasets"), sizes)
assert sizes == {"64MB": 64_000_000, "64mb": 8_000_000, "64Mb": 8_000_000, "64MiB": 2**26, "64Mib": 2**26}

dataset = Dataset(pa.table({"value": pa.array(range(10_000), pa.int64())}))
files = {}
for text in ("100KB", "100kb"):
    dataset.save_to_disk(text, max_shard_size=text)
    files[text] = len(list(Path(text).glob("*.arrow")))
print("files of 80,000 bytes:", files)
assert files == {"100KB": 1, "100kb": 7}
PROGRAM
