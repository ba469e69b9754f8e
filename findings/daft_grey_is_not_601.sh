#!/usr/bin/env bash
# Daft 0.7.26: `decode_image(mode="L")` computes another grey from a colour JPEG than the JPEG itself contains.
#
# Expected: the grey of Pillow, OpenCV and simplejpeg, which differ by 6 levels at most here: they weigh red, green and blue with
# 0.299, 0.587 and 0.114 (ITU-R 601, as JFIF defines the Y channel of a JPEG). The documentation of `mode` names no weights.
# Seen: Daft weighs with 0.2126, 0.7152 and 0.0722 (ITU-R 709). Pure red is 54 and not 76, pure blue 18 and not 29. A picture
# with equal channels has the same grey in both.
# Why it matters: colour JPEGs among radiology figures are Doppler, PET overlays and marked scans. A model that was trained on
# Pillow's grey gets other levels through Daft for just these, and the same ones for all others.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check daft==0.7.26 simplejpeg==1.9.0 pillow==13.0.0 numpy==2.4.6 pyarrow==25.0.1
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version
from io import BytesIO

import daft
import numpy as np
from daft.functions import decode_image
from PIL import Image
from simplejpeg import decode_jpeg

colours = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (90, 90, 90)}
files = []
for colour in colours.values():
    file = BytesIO()
    Image.new("RGB", (32, 32), colour).save(file, "JPEG", quality=100, subsampling=0)
    files.append(file.getvalue())
column = daft.from_pydict({"file": files}).select(decode_image(daft.col("file"), mode="L").alias("image"))
seen = {
    "daft": [int(np.asarray(image)[0, 0].item()) for image in column.to_pydict()["image"]],
    "pillow": [Image.open(BytesIO(file)).convert("L").getpixel((0, 0)) for file in files],
    "simplejpeg": [int(decode_jpeg(file, "GRAY")[0, 0, 0]) for file in files],
}
for name, greys in seen.items():
    print(name, version(name), dict(zip(colours, greys)))
red, green, blue, grey = seen["daft"]
assert abs(red - 54) <= 1 and abs(green - 182) <= 1 and abs(blue - 18) <= 1 and abs(grey - 90) <= 1
for name in ("pillow", "simplejpeg"):
    red, green, blue, grey = seen[name]
    assert abs(red - 76) <= 1 and abs(green - 150) <= 1 and abs(blue - 29) <= 1 and abs(grey - 90) <= 1
PROGRAM
