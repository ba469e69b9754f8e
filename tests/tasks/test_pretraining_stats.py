"""What a stream says of itself: its description, what it has cost, and a long wait."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import fsspec
import pytest

from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.stream import prefetch
from rocov2_tasks.stream.costs import Costs
from rocov2_tasks.stream.reading import GroupReader
from rocov2_tasks.stream.remote import RemoteFiles
from tests.support.repositories import images_by_id
from tests.support.schedules import Leg, Simulated
from tests.support.streams import TRAIN, build, ids, stream_of
from tests.tasks.stream.test_remote import HUB, Server

KEYS = ["images", "seconds_decoding", "bytes_read", "requests", "seconds_waiting", "skipped"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def test_a_stream_describes_itself(built: Path) -> None:
    stream = stream_of(built, batch_size=4, seed=3, epoch=2)
    place = f"PretrainingStream('{built}', split='train', name='default', "
    order = "shuffle=True, seed=3, epoch=2, lanes=8, window=20000, "
    assert repr(stream) == f"{place}{order}batch_size=4, rank 0 of 1, position 0 of 61)"
    items = iter(stream)
    next(items)
    assert repr(stream).endswith("position 4 of 61)")
    plain = stream_of(built, name="text", split="test", shuffle=False, rank=1, world_size=2)
    assert repr(plain) == (
        f"PretrainingStream('{built}', split='test', name='text', shuffle=False, epoch=0, batch_size=None, rank 1 of 2, "
        "position 0 of 5)"
    )


def test_nothing_is_counted_before_an_iteration(built: Path) -> None:
    assert stream_of(built).stats() == dict.fromkeys(KEYS, 0)
    assert list(stream_of(built).stats()) == KEYS


@pytest.mark.parametrize("decode", ["exact", "bytes"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_an_epoch_is_counted(built: Path, decode: str, batch_size: int | None) -> None:
    stream = stream_of(built, columns=["image"], decode=decode, batch_size=batch_size, window="64MB", lanes=1)
    list(stream)
    stats = json.loads(json.dumps(stream.stats()))
    assert (stats["images"], stats["requests"], stats["skipped"]) == (TRAIN, 0, 0)
    size = sum(map(len, images_by_id(built).values())) * TRAIN // (TRAIN + 12)
    files = sum(os.path.getsize(path) for path in built.glob("data/train-*"))
    assert size * 0.8 < stats["bytes_read"] <= files
    assert (stats["seconds_decoding"] > 0) == (decode == "exact")
    assert stats["seconds_waiting"] > 0
    list(stream)
    assert stream.stats()["images"] == 2 * TRAIN


def test_of_a_part_only_what_is_read_is_counted(built: Path) -> None:
    stream = stream_of(built, columns=["image"], decode="bytes", shuffle=False)
    next(iter(stream))
    assert 0 < stream.stats()["bytes_read"] < sum(os.path.getsize(path) for path in built.glob("data/train-*")) / 2


def test_captions_alone_are_counted_as_bytes(built: Path) -> None:
    stream = stream_of(built, columns=["caption"])
    list(stream)
    assert stream.stats()["images"] == 0
    assert 0 < stream.stats()["bytes_read"] < sum(os.path.getsize(path) for path in built.glob("data/train-*")) / 2


def test_workers_count_too(built: Path) -> None:
    stream = stream_of(built, columns=["image", "image_id"], image_size=8, batch_size=5)
    loader = Simulated(stream, Leg(batch=5, skip=False, ranks=1, steps=0, workers=3, stop=None, ahead=0))
    for _ in range(len(stream)):
        loader.next()
    assert stream.stats()["images"] == TRAIN


def test_requests_are_counted_with_those_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    server, costs = Server(ConnectionResetError("reset"), 100), Costs()
    monkeypatch.setattr(fsspec, "url_to_fs", lambda root: (server, root))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    RemoteFiles(HUB, costs=costs).fetch("data/a.parquet", 0, 1_000)
    assert (costs.total("requests"), costs.total("bytes_read")) == (3, 1_900)


def test_a_long_wait_is_reported_again_and_again(
    built: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The first read ends only after three reports."""
    reported, reports = threading.Event(), []
    plain = GroupReader.read

    class Watch(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            reports.append(record.getMessage())
            if len(reports) == 3:
                reported.set()
            return True

    def read(self: Any, *arguments: Any) -> Any:
        assert reported.wait(60)
        return plain(self, *arguments)

    monkeypatch.setattr(prefetch, "FIRST_REPORT", 0.01)
    monkeypatch.setattr(GroupReader, "read", read)
    watch = Watch()
    logging.getLogger(prefetch.__name__).addFilter(watch)
    try:
        stream = stream_of(built, batch_size=4)
        assert len(ids(stream)) == TRAIN
    finally:
        logging.getLogger(prefetch.__name__).removeFilter(watch)
    footers = f"{len(stream._plan.layout.shards)} footers"
    assert all(
        f"s of waiting for the next batch: 0 of 4 row groups read; so far 0 of {footers} and 0 bytes" in r
        for r in reports[:3]
    )
    assert caplog.records[0].levelname == "WARNING"


def test_only_the_first_worker_reports_a_wait(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaders: list[bool] = []
    plain = prefetch.Loader.__init__

    def remember(self: Any, pieces: Any, reader: Any, pool: Any, ahead: int, reports: bool) -> None:
        loaders.append(reports)
        plain(self, pieces, reader, pool, ahead, reports)

    monkeypatch.setattr(prefetch.Loader, "__init__", remember)
    loader = Simulated(
        stream_of(built, batch_size=4), Leg(4, skip=False, ranks=1, steps=0, workers=3, stop=None, ahead=0)
    )
    for _ in range(3):
        loader.next()
    assert loaders == [True, False, False]


def test_a_stream_that_is_not_read_has_no_costs(built: Path) -> None:
    stream = PretrainingStream(built)
    assert stream.stats()["bytes_read"] == 0
