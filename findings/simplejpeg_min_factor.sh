#!/usr/bin/env bash
# simplejpeg 1.9.0: `min_factor` alone does not scale the decode.
#
# Expected: the documentation calls `min_factor` the minimum scaling factor (original size / decoded size), default 1, and
# says of `min_height` and `min_width` that values <= 0 are ignored. So `min_factor=8` decodes 512 x 512 to 64 x 64.
# Seen: the picture comes back at its full 512 x 512. With `min_height=1, min_width=1` added it is 64 x 64.
# Why it matters: scaled decoding is how a training loader reads large radiographs cheaply. A loader, or a timing of one, that
# sets only `min_factor` pays for the full decode, and no message says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check simplejpeg==1.9.0 numpy==2.4.6 pillow==13.0.0
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version
from io import BytesIO

import numpy as np
from PIL import Image
from simplejpeg import decode_jpeg

ramp = np.add.outer(np.arange(512), np.arange(512)) // 4
file = BytesIO()
Image.fromarray(ramp.astype(np.uint8)).save(file, "JPEG")
shapes = {
    "min_factor=8": decode_jpeg(file.getvalue(), "GRAY", min_factor=8).shape,
    "min_factor=8, min_height=1, min_width=1": decode_jpeg(
        file.getvalue(), "GRAY", min_factor=8, min_height=1, min_width=1
    ).shape,
}
print("simplejpeg", version("simplejpeg"), shapes)
assert list(shapes.values()) == [(512, 512, 1), (64, 64, 1)]
PROGRAM
