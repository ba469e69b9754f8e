#!/usr/bin/env bash
# webdataset 1.0.2: samples whose keys are DOIs are written as several and read back as one.
#
# Expected: what `TarWriter` accepts as samples with distinct keys, `WebDataset` returns as the same samples.
# Seen: three samples with keys such as "10.1000_case.01" come back as a single sample with the key "10". The reader cuts the
# key at the first dot, all three keys begin with "10.", and the rest of each name becomes part of its field's name. Neither
# side reports anything, because the field names stay distinct.
# Why it matters: figures of medical articles are commonly named after the DOI or after a file with a panel ("PMC1.a"). A
# whole shard becomes one sample without the fields `jpg` and `txt`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check webdataset==1.0.2 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import webdataset

keys = [f"10.1000_case.0{number}" for number in (1, 2, 3)]
with webdataset.TarWriter("figures.tar") as writer:
    for key in keys:
        writer.write({"__key__": key, "jpg": b"picture of " + key.encode(), "txt": f"caption of {key}"})
samples = list(webdataset.WebDataset("figures.tar", shardshuffle=False))
print("webdataset", version("webdataset"))
print(f"written: {len(keys)} samples, read: {len(samples)}")
for sample in samples:
    print(repr(sample["__key__"]), [name for name in sample if not name.startswith("__")])
assert [sample["__key__"] for sample in samples] == ["10"]
assert "jpg" not in samples[0] and "1000_case.03.jpg" in samples[0]
PROGRAM
