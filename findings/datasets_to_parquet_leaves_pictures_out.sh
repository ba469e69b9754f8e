#!/usr/bin/env bash
# datasets 5.2.0: `to_parquet` of a folder of pictures writes no picture, only the paths on this machine.
#
# Expected: documented is "Exports the dataset to parquet", and `push_to_hub` of the same dataset embeds the files.
# Seen: `image.bytes` is null in every row, and `image.path` is the absolute path of the local file. The Parquet file is smaller than
# a single picture. It loads here without an error, and anywhere else its rows raise FileNotFoundError.
# Why it matters: image folder to Parquet is the first thing that one tries with a release of radiographs. The loss shows only on
# the next machine, and the published paths name the user's folders, in a field where names must not leak.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from datasets import disable_progress_bars, load_dataset
from PIL import Image

disable_progress_bars()
Path("pictures").mkdir()
noise = np.random.default_rng(0)
for number in range(3):
    Image.fromarray(noise.integers(0, 256, (128, 128), np.uint8)).save(f"pictures/{number}.jpg")
load_dataset("imagefolder", data_dir="pictures", split="train").to_parquet("pictures.parquet")
rows = pq.read_table("pictures.parquet")["image"].to_pylist()
sizes = {path.name: path.stat().st_size for path in (Path("pictures.parquet"), Path("pictures/0.jpg"))}
print("datasets", version("datasets"), sizes)
print("bytes:", [row["bytes"] for row in rows], "path is absolute:", [Path(row["path"]).is_absolute() for row in rows])
assert [row["bytes"] for row in rows] == [None] * 3 and all(Path(row["path"]).is_absolute() for row in rows)
assert sizes["pictures.parquet"] < sizes["0.jpg"]
PROGRAM
