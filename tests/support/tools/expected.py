"""Prints what a model is to see of each image of train, as JSON: `python expected.py REPOSITORY MODEL TRAINER`.

The images are those of the shards, as Pillow opens them, put through the model's own processor: hash by `hash_pixels`, in
the order of the rows. Of the trainers, axolotl alone does something to an image before: it makes it a square, with black.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image, ImageOps
from sitecustomize import hash_pixels
from transformers import AutoProcessor

repository, model, trainer = sys.argv[1:]
see = AutoProcessor.from_pretrained(model).image_processor
hashes = []
for shard in sorted(Path(repository, "data").glob("train-*")):
    for image in pq.read_table(shard, columns=["image"])["image"].to_pylist():
        picture = Image.open(io.BytesIO(image["bytes"])).convert("RGB")
        if trainer == "axolotl":
            picture = ImageOps.pad(picture, (28, 28), Image.Resampling.BILINEAR, (0, 0, 0))
        hashes.append(hash_pixels(see(images=picture, return_tensors="pt")["pixel_values"][0]))
print(json.dumps(hashes))
