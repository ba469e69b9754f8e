from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import rocov2
from rocov2_tasks.pretraining import PretrainingStream
from tests.conftest import PROJECT
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.streams import TRAIN, build, ids, stream_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with all configurations, and several shards of each group in train."""
    return make_raw(60, 7, 5).build(tmp_path_factory.mktemp("whole") / "rocov2", shard=6_000, row_group=1_500, small=30)


def rows_of(path: Path, name: str, split: str, cache: Path) -> list[dict[str, Any]]:
    """What `load_dataset` gives, images as RGB pixels."""
    loaded = datasets.load_dataset(str(path), name, split=split, cache_dir=str(cache))
    return [row | {"image": np.asarray(row["image"].convert("RGB"))} if "image" in row else row for row in loaded]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return list(one) == list(other) and all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("name", ["default", "commercial", "apart", "small", "mini", "text"])
def test_rows_are_those_of_load_dataset_in_the_order_of_the_files(
    complete: Path, tmp_path: Path, name: str, split: str
) -> None:
    expected = rows_of(complete, name, split, tmp_path)
    found = list(PretrainingStream(complete, split, name, shuffle=False))
    assert len(found) == len(expected) > 0
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("reader", ["stream", "builder", "load"])
@pytest.mark.parametrize(
    ("name", "column", "right"), [("commercial", "license", "CC BY"), ("apart", "article_in_other_split", False)]
)
def test_no_reader_gives_a_row_of_another_group(
    complete: Path, tmp_path: Path, name: str, column: str, right: object, reader: str, streaming: bool
) -> None:
    every = pq.read_table(list((complete / "data").glob("train-*")), columns=[column, "image_id"]).to_pylist()
    if reader == "stream":
        rows: Any = PretrainingStream(complete, "train", name, columns=[column, "image_id"], shuffle=streaming)
    elif reader == "load":
        options = {} if streaming else {"cache_dir": str(tmp_path)}
        rows = rocov2.load(complete, name, split="train", streaming=streaming, **options)
    else:
        builder = rocov2.Rocov2(data_dir=str(complete), config_name=name, cache_dir=str(tmp_path))
        if not streaming:
            builder.download_and_prepare()
        rows = builder.as_streaming_dataset("train") if streaming else builder.as_dataset("train")
    found = [(row["image_id"], row[column]) for row in rows]
    assert {value for _, value in found} == {right} != {row[column] for row in every}
    assert sorted(found) == sorted((row["image_id"], row[column]) for row in every if row[column] == right)


def test_shuffled_every_row_comes_once_and_is_the_same_row(built: Path, tmp_path: Path) -> None:
    expected = {row["image_id"]: row for row in rows_of(built, "default", "train", tmp_path)}
    found = list(PretrainingStream(built, window="20kB"))
    assert [row["image_id"] for row in found] != list(expected)
    assert len(found) == len(expected) == TRAIN
    assert all(same(row, expected[row["image_id"]]) for row in found)


def test_a_batch_holds_the_rows_column_by_column(built: Path) -> None:
    rows = list(PretrainingStream(built, image_size=(24, 32)))
    batches = list(PretrainingStream(built, image_size=(24, 32), batch_size=8))
    assert [len(batch["image_id"]) for batch in batches] == [8] * 7 + [5]
    assert {batch["image"].shape[1:] for batch in batches} == {(24, 32, 3)}
    for name in rows[0]:
        values = [value for batch in batches for value in batch[name]]
        assert len(values) == TRAIN
        assert all(np.array_equal(value, row[name]) for value, row in zip(values, rows, strict=True))


def test_images_are_those_of_pillow_at_the_size_asked_for(built: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(built), split="validation", cache_dir=str(tmp_path))
    found = list(PretrainingStream(built, "validation", image_size=(24, 32), shuffle=False))
    for row, other in zip(found, loaded, strict=True):
        picture = other["image"].convert("RGB").resize((32, 24), Image.Resampling.BILINEAR)
        assert np.abs(row["image"].astype(int) - np.asarray(picture)).max() <= 1


def test_without_a_size_a_batch_has_images_of_their_own_sizes(built: Path) -> None:
    batch = next(iter(PretrainingStream(built, batch_size=4)))
    sides = list(zip(batch["height"], batch["width"], strict=True))
    assert [image.shape[:2] for image in batch["image"]] == sides


def test_bytes_are_those_of_the_release(built: Path, tmp_path: Path) -> None:
    loaded = datasets.load_dataset(str(built), split="train", cache_dir=str(tmp_path))
    expected = {
        row["image_id"]: row["image"]["bytes"] for row in loaded.cast_column("image", datasets.Image(decode=False))
    }
    for options in ({}, {"batch_size": 7}, {"shuffle": False}):
        found: dict[str, bytes] = {}
        for item in PretrainingStream(built, decode="bytes", columns=["image_id", "image"], **options):
            found |= (
                dict(zip(item["image_id"], item["image"], strict=True))
                if options.get("batch_size")
                else {item["image_id"]: item["image"]}
            )
        assert found == expected
    assert all(isinstance(image, bytes) for image in found.values())


def test_a_batch_stays_as_it_is_when_the_next_ones_are_read(built: Path) -> None:
    stream = PretrainingStream(built, image_size=32, batch_size=4)
    kept = list(stream)
    copies = [batch["image"].copy() for batch in stream]
    assert all(np.array_equal(batch["image"], copy) for batch, copy in zip(kept, copies, strict=True))
    assert all(batch["image"].flags.writeable for batch in kept)


def test_columns_come_in_the_order_of_the_files(built: Path) -> None:
    assert list(next(iter(PretrainingStream(built, columns=["cuis", "caption", "image"])))) == [
        "image",
        "caption",
        "cuis",
    ]


def test_another_seed_and_another_epoch_are_other_orders(built: Path) -> None:
    stream = stream_of(built)
    first = ids(stream)
    assert ids(stream) == first == ids(stream_of(built))
    stream.set_epoch(1)
    second = ids(stream)
    assert sorted(second) == sorted(first)
    assert len({tuple(order) for order in (first, second, ids(stream_of(built, seed=1)))}) == 3
    assert ids(stream_of(built, epoch=1)) == second


@pytest.mark.parametrize("options", [{}, {"image_size": 16, "columns": ["image", "image_id"]}, {"name": "text"}])
def test_what_is_read_decodes_nothing_about_the_order(built: Path, options: dict[str, Any]) -> None:
    if options.get("name") != "text":
        assert ids(stream_of(built, **options)) == ids(stream_of(built))
    batched = ids(stream_of(built, batch_size=5, **options))
    assert batched == ids(stream_of(built, **options))
    assert ids(stream_of(built, read_ahead=1, **options)) == batched


def test_a_larger_world_has_a_lane_for_each_rank(built: Path) -> None:
    assert stream_of(built, rank=0, world_size=12).state_dict()["lanes"] == 12
    assert stream_of(built, rank=0, world_size=3).state_dict()["lanes"] == 8


def test_the_world_may_not_change_under_a_stream(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stream_of(built)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RuntimeError, match="made for rank 0 of 1, but this is rank 1 of 2 now"):
        iter(stream)
    assert len(ids(stream_of(built, batch_size=1))) == (TRAIN + 1) // 2


def test_a_copy_goes_on_where_the_stream_would(built: Path) -> None:
    stream = stream_of(built, batch_size=4)
    stream.load_state_dict(stream.state_at(3))
    iterator = iter(stream_of(built))
    next(iterator)
    assert ids(pickle.loads(pickle.dumps(stream))) == ids(stream)  # noqa: S301 (its own)


def test_two_iterations_at_the_same_time_do_not_disturb_each_other(built: Path) -> None:
    stream = stream_of(built, columns=["image", "image_id"], image_size=8)
    assert all(same(one, other) for one, other in zip(stream, stream, strict=True))


def test_threads_end_with_the_iteration(built: Path) -> None:
    before = set(threading.enumerate())
    stream = PretrainingStream(built, image_size=8, threads=2)
    items = iter(stream)
    next(items)
    begun = set(threading.enumerate()) - before
    assert begun
    del items
    stream.set_epoch(1)
    for thread in begun:
        thread.join(HANG_SECONDS)
    assert not any(thread.is_alive() for thread in begun)


def test_torch_is_not_imported(built: Path) -> None:
    code = (
        "import sys; from rocov2_tasks.pretraining import PretrainingStream\n"
        f"list(PretrainingStream({str(built)!r}, image_size=8, batch_size=8)); print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
