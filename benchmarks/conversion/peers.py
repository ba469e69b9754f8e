"""How others would convert the release: peers of `run.py`, each a whole process in an environment of its own.

    python benchmarks/conversion/peers.py from_generator RAW OUTPUT

Each reads the zips and tables of RAW and writes Parquet files with image, id, caption and concepts to OUTPUT. None checks
its input; `pillow` decodes every image, as one who wants to be sure would. `inflate`, `limit` and `limit_small` write
nothing: the first is what reading the zips costs alone, the second the least that a strict verification of every image can
cost with the fastest libraries, the third the least with a small picture of each, scaled and encoded as the project does
it (these two need the project's own environment).
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

SPLITS = ("train", "valid", "test")
ROWS = 100
PROCESSES = 2


def rows_of(raw: Path, split: str, part: int = 0, parts: int = 1) -> Iterator[dict[str, Any]]:
    """Rows of a split (every `parts`-th one) with the image's bytes out of the zip."""
    tables = []
    for name in ("captions", "concepts"):
        with (raw / f"{split}_{name}.csv").open(newline="", encoding="utf-8") as file:
            tables.append(dict(list(csv.reader(file))[1:]))
    captions, concepts = tables
    with zipfile.ZipFile(raw / f"{split}_images.zip") as archive:
        for name in archive.namelist()[part::parts]:
            image_id = name.rpartition("/")[2].removesuffix(".jpg")
            yield {
                "image": {"bytes": archive.read(name), "path": f"{image_id}.jpg"},
                "image_id": image_id,
                "caption": captions[image_id],
                "cuis": concepts[image_id].split(";"),
            }


def inflate(raw: Path, output: Path) -> None:
    """Read every image with `zipfile`."""
    for split in SPLITS:
        with zipfile.ZipFile(raw / f"{split}_images.zip") as archive:
            for name in archive.namelist():
                archive.read(name)


def from_generator(raw: Path, output: Path) -> None:
    """`datasets`: `Dataset.from_generator` over raw bytes, then `to_parquet`."""
    import datasets

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "image_id": datasets.Value("string"),
            "caption": datasets.Value("string"),
            "cuis": datasets.List(datasets.Value("string")),
        }
    )
    datasets.disable_progress_bars()
    for split in SPLITS:
        rows = datasets.Dataset.from_generator(
            rows_of, features=features, gen_kwargs={"raw": raw, "split": split}, cache_dir=str(output / "cache")
        )
        rows.to_parquet(output / f"{split}.parquet")


def _write_part(raw: Path, output: Path, split: str, part: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    schema = pa.schema(
        {
            "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            "image_id": pa.string(),
            "caption": pa.string(),
            "cuis": pa.list_(pa.string()),
        }
    )
    with pq.ParquetWriter(
        output / f"{split}-{part}.parquet", schema, compression="none", use_dictionary=False
    ) as writer:
        rows = []
        for row in rows_of(raw, split, part, PROCESSES):
            Image.open(io.BytesIO(row["image"]["bytes"])).load()
            rows.append(row)
            if len(rows) == ROWS:
                writer.write_table(pa.Table.from_pylist(rows, schema))
                rows.clear()
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema))


def pillow(raw: Path, output: Path) -> None:
    """Pyarrow and a full decode by Pillow, in as many processes as the project's own conversion."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(_write_part, raw, output, split, part) for split in SPLITS for part in range(PROCESSES)]
        for job in jobs:
            job.result()


def _jpegs_of(raw: Path, split: str, part: int) -> Iterator[bytes]:
    """Every `PROCESSES`-th JPEG of a split, read and inflated the fastest way."""
    import deflate

    path = raw / f"{split}_images.zip"
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for entry in archive.infolist()[part::PROCESSES]:
            file.seek(entry.header_offset + 26)
            file.seek(int.from_bytes(file.read(2), "little") + int.from_bytes(file.read(2), "little"), 1)
            yield bytes(deflate.deflate_decompress(file.read(entry.compress_size), entry.file_size))


def _decode_part(raw: Path, split: str, part: int) -> None:
    import simplejpeg

    for data in _jpegs_of(raw, split, part):
        simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=1, min_width=1, min_factor=8, strict=True)


def _scale_part(raw: Path, split: str, part: int) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import simplejpeg
    from PIL import Image

    from rocov2_build.worker.scale import SIDE, scale, scaled_size

    for data in _jpegs_of(raw, split, part):
        height, width, space, sampling = simplejpeg.decode_jpeg_header(data)
        pixels = simplejpeg.decode_jpeg(data, colorspace="GRAY" if space == "Gray" else "RGB", strict=True)
        image = Image.fromarray(pixels[:, :, 0] if space == "Gray" else pixels)
        size = scaled_size(width, height, SIDE)
        if size != (width, height):
            scale(image, size, full_chroma=sampling == "444")


def limit(raw: Path, output: Path) -> None:
    """Inflate and decode strictly, in as many processes as the project's own conversion."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(_decode_part, raw, split, part) for split in SPLITS for part in range(PROCESSES)]
        for job in jobs:
            job.result()


def limit_small(raw: Path, output: Path) -> None:
    """Inflate, decode strictly, resize and encode, in as many processes as the project's own conversion."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [pool.submit(_scale_part, raw, split, part) for split in SPLITS for part in range(PROCESSES)]
        for job in jobs:
            job.result()


METHODS = {method.__name__: method for method in (inflate, from_generator, pillow, limit, limit_small)}

if __name__ == "__main__":
    method, raw_folder, output_folder = sys.argv[1:]
    Path(output_folder).mkdir(parents=True)
    METHODS[method](Path(raw_folder), Path(output_folder))
