"""The format of webdataset: tars with KEY.jpg, KEY.txt and KEY.json of each image.

webdataset, open_clip and `load_dataset("webdataset")` read them.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rocov2_shared.errors import UserError
from rocov2_tasks.formats.format import ExportOptions, Format
from rocov2_tasks.shaping.markers import Marked

if TYPE_CHECKING:
    import pyarrow as pa

SIZES = "sizes.json"
"""File with the number of images of each tar, for open_clip."""

_KEY = re.compile(r"[\w-]{1,90}", re.ASCII)  # webdataset ends the key at the first dot; tar ends names at 100 bytes


def write_webdataset(folder: Path, split: str, shards: Iterator[Iterator[pa.Table]], options: ExportOptions) -> Marked:
    """Write `SPLIT-00000.tar` and so on, and their numbers of images into `sizes.json`.

    KEY is the image id, `.txt` contains the caption as released, `.json` all other columns: labels by name, `""` if missing;
    lists, `[""]` if empty.
    """
    sizes: dict[str, int] = {}
    parts: Iterator[Iterator[dict[str, Any]]]
    if options.max_shard_size is None:
        parts = ((row for table in shard for row in _rows(table)) for shard in shards)
    else:
        parts = _cut((row for shard in shards for table in shard for row in _rows(table)), options.max_shard_size)
    for number, rows in enumerate(parts):
        name = f"{split}-{number:05d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as tar:
            sizes[name] = sum(_add(tar, row) for row in rows)
    path = folder / SIZES
    known = json.loads(path.read_bytes()) if path.exists() else {}
    path.write_text(json.dumps(known | sizes, indent=1) + "\n")
    return []


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    texts = table.drop_columns("image").to_pylist()
    images = table["image"].combine_chunks().field("bytes")
    for row, image in zip(texts, images, strict=True):
        yield row | {"image": image.as_py()}


def _cut(rows: Iterator[dict[str, Any]], size: int) -> Iterator[Iterator[dict[str, Any]]]:
    """Yield runs of at least one row, whose images have at most `size` bytes together."""
    waiting = next(rows, None)

    def run() -> Iterator[dict[str, Any]]:
        nonlocal waiting
        total = 0
        while waiting is not None and (not total or total + len(waiting["image"]) <= size):
            total += len(waiting["image"])
            row, waiting = waiting, next(rows, None)
            yield row

    while waiting is not None:
        yield run()


def _add(tar: tarfile.TarFile, row: dict[str, Any]) -> int:
    key, image, caption = row["image_id"], row.pop("image"), row.pop("caption")
    if not _KEY.fullmatch(key):
        raise UserError(
            f"image id {key!r} cannot be a file name in a tar: it may contain only letters, digits, _ and -, at most "
            "90 of them"
        )
    about = {name: _readable(name, value) for name, value in row.items()}
    text = json.dumps(about, ensure_ascii=False)
    for extension, content in (("jpg", image), ("txt", caption.encode()), ("json", text.encode())):
        member = tarfile.TarInfo(f"{key}.{extension}")  # its time and owner are 0
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return 1


def _readable(name: str, value: Any) -> Any:
    """Return a value of the type that its column has in every row: labels by name, "" for None, [""] for an empty list.

    `load_dataset("webdataset")` guesses types from the first five images of a tar. Of nothing but null, or of empty lists, it
    makes a type that no later value has, and fails.
    """
    from rocov2 import FEATURES

    if isinstance(value, list):
        return value or [""]
    names = getattr(FEATURES[name], "names", None)
    return value if names is None else "" if value is None else names[value]


FORMAT = Format("webdataset", "tars for webdataset and open_clip", write_webdataset, cuts=True)
