#!/usr/bin/env bash
# SimpleITK 2.5.7: a colour JPEG with subsampled chroma has other pixels than in Pillow, and a grey one has not.
#
# Expected: a baseline JPEG decodes to the same pixels up to rounding, as it does in Pillow, OpenCV, simplejpeg and libvips.
# Seen: grey and 4:4:4 pictures differ by 1 level at most, and the 4:2:0 picture by 9. That fits a decoder that repeats the chroma
# samples where the others interpolate. The cause was not established.
# Why it matters: SimpleITK is a usual reader in medical imaging. In a set that mixes grey, 4:4:4 and 4:2:0 figures only
# the last differ from the pixels of a loader that uses Pillow, so a test on radiographs (grey) does not show it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check simpleitk==2.5.7 pillow==13.0.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
cd "$folder"
venv/bin/python - <<'PROGRAM'
from importlib.metadata import version

import cv2
import numpy as np
import SimpleITK
from PIL import Image

y, x = np.mgrid[0:256, 0:256]
red = (np.sin(x / 7) * 100 + 128).astype(np.uint8)
colour = Image.fromarray(np.stack([red, np.roll(red, 9, axis=1), 255 - red], axis=-1))
pictures = {"grey": (Image.fromarray(red), {}), "4:4:4": (colour, {"subsampling": 0}), "4:2:0": (colour, {"subsampling": 2})}
largest = {}
for name, (picture, options) in pictures.items():
    picture.save("picture.jpg", quality=92, **options)
    pillow = np.asarray(Image.open("picture.jpg")).astype(int)
    itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("picture.jpg"))
    opencv = cv2.imread("picture.jpg", cv2.IMREAD_GRAYSCALE if name == "grey" else cv2.IMREAD_COLOR_RGB)
    largest[name] = {"SimpleITK": int(abs(itk - pillow).max()), "OpenCV": int(abs(opencv - pillow).max())}
print("simpleitk", version("simpleitk"), "largest difference from Pillow:", largest)
assert all(differences["OpenCV"] <= 1 for differences in largest.values())
assert largest["grey"]["SimpleITK"] <= 1 and largest["4:4:4"]["SimpleITK"] <= 1 and largest["4:2:0"]["SimpleITK"] >= 9
PROGRAM
