"""The files with scaled pictures: written beside the shards, and `mini` out of them."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.shard_file import RowsHash
from rocov2_build.worker.task import FileFacts, MiniTask, Scaling, ShardTask
from rocov2_build.worker.write import run_task
from tests.build.worker.test_write import DATA, SHARD, run, shard_task
from tests.support.raw import RawRelease, jpeg, make_raw

SCALED = SHARD.replace("data/", "small/")
SIDE = 24


def release() -> RawRelease:
    """Ten images of which one is as small already."""
    raw = make_raw(10, 1, 1)
    raw.image("train", 2).data = jpeg(30, SIDE)
    raw.image("train", 4).data = jpeg(90, 60, "RGB", orientation=6)
    return raw


def scaled_task(folder: Path, groups: tuple[int, ...] = (2, 2, 1, 2, 3), verify: str = "strict") -> ShardTask:
    """A task with all images of train."""
    return replace(shard_task(release(), folder, groups, verify), scaling=Scaling(SCALED, SIDE))


def run_scaled(task: ShardTask, repository: Path) -> FileFacts:
    """Facts of the second file."""
    (repository / "small").mkdir()
    facts = run(task, repository).scaled
    assert facts is not None
    return facts


@pytest.mark.parametrize("verify", ["strict", "markers", "none"])
def test_the_second_file_has_the_same_rows_with_smaller_pictures(tmp_path: Path, verify: str) -> None:
    facts = run_scaled(scaled_task(tmp_path / "raw", verify=verify), tmp_path)
    data, small = (pq.read_table(tmp_path / path) for path in (SHARD, SCALED))
    assert (small.schema, small.schema.metadata) == (DATA, DATA.metadata)
    others = [name for name in DATA.names if name not in ("image", "width", "height")]
    assert small.select(others).equals(data.select(others))
    for before, after in zip(data.to_pylist(), small.to_pylist(), strict=True):
        scaled = inspect(before["image"]["bytes"], verify, SIDE).small
        assert scaled is not None
        assert after["image"] == {"bytes": scaled.data, "path": before["image"]["path"]}
        assert (after["width"], after["height"]) == (scaled.width, scaled.height)
        assert min(scaled.width, scaled.height) == SIDE
        assert Image.open(io.BytesIO(scaled.data)).size == (scaled.width, scaled.height)
    assert facts.kept == 1
    assert facts.sha256 == hashlib.sha256((tmp_path / SCALED).read_bytes()).hexdigest()


def test_four_row_groups_become_one(tmp_path: Path) -> None:
    facts = run_scaled(scaled_task(tmp_path / "raw"), tmp_path)
    assert facts.layout["row_groups"]["rows"] == [7, 3]
    assert (facts.path, facts.rows, facts.modes, facts.images, facts.turned) == (SCALED, 10, {}, "", [])


def test_the_first_file_does_not_depend_on_the_second(tmp_path: Path) -> None:
    task = scaled_task(tmp_path / "raw")
    (tmp_path / "with" / "small").mkdir(parents=True)
    one, other = run(task, tmp_path / "with"), run(replace(task, scaling=None), tmp_path / "without")
    assert replace(one, scaled=None) == other
    assert (tmp_path / "with" / SHARD).read_bytes() == (tmp_path / "without" / SHARD).read_bytes()


def test_a_faulty_image_leaves_neither_file(tmp_path: Path) -> None:
    raw = release()
    raw.image("train", 9).data = raw.image("train", 9).data[:-40]
    task = replace(shard_task(raw, tmp_path / "raw", (10,)), scaling=Scaling(SCALED, SIDE))
    for folder in ("data", "small"):
        (tmp_path / folder).mkdir()
    faults = run_task(task, str(tmp_path))
    assert isinstance(faults, list)
    assert [fault.image_id for fault in faults] == [raw.image("train", 9).id]
    assert [path for folder in ("data", "small") for path in (tmp_path / folder).iterdir()] == []


def test_mini_takes_rows_of_the_scaled_files(tmp_path: Path) -> None:
    scaled = run_scaled(scaled_task(tmp_path / "raw"), tmp_path)
    schema = DATA.serialize().to_pybytes()
    task = MiniTask("mini/train.parquet", schema, ((SCALED, scaled.sha256, (1, 6, 7, 9)),), (3, 1))
    facts = run(task, tmp_path)
    whole, mini = pq.read_table(tmp_path / SCALED), pq.read_table(tmp_path / "mini" / "train.parquet")
    assert mini.equals(whole.take([1, 6, 7, 9]))
    assert mini.schema.metadata == DATA.metadata
    assert facts.layout["row_groups"]["rows"] == [3, 1]
    rows_hash = RowsHash()
    digests = [hashlib.sha256(image["bytes"]).hexdigest() for image in mini["image"].to_pylist()]
    rows_hash.add(mini.drop_columns(["image"]), digests)
    assert facts.rows_sha256 == rows_hash.hexdigest()
