"""The repositories that the tools read, and the truth about them: pictures of the sample, every kind of value, no network.

The first has several shards a split, grey, coloured and turned pictures, null labels, empty lists and captions such as `NA`.
The second has the same layout and larger images, to see what reading costs in memory.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image, ImageOps, ImageStat

from rocov2 import CONFIGS, LABELS
from rocov2_tasks.export import export, make_plan
from rocov2_tasks.formats import ExportOptions
from tests.support.raw import jpeg, make_raw

PROJECT = Path(__file__).resolve().parents[2]
HEAVY_IMAGES, HEAVY_BYTES = 1_000, 128_000
SIDE = 256
"""Of the pictures of `small` and `mini`, in pixels."""


def make_case(folder: Path) -> dict[str, Any]:
    """Build both repositories and the tars under `folder`; return what a probe is told."""
    root, heavy, tars = folder / "rocov2", folder / "heavy", folder / "tars"
    _build(root)
    _build_heavy(heavy)
    options = ExportOptions("webdataset")
    export(make_plan(str(root), options), tars, options)
    rows = {
        split: [
            _describe(row)
            for file in sorted(root.glob(CONFIGS["default"].files(split)))
            for row in pq.read_table(file).to_pylist()
        ]
        for split in CONFIGS["default"].splits
    }
    patterns = {
        name: {split: config.files(split) for split in config.splits if any(root.glob(config.files(split)))}
        for name, config in CONFIGS.items()
    }
    (vocabulary,) = CONFIGS["vocabulary"].patterns.values()
    return {
        "repository": str(root),
        "heavy": str(heavy),
        "tars": str(tars),
        "patterns": {name: splits for name, splits in patterns.items() if splits},
        "names": {column: list(labels) for column, labels in LABELS.items()},
        "rows": rows,
        "vocabulary": pq.read_table(root / vocabulary).num_rows,
    }


def _build(output: Path) -> None:
    scans = []
    for split in ("train", "valid", "test"):
        with zipfile.ZipFile(PROJECT / "sample" / f"{split}_images.zip") as archive:
            scans += [archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".jpg")]
    colour = [scan for scan in scans if Image.open(io.BytesIO(scan)).mode != "L"]
    grey = [scan for scan in scans if scan not in colour]
    raw = make_raw(train=34, valid=9, test=9)
    for images in raw.splits.values():
        for number, image in enumerate(images):
            pool = colour if colour and number % 5 == 4 else grey or colour
            image.data = pool.pop()
    raw.splits["train"][7].data = jpeg(64, 40, "RGB", orientation=6)
    # Shards of a few images, so that each split has several.
    raw.build(output, shard=150_000, row_group=60_000, small=SIDE)


def _build_heavy(output: Path) -> None:
    raw = make_raw(train=HEAVY_IMAGES, valid=1, test=1, side=200)
    for image in raw.splits["train"]:
        noise = os.urandom(HEAVY_BYTES // 2)
        segment = b"\xff\xe9" + (len(noise) + 2).to_bytes(2, "big") + noise
        image.data = image.data[:2] + segment * 2 + image.data[2:]
    raw.build(output, small=SIDE)


def _describe(row: dict[str, Any]) -> dict[str, Any]:
    data = row["image"]["bytes"]
    stored = Image.open(io.BytesIO(data))
    upright = ImageOps.exif_transpose(stored)
    rest = {name: value for name, value in row.items() if name != "image"}
    return rest | {
        "sha256": hashlib.sha256(data).hexdigest(),
        "mode": upright.mode,
        "turned": upright.size != stored.size,
        "means": ImageStat.Stat(upright).mean,
    }


if __name__ == "__main__":
    import sys

    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    (place / "case.json").write_text(json.dumps(make_case(place), ensure_ascii=False), encoding="utf-8")
