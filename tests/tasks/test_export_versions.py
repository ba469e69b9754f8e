"""Tars of `rocov2 export --format webdataset`, read by `load_dataset("webdataset")` of each version of `datasets`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2 import LABELS
from rocov2_tasks.formats import ExportOptions
from rocov2_tasks.formats.webdataset import write_webdataset
from tests.support.environments import VERSIONS, python_of, run_probe
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

GUESSED_FROM = 5
"""Images from which `datasets` guesses the types of a tar."""


def empty(row: dict[str, Any]) -> dict[str, Any]:
    """The row with every list and label empty, and an empty caption."""
    lists: dict[str, list[str]] = {name: [] for name, value in row.items() if isinstance(value, list)}
    return row | lists | dict.fromkeys(LABELS) | {"caption": ""}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """All rows of train; nothing is known of the first images but their lists and labels are empty."""
    built = make_raw(train=24).build(tmp_path_factory.mktemp("built") / "rocov2")
    table = pa.concat_tables(
        [pq.read_table(path, partitioning=None) for path in sorted((built / "data").glob("train-*"))]
    )
    full = [row for row in table.to_pylist() if row["manual_cuis"]]
    first, later = full[:GUESSED_FROM], full[GUESSED_FROM:]
    return pa.Table.from_pylist([*map(empty, first), *later], schema=table.schema)


@pytest.fixture(scope="module")
def tars(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar that begins with such images, and one of the others."""
    folder = tmp_path_factory.mktemp("tars")
    shards = (iter([part]) for part in (rows.slice(0, 12), rows.slice(12)))
    write_webdataset(folder, "train", shards, ExportOptions("webdataset"))
    return folder


@pytest.mark.parametrize("version", VERSIONS)
def test_types_are_guessed_right_where_the_first_images_have_nothing(
    version: str, rows: pa.Table, tars: Path, tmp_path: Path
) -> None:
    options = {"data_files": {"train": str(tars / "train-*.tar")}}
    cases = {
        name: {"call": "load_dataset", "path": "webdataset", "streaming": streaming, "options": options}
        for name, streaming in (("prepared", False), ("streaming", True))
    }
    expected = [
        {
            "key": row["image_id"],
            "txt": row["caption"],
            "jpg": hashlib.sha256(row["image"]["bytes"]).hexdigest(),
            "json": {
                name: "" if name in LABELS and value is None else list(LABELS[name])[value] if name in LABELS else value
                for name, value in row.items()
                if name not in ("image", "caption")
            }
            | {name: value or [""] for name, value in row.items() if isinstance(value, list)},
        }
        for row in rows.to_pylist()
    ]
    for name, answer in run_probe(python_of(version), cases, tmp_path).items():
        assert "error" not in answer, (name, answer["error"])
        found = [
            {"key": row["__key__"], "txt": row["txt"], "jpg": row["jpg"][1], "json": row["json"]}
            for row in answer["train"]["rows"]
        ]
        assert found == expected, name
