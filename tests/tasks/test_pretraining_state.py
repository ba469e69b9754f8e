from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.stream.image_bytes import LocalGroup
from rocov2_tasks.stream.reading import GroupReader
from tests.conftest import Seeds
from tests.support.streams import TRAIN, build, ids, stream_of

SCHEDULES = 200


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [None, 1, 7])
def test_a_run_goes_on_exactly_from_any_place(built: Path, batch_size: int | None, shuffle: bool) -> None:
    options = {"batch_size": batch_size, "shuffle": shuffle, "columns": ["image_id", "image"], "image_size": 8}
    stream = stream_of(built, **options)
    whole = ids(stream)
    given = 0
    for item in stream:
        given += 1 if batch_size is None else len(item["image_id"])
        state = json.loads(json.dumps(stream.state_dict()))
        resumed = stream_of(built, **options)
        resumed.load_state_dict(state)
        assert ids(resumed) == whole[given:]
    assert given == TRAIN


def test_a_run_can_stop_any_number_of_times(built: Path) -> None:
    whole, state = ids(stream_of(built)), None
    seen: list[str] = []
    for _ in range(TRAIN):
        stream = stream_of(built, batch_size=2)
        if state:
            stream.load_state_dict(state)
        batch = next(iter(stream), None)
        if batch is None:
            break
        seen += batch["image_id"]
        state = stream.state_dict()
    assert seen == whole


def test_a_state_brings_its_order_along(built: Path) -> None:
    stream = stream_of(built, seed=5, epoch=3, lanes=3, window=9_000)
    whole = ids(stream)
    items = iter(stream)
    for _ in range(10):
        next(items)
    other = stream_of(built, seed=1, lanes=8, window="64MB")
    other.load_state_dict(stream.state_dict())
    assert ids(other) == whole[10:]


def test_after_a_resumed_epoch_the_next_is_whole(built: Path) -> None:
    stream = stream_of(built, batch_size=4)
    state = stream.state_at(5)
    for again in (True, False):
        resumed = stream_of(built, batch_size=4)
        resumed.load_state_dict(state)
        assert len(ids(resumed)) == TRAIN - 20
        if again:
            resumed.set_epoch(1)
        assert len(ids(resumed)) == TRAIN


def test_set_epoch_keeps_a_loaded_position_of_the_same_epoch(built: Path) -> None:
    stream = stream_of(built, epoch=2, batch_size=4)
    state = stream.state_at(5)
    resumed = stream_of(built, batch_size=4)
    resumed.load_state_dict(state)
    resumed.set_epoch(2)
    assert len(resumed) == len(stream) - 5
    assert len(ids(resumed)) == TRAIN - 20


def test_a_state_at_the_end_gives_nothing(built: Path) -> None:
    for options in ({"batch_size": 4}, {"batch_size": 4, "drop_last": True}, {}):
        stream = stream_of(built, **options)
        ids(stream)
        resumed = stream_of(built, **options)
        resumed.load_state_dict(stream.state_dict())
        assert (len(resumed), ids(resumed)) == (0, [])


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_the_length_is_what_is_given(built: Path, world_size: int, batch_size: int | None) -> None:
    for drop_last in (False, True):
        for rank in range(world_size):
            stream = stream_of(built, rank=rank, world_size=world_size, batch_size=batch_size, drop_last=drop_last)
            assert len(stream) == len(list(stream))


@pytest.mark.slow
def test_random_schedules_of_real_streams_lose_and_repeat_nothing(built: Path, seeds: Seeds) -> None:
    whole = ids(stream_of(built))
    for seed in seeds(SCHEDULES):
        chance = random.Random(seed)
        state: dict[str, Any] | None = None
        seen: list[str] = []
        while len(seen) < TRAIN:
            world_size, batch_size = chance.choice([1, 2, 3, 4, 8]), chance.choice([None, 1, 3, 5])
            streams = [
                stream_of(built, rank=r, world_size=world_size, batch_size=batch_size) for r in range(world_size)
            ]
            for stream in streams:
                if state:
                    stream.load_state_dict(state)
            steps = min(len(streams[0]), chance.randint(0, 12))
            ranks = []
            for stream in streams:
                items = iter(stream)
                consumed = [next(items) for _ in range(steps)]
                names = [item["image_id"] for item in consumed]
                ranks.append(names if batch_size is None else [name for batch in names for name in batch])
            states = [stream.state_dict() for stream in streams]
            assert all(one == states[0] == streams[0].state_at(steps) for one in states)
            state = chance.choice(states)
            seen += [image_id for step in zip(*ranks, strict=True) for image_id in step]
        assert seen[:TRAIN] == whole, seed
        assert set(seen[TRAIN:]) <= set(seen[:TRAIN])
        assert len(seen) - TRAIN < 8


@pytest.mark.parametrize("world_size", [2, 4, 8])
def test_ranks_read_their_own_share_alone(tmp_path: Path, world_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build(tmp_path, train=400, row_group_size=8_000)
    read = 0
    plain = LocalGroup.values

    def count(self: Any, *arguments: Any) -> Any:
        nonlocal read
        buffer, spans = plain(self, *arguments)
        read += sum(end - start for start, end in spans)
        return buffer, spans

    monkeypatch.setattr(LocalGroup, "values", count)
    for rank in range(world_size):
        list(PretrainingStream(path, rank=rank, world_size=world_size, image_size=8, window="64kB", columns=["image"]))
    size = sum(row["image"]["bytes"].__len__() for row in raw_images(path))
    assert size <= read <= 1.1 * size


def raw_images(path: Path) -> list[dict[str, Any]]:
    return [row for file in path.glob("data/train-*") for row in pq.read_table(file, columns=["image"]).to_pylist()]


def test_a_resumed_run_reads_only_what_is_left(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups: set[int] = set()
    plain = GroupReader.read

    def remember(self: Any, group: int, *arguments: Any) -> Any:
        groups.add(group)
        return plain(self, group, *arguments)

    monkeypatch.setattr(GroupReader, "read", remember)
    stream = stream_of(built, lanes=2, window=1, batch_size=1)
    whole = len(stream._plan.layout.groups)
    stream.load_state_dict(stream.state_at(TRAIN - 4))
    assert len(ids(stream)) == 4
    assert len(groups) <= 3 < whole
