#!/usr/bin/env bash
# datasets 5.2.0: handing a picture through `map` saves its JPEG again, at Pillow's default quality.
#
# Expected: `map(lambda row: {"images": [row["image"]]})` moves the picture to another column. The documentation of `map` and of
# `Image` does not say that a picture which nobody changed is encoded anew.
# Seen: the new file is smaller and its pixels differ. A column that the function does not return keeps its bytes, and so does
# the same `map` after `cast_column("image", Image(decode=False))`.
# Why it matters: trainers of vision-language models want the column `images`, and this `map` is how their examples make it. Every
# radiograph loses quality before the training starts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 pillow==13.0.0 numpy==2.4.6
cd "$folder"
HF_HUB_OFFLINE=1 HF_HOME="$folder/home" venv/bin/python - <<'PROGRAM'
from importlib.metadata import version
from io import BytesIO

import numpy as np
from datasets import Dataset, Features, Image, List, disable_progress_bars
from PIL import Image as Pillow

disable_progress_bars()
y, x = np.mgrid[0:128, 0:128]
picture = (np.sin(x / 3) * 60 + np.cos(y / 5) * 60 + 128).astype(np.uint8)
file = BytesIO()
Pillow.fromarray(picture).save(file, "JPEG", quality=92)
dataset = Dataset.from_dict({"image": [{"bytes": file.getvalue(), "path": "1.jpg"}]}, features=Features({"image": Image()}))
raw = Image(decode=False)


def move(source: Dataset) -> bytes:
    moved = source.map(lambda row: {"images": [row["image"]]}, remove_columns="image")
    return moved.cast_column("images", List(raw))[0]["images"][0]["bytes"]


decoded, kept = move(dataset), move(dataset.cast_column("image", raw))
untouched = dataset.map(lambda row: {"n": 1}, remove_columns=[]).cast_column("image", raw)[0]["image"]["bytes"]
difference = int(abs(np.asarray(Pillow.open(BytesIO(decoded))).astype(int) - Pillow.open(BytesIO(file.getvalue()))).max())
print("datasets", version("datasets"))
print(f"before: {len(file.getvalue())} bytes, after: {len(decoded)} bytes, largest change of a pixel: {difference}")
print(f"not decoded: {len(kept)} bytes, not returned: {len(untouched)} bytes")
assert len(decoded) < len(file.getvalue()) and difference > 3 and kept == untouched == file.getvalue()
PROGRAM
