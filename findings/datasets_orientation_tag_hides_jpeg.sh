#!/usr/bin/env bash
# datasets 5.2.0: a JPEG with the Exif orientation 1 ("as it is") comes back as a picture without a format.
#
# Expected: orientation 1 asks for nothing, so the row is a `JpegImageFile` with format "JPEG" and its Exif data, as it is for a
# JPEG without the tag. Documented is that `Image` returns a Pillow picture.
# Seen: a copy of the class `Image.Image` with the format None, no Exif data and no quantisation tables. Whatever saves pictures
# in their own format then falls back on PNG.
# Why it matters: 54 of 800 figures of ROCOv2 that were looked at carry this tag. A set of JPEGs turns out as a mixture, a test
# on the format fails for some rows, and a rebuilt set contains PNGs that are larger than the JPEGs were.
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
from datasets import Dataset, Features, Image, disable_progress_bars
from PIL import Image as Pillow

disable_progress_bars()
ORIENTATION = 0x0112
exif = Pillow.Exif()
exif[ORIENTATION] = 1
picture = Pillow.fromarray(np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8))
files = {}
for name, options in (("without tag", {}), ("orientation 1", {"exif": exif})):
    file = BytesIO()
    picture.save(file, "JPEG", **options)
    files[name] = file.getvalue()
rows = [{"bytes": data, "path": "1.jpg"} for data in files.values()]
dataset = Dataset.from_dict({"image": rows}, features=Features({"image": Image()}))
seen = {}
for name, row in zip(files, dataset):
    saved = Image().encode_example(row["image"])["bytes"]
    seen[name] = (type(row["image"]).__name__, row["image"].format, "PNG" if saved.startswith(b"\x89PNG") else "JPEG")
print("datasets", version("datasets"), "class, format, saved as:", seen)
assert seen == {"without tag": ("JpegImageFile", "JPEG", "JPEG"), "orientation 1": ("Image", None, "PNG")}
PROGRAM
