from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest

from rocov2_tasks.pretraining import ChangedShardError, DamagedImageError, PretrainingStream
from rocov2_tasks.stream.decoding import Decoder
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
    message = rf"image {name} \(row 2 of row group 0 of .*train-00000.*\) cannot be decoded: "
    with pytest.raises(DamagedImageError, match=message) as told:
        list(stream)
    remedy = 'with on_error="skip", or' if batch_size else 'with on_error="skip" and a batch_size, or'
    assert remedy in str(told.value)
    assert stream.state_dict()["position"] == (2 if batch_size is None else 0)


def test_what_is_no_image_is_told_without_the_address_of_a_buffer() -> None:
    decoder = Decoder("exact", (8, 8), "stretch", "bilinear")
    with pytest.raises(DamagedImageError, match=r"^it is not an image that Pillow can read$"):
        decoder(bytes(100))


def test_a_null_image_is_told(repository: Path) -> None:
    def change(table: pa.Table) -> pa.Table:
        images = table["image"].to_pylist()
        images[2] = None
        field = table.schema.field("image")
        return table.set_column(table.column_names.index("image"), field, pa.array(images, field.type))

    rewrite(repository, min(repository.glob("data/train-*")).relative_to(repository).as_posix(), change)
    stream = PretrainingStream(repository, columns=["image"], image_size=8, batch_size=4, on_error="skip")
    with pytest.raises(ChangedShardError, match=r"train-00000.*: an image is null, the file was changed in place, or"):
        list(stream)


def test_a_damaged_image_can_be_left_out_and_is_counted(
    damaged: tuple[Path, str], caplog: pytest.LogCaptureFixture
) -> None:
    path, name = damaged
    options = {"columns": ["image", "image_id"], "image_size": 16, "batch_size": 8}
    whole = ids(stream_of(path))
    stream = stream_of(path, on_error="skip", **options)
    items, lengths = iter(stream), []
    seen: list[str] = []
    states = []
    for item in items:
        seen += item["image_id"]
        lengths.append(len(item["image"]))
        states.append(stream.state_dict())
    assert seen == [image_id for image_id in whole if image_id != name]
    assert f"image {name} " in caplog.text
    assert states[-1]["skipped"] == 1
    assert len(lengths) == len(stream)
    assert sorted(lengths) == [5, 7, *[8] * 6]  # the batch stays, with one image less
    assert (stream.stats()["skipped"], stream.stats()["images"]) == (1, len(whole) - 1)
    # It uses up its position: what comes after a state is what came after it.
    for given, state in enumerate(states):
        resumed = stream_of(path, on_error="skip", **options)
        resumed.load_state_dict(state)
        assert ids(resumed) == seen[sum(lengths[: given + 1]) :]


def test_images_are_left_out_of_batches_alone(built: Path) -> None:
    with pytest.raises(ValueError, match=r'on_error="skip" needs batch_size: .*different numbers of samples'):
        stream_of(built, on_error="skip")


def test_a_shard_that_changes_during_an_epoch_is_an_error(repository: Path) -> None:
    stream = stream_of(repository, batch_size=1, window=1, lanes=1, read_ahead=1)
    items = iter(stream)
    next(items)
    for file in repository.glob("data/train-*"):
        file.write_bytes(file.read_bytes().replace(b"parquet-cpp-arrow", b"parquet-cpp-error"))
    with pytest.raises(ChangedShardError, match="has another footer since the stream was made"):
        list(items)


def test_a_repository_that_is_copied_during_an_epoch_is_read_on(repository: Path, tmp_path: Path) -> None:
    items = iter(stream_of(repository, batch_size=1, window=1, lanes=1, read_ahead=1))
    whole = ids(stream_of(repository, window=1, lanes=1))
    seen = next(items)["image_id"]
    shutil.copytree(repository / "data", tmp_path / "copy")  # other inodes and other times
    shutil.rmtree(repository / "data")
    shutil.move(tmp_path / "copy", repository / "data")
    assert seen + [image_id for item in items for image_id in item["image_id"]] == whole


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
        ({"lanes": 0}, "the state is damaged: lanes 0, expected 1 to 65,536"),
        ({"lanes": 10**9}, "the state is damaged: lanes 1000000000, expected"),
        ({"seed": -1}, "the state is damaged: seed -1, expected 0 to"),
        ({"epoch": 10**20}, "the state is damaged: epoch 1"),
        ({"seed": 10**5000}, "the state is damaged: seed a value of type int"),
        ({"window": 0}, "the state is damaged: window 0"),
        ({"skipped": -1}, "the state is damaged: skipped -1"),
        ({"position": True}, r"not the state of a PretrainingStream.* \(position=True\)"),
        ({"fingerprint": "f" * 10_000}, r"the state belongs to other data \(fingerprint 'f{99}\.\.\., but"),
        ({"seed": "1" * 10_000}, r"not the state of .{,400}\(seed='1{99}\.\.\.\)$"),
        ({"worker": None}, "the state is damaged: worker None, expected the number of a worker"),
        ({"worker": 3}, "the state is damaged: worker 3"),
        ({"worker": [0, 2]}, r"the state is damaged: worker \[0, 2\]"),
        ({"worker": ["0", 2, 0]}, "the state is damaged: worker"),
        ({"worker": [2, 2, 0]}, "the state is damaged: worker"),
        ({"worker": [0, 2, 10**30]}, "the state is damaged: worker"),
        ({"worker": [0] * 10**6}, r"the state is damaged: worker .{,110}\.\.\., expected"),
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
        ({"lanes": 0}, "lanes=0: expected an integer from 1 to 65,536"),
        ({"lanes": 10**9}, "lanes=1000000000: expected"),
        ({"threads": 10**9}, "threads=1000000000: expected an integer from 1 to 1,024"),
        ({"batch_size": 8.0}, "batch_size=8.0: expected an integer"),
        ({"batch_size": np.array(8)}, r"batch_size=array\(8\): expected an integer"),
        ({"seed": np.True_}, "seed=.*True.*: expected an integer"),
        ({"seed": 10**5000}, "seed=a value of type int: expected an integer"),
        ({"epoch": 2**63}, "epoch=9223372036854775808: expected an integer from 0 to 9,223,372,036,854,775,807"),
        ({"rank": "0", "world_size": 2}, "rank= and world_size=: expected both, .* got rank '0', world size 2"),
        ({"rank": 0.5, "world_size": 2}, "rank= and world_size=: .* got rank 0.5"),
        ({"rank": True, "world_size": 2}, "rank= and world_size=: .* got rank True"),
        ({"rank": 0, "world_size": 10**9}, "0 <= rank < world size <= 65,536, got rank 0, world size 1000000000"),
        ({"shuffle": "False"}, "shuffle='False': expected True or False"),
        ({"drop_last": None}, "drop_last=None: expected True or False"),
        ({"columns": 3}, "columns=3: expected a list of names of columns"),
        ({"columns": []}, r"columns=\[\]: expected a list of names of columns"),
        ({"columns": [["image"]]}, r"columns=\[\['image'\]\]: expected a list of names"),
        ({"columns": "image"}, "columns='image': expected a list of names"),
        ({"name": ["default"]}, r"name=\['default'\]: expected one of default"),
        ({"split": ["train"]}, r"split=\['train'\]: expected one of train"),
        ({"split": None}, "split=None: expected one of train"),
        ({"path": 3}, "path=3: expected a folder, ORG/NAME"),
        ({"path": b"rocov2"}, "path=b'rocov2': expected a folder"),
        ({"revision": 3}, "revision=3: expected a text"),
        ({"image_size": 10**6}, r"image_size=1000000: .* of at most 65,535"),
        ({"image_size": "88"}, "image_size='88'"),
        ({"window": 64e6}, "window=64000000.0: expected a number of bytes"),
        ({"threads": 0}, "threads=0"),
        ({"seed": -1}, "seed=-1: expected an integer of at least 0"),
        ({"epoch": "1"}, "epoch='1'"),
        ({"on_error": "ignore"}, "on_error='ignore': expected one of raise, skip"),
        ({"rank": 1}, "expected both"),
    ],
)
def test_a_wrong_argument_is_told(built: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PretrainingStream(**{"path": built, "columns": None} | options)


def test_numbers_of_numpy_are_plain_numbers(built: Path) -> None:
    plain = stream_of(
        built, seed=3, epoch=1, lanes=4, window=20_000, batch_size=5, rank=1, world_size=2, image_size=None
    )
    given = stream_of(
        built,
        seed=np.uint64(3),
        epoch=np.int8(1),
        lanes=np.int64(4),
        window=np.int32(20_000),
        batch_size=np.uint16(5),
        rank=np.int64(1),
        world_size=np.int64(2),
        threads=np.int64(1),
        shuffle=np.True_,
        drop_last=np.False_,
    )
    assert json.loads(json.dumps(given.state_at(np.int64(2)))) == plain.state_at(2)
    for epoch in np.arange(3):
        given.set_epoch(epoch)
        plain.set_epoch(int(epoch))
        assert json.loads(json.dumps(given.state_dict())) == plain.state_dict()
    assert ids(given) == ids(plain)
    state = {key: np.int64(value) if type(value) is int else value for key, value in plain.state_at(2).items()}
    given.load_state_dict(state | {"shuffle": np.True_, "model": "is left out"})
    assert json.loads(json.dumps(given.state_dict())) == plain.state_at(2)
    size: Any = (np.int64(8), np.int16(9))
    sides = PretrainingStream(built, columns=["image"], image_size=size, batch_size=2)
    assert next(iter(sides))["image"].shape == (2, 8, 9, 3)


def test_columns_and_split_come_in_any_form(built: Path) -> None:
    columns = (column for column in ("caption", "image_id"))
    assert set(next(iter(PretrainingStream(built, columns=columns)))) == {"caption", "image_id"}
    assert ids(stream_of(built, split=datasets.Split.TEST)) == ids(stream_of(built, split="test"))


@pytest.mark.parametrize("world_size", [1, 3])
def test_a_batch_of_a_billion_is_one_batch_of_all(built: Path, world_size: int) -> None:
    for batch_size in (10**9, 2**63 - 1):
        stream = stream_of(built, batch_size=batch_size, world_size=world_size, rank=0)
        (batch,) = stream
        assert (len(stream), len(batch["image_id"])) == (1, -(-TRAIN // world_size))
        assert stream.state_dict()["position"] == TRAIN
        assert list(stream_of(built, batch_size=batch_size, world_size=world_size, rank=0, drop_last=True)) == []


@pytest.mark.parametrize("call", [lambda s: s.set_epoch(-1), lambda s: s.state_at(-1), lambda s: s.state_at(10_000)])
def test_a_wrong_number_is_told(built: Path, call: Callable[[PretrainingStream], Any]) -> None:
    with pytest.raises(ValueError, match=r"epoch=-1|batches_consumed="):
        call(stream_of(built, batch_size=4))


def test_no_repository_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        PretrainingStream(tmp_path / "nothing")
