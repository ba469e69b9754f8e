#!/usr/bin/env bash
# datasets 5.2.0: a shuffled stream that is resumed returns some rows a second time, beside the ones that it loses.
#
# Expected: documented is that rows in the shuffle buffer are lost on resuming and that the buffer is refilled with new data. So
# some rows are missing, and no row comes twice.
# Seen: of 2,400 rows in 8 files, read with a buffer of 100 and interrupted after 1,000, some tens never come, and about ten that
# came before the interruption come again.
# Why it matters: an epoch over radiographs takes hours and is interrupted. Counts of rows then look plausible, since losses and
# repeats partly cancel out, and a check for duplicates between epochs finds rows that the file does not contain twice.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import IterableDataset, disable_progress_bars, load_dataset
from datasets.utils.logging import set_verbosity_error

disable_progress_bars()
set_verbosity_error()
ROWS, FILES, INTERRUPTED = 2_400, 8, 1_000
table = pa.table({"row": pa.array(range(ROWS), pa.int64())})
for number in range(FILES):
    pq.write_table(table.slice(number * ROWS // FILES, ROWS // FILES), f"{number}.parquet", row_group_size=100)


def open_stream() -> IterableDataset:
    return load_dataset("parquet", data_files="*.parquet", split="train", streaming=True).shuffle(seed=1, buffer_size=100)


assert sorted(row["row"] for row in open_stream()) == list(range(ROWS))
first = open_stream()
before, rows = [], iter(first)
while len(before) < INTERRUPTED:
    before.append(next(rows)["row"])
second = open_stream()
second.load_state_dict(first.state_dict())
rows.close()
after = [row["row"] for row in second]
lost, twice = ROWS - len({*before, *after}), len(before) + len(after) - len({*before, *after})
print("datasets", version("datasets"), f"rows: {len(before) + len(after)}, lost: {lost}, twice: {twice}")
assert 20 <= lost <= 200 and twice > 0 and len(set(after)) == len(after)
PROGRAM
