#!/usr/bin/env bash
# datasets 5.2.0: two local folders with the same card share one cache entry, so the second returns the rows of the first.
#
# Expected: `load_dataset("second/figures")` returns the rows of second/figures, as it does for a folder without a card.
# Seen: if README.md has `configs` with relative patterns, the key is made of the card alone: neither the folder's path nor the
# size or time of a file counts. Rewritten files of one folder give the old rows too. Without README.md, or with
# `streaming=True`, the rows are right.
# Why it matters: a converter of a dataset writes the same card each time. Whoever rebuilds a repository, or compares two builds,
# measures the first one twice, and a test that does so passes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import disable_progress_bars, load_dataset

disable_progress_bars()
CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
---
"""


def build(folder: str, value: int, card: str | None) -> None:
    Path(folder, "data").mkdir(parents=True)
    pq.write_table(pa.table({"value": [value]}), f"{folder}/data/train-00000-of-00001.parquet")
    if card:
        Path(folder, "README.md").write_text(card)


for parent, value in (("first", 1), ("second", 2)):
    build(f"{parent}/figures", value, CARD)
    build(f"{parent}/plain", value, None)
seen = {
    "card": [load_dataset(f"{parent}/figures", split="train")[0]["value"] for parent in ("first", "second")],
    "card, streaming": [
        next(iter(load_dataset(f"{parent}/figures", split="train", streaming=True)))["value"] for parent in ("first", "second")
    ],
    "without card": [load_dataset(f"{parent}/plain", split="train")[0]["value"] for parent in ("first", "second")],
}
print("datasets", version("datasets"), "values written: [1, 2], values read:", seen)
assert seen == {"card": [1, 1], "card, streaming": [1, 2], "without card": [1, 2]}
PROGRAM
