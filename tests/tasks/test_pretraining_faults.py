from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rocov2_tasks.pretraining import ChangedShardError, DamagedImageError, PretrainingStream
from tests.support.breaking import rewrite
from tests.support.streams import TRAIN, build, ids, stream_of


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def damage(table: pa.Table, row: int) -> pa.Table:
    images = table["image"].to_pylist()
    images[row]["bytes"] = images[row]["bytes"][:200]
    field = table.schema.field("image")
    return table.set_column(table.column_names.index("image"), field, pa.array(images, field.type))


@pytest.fixture
def damaged(repository: Path) -> tuple[Path, str]:
    """A repository with one damaged image in train, and its id."""
    file = min(repository.glob("data/train-*")).relative_to(repository).as_posix()
    names: list[str] = []

    def change(table: pa.Table) -> pa.Table:
        names.append(table["image_id"][2].as_py())
        return damage(table, 2)

    rewrite(repository, file, change)
    return repository, names[0]


@pytest.mark.parametrize("decode", ["exact", "scaled", "fast"])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_damaged_image_names_itself(damaged: tuple[Path, str], decode: str, batch_size: int | None) -> None:
    path, name = damaged
    stream = PretrainingStream(
        path, columns=["image"], image_size=16, decode=decode, batch_size=batch_size, shuffle=False
    )
    message = rf"image {name} \(row 2 of row group 0 of .*train-00000.*\) cannot be decoded: .*on_error=\"skip\""
    with pytest.raises(DamagedImageError, match=message):
        list(stream)
    assert stream.state_dict()["position"] == (2 if batch_size is None else 0)


@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_damaged_image_can_be_left_out_and_is_counted(
    damaged: tuple[Path, str], batch_size: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    path, name = damaged
    options = {"columns": ["image", "image_id"], "image_size": 16, "batch_size": batch_size}
    whole = ids(stream_of(path))
    stream = stream_of(path, on_error="skip", **options)
    items, lengths = iter(stream), []
    seen: list[str] = []
    states = []
    for item in items:
        seen += [item["image_id"]] if batch_size is None else item["image_id"]
        lengths.append(len(item["image"]))
        states.append(stream.state_dict())
    assert seen == [image_id for image_id in whole if image_id != name]
    assert f"image {name} " in caplog.text
    assert states[-1]["skipped"] == 1
    if batch_size:
        assert len(lengths) == len(stream)
        assert sorted(lengths) == [5, 7, *[8] * 6]  # the batch stays, with one image less
    # It uses up its position: what comes after a state is what came after it.
    for given, state in enumerate(states):
        resumed = stream_of(path, on_error="skip", **options)
        resumed.load_state_dict(state)
        assert ids(resumed) == seen[given + 1 if batch_size is None else sum(lengths[: given + 1]) :]


def test_a_shard_that_changes_during_an_epoch_is_an_error(repository: Path) -> None:
    stream = stream_of(repository, batch_size=1, window=1, lanes=1, read_ahead=1)
    items = iter(stream)
    next(items)
    for file in repository.glob("data/train-*"):
        state = file.stat()
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    with pytest.raises(ChangedShardError, match="was written after the stream was made"):
        list(items)


def test_a_state_of_other_data_is_refused(built: Path, tmp_path: Path) -> None:
    other = build(tmp_path, train=TRAIN, seed=1)
    state = stream_of(built, batch_size=2).state_at(3)
    for stream in (stream_of(other), stream_of(built, split="test"), stream_of(built, name="text")):
        with pytest.raises(ValueError, match=r"the state belongs to other data \(fingerprint .*expected the build"):
            stream.load_state_dict(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "the state has version 2, but this stream needs version 1"),
        ({"position": TRAIN + 1}, "the state is damaged: position"),
        ({"lanes": 0}, "the state is damaged: .* 0 lanes"),
        ({"seed": "1"}, "not the state of a PretrainingStream"),
        ({"worker": [0, 2, 3]}, r"the state belongs to worker 0 of 2: .*state_at\(batches\)"),
    ],
)
def test_a_state_that_is_none_is_told(built: Path, change: dict[str, Any], message: str) -> None:
    stream = stream_of(built)
    with pytest.raises(ValueError, match=message):
        stream.load_state_dict(stream.state_dict() | change)


@pytest.mark.parametrize("state", [{}, None, 3, {"position": 3}])
def test_something_else_than_a_state_is_told(built: Path, state: Any) -> None:
    with pytest.raises(ValueError, match=r"not the state of a PretrainingStream: expected version, .* found"):
        stream_of(built).load_state_dict(state)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "training"}, "split='training': expected one of train, validation, test"),
        ({"split": "train[:10%]"}, r"split='train\[:10%\]': expected one of train"),
        ({"name": "all"}, "no config 'all'"),
        ({"columns": ["img"]}, r"columns=\['img'\]: expected a list of some of image, image_id"),
        ({"columns": ["image"], "name": "text"}, "columns="),
        ({"decode": "quick"}, "decode='quick': expected one of exact, scaled, fast, bytes"),
        ({"decode": "scaled"}, "decode='scaled' needs image_size, which sets the scale of decoding"),
        ({"decode": "fast", "image_size": 8, "resample": "lanczos"}, "has its own filter"),
        ({"decode": "bytes", "image_size": 8}, "image_size needs pixels to resize"),
        ({"columns": ["caption"], "image_size": 8}, "image_size needs pixels to resize"),
        ({"image_size": 0}, r"image_size=0: expected a side in pixels, or \(height, width\)"),
        ({"image_size": (8, 8, 3)}, "image_size="),
        ({"image_size": 8.5}, "image_size=8.5"),
        ({"fit": "fill", "image_size": 8}, "fit='fill': expected one of stretch, crop, pad"),
        ({"resample": "cubic"}, "resample='cubic': expected one of nearest"),
        ({"window": "much"}, "window='much': expected a number of bytes"),
        ({"window": -1}, "window=-1"),
        ({"read_ahead": None}, "read_ahead=None"),
        ({"batch_size": 0}, "batch_size=0: expected an integer of at least 1"),
        ({"batch_size": True}, "batch_size=True"),
        ({"lanes": 0}, "lanes=0"),
        ({"threads": 0}, "threads=0"),
        ({"seed": -1}, "seed=-1: expected an integer of at least 0"),
        ({"epoch": "1"}, "epoch='1'"),
        ({"on_error": "ignore"}, "on_error='ignore': expected one of raise, skip"),
        ({"rank": 1}, "expected both"),
    ],
)
def test_a_wrong_argument_is_told(built: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PretrainingStream(built, **{"columns": None} | options)


@pytest.mark.parametrize("call", [lambda s: s.set_epoch(-1), lambda s: s.state_at(-1), lambda s: s.state_at(10_000)])
def test_a_wrong_number_is_told(built: Path, call: Callable[[PretrainingStream], Any]) -> None:
    with pytest.raises(ValueError, match=r"epoch=-1|batches_consumed="):
        call(stream_of(built, batch_size=4))


def test_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        PretrainingStream(tmp_path / "nothing")
