"""Where an iteration begins if the workers of a DataLoader begin it, here simulated in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from rocov2_tasks.stream.shared import Start, Stats
from rocov2_tasks.stream.world import Worker
from tests.support.schedules import Leg, Simulated, names_of
from tests.support.streams import TRAIN, build, ids, open_stream

LOADED = {"epoch": 2, "position": 7, "skipped": 1}
REWOUND = {"epoch": 2, "position": 0, "skipped": 0}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


def begin(start: Start, workers: int, seed: int, turn: int = 1) -> list[dict[str, int]]:
    """The states from which the workers of one iteration begin."""
    return [start.take_in_worker(Worker(number, workers, seed), turn) for number in range(workers)]


def test_in_this_process_a_loaded_position_is_used_up() -> None:
    start = Start(LOADED)
    assert (start.next(), start.take(), start.next(), start.take()) == (LOADED, LOADED, REWOUND, REWOUND)


@pytest.mark.parametrize(
    ("seed", "turn"), [(2, 1), (1, 2), (1, 1)], ids=["new", "persistent", "the same seed of torch"]
)
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_workers_of_one_iteration_use_it_up_together(workers: int, seed: int, turn: int) -> None:
    start = Start(LOADED)
    assert begin(start, workers, 1) == [LOADED] * workers
    assert (start.get(), start.next()) == (LOADED, REWOUND)
    assert begin(start, workers, seed, turn) == [REWOUND] * workers
    assert (start.get(), start.next(), start.take()) == (REWOUND, REWOUND, REWOUND)


@pytest.mark.parametrize(("first", "second"), [(2, 5), (5, 2)])
def test_another_number_of_workers_begins_together_too(first: int, second: int) -> None:
    start = Start(LOADED)
    assert begin(start, first, 1) == [LOADED] * first
    assert begin(start, second, 1) == [REWOUND] * second


def test_a_state_that_is_set_is_for_the_next_iteration() -> None:
    start = Start(REWOUND)
    begin(start, 2, 1)
    start.set(LOADED)
    assert (start.begun, start.next()) == (False, LOADED)
    assert begin(start, 2, 2) == [LOADED] * 2


def test_more_workers_than_are_counted_apart_count_together() -> None:
    stats = Stats()
    for number in range(3_000):
        stats.costs_of(Worker(number, 3_000)).add(images=1, seconds_waiting=0.5)
    stats.costs_of(None).add(images=1)
    assert (stats.sums()["images"], stats.sums()["seconds_waiting"]) == (3_001, 1_500.0)


@pytest.mark.parametrize("workers", [0, 1, 2, 3])
def test_after_a_resumed_epoch_the_next_is_whole_also_without_set_epoch(built: Path, workers: int) -> None:
    whole = ids(open_stream(built))
    stream = open_stream(built)
    stream.load_state_dict(stream.state_at(4))
    for begun in (24, 0, 0):
        assert len(stream) == -(-(TRAIN - begun) // 6)
        given = []
        loader = Simulated(stream, Leg(batch=6, skip=False, ranks=1, steps=0, workers=workers, stop=None, ahead=0))
        for consumed in range(-(-(TRAIN - begun) // 6)):
            assert stream.state_at(consumed)["position"] == min(TRAIN, begun + 6 * consumed)
            given += names_of(loader.next())
        assert given == whole[begun:]
        with pytest.raises(ValueError, match="each rank has only"):
            stream.state_at(len(stream) + 1)


def test_a_look_before_the_workers_begin_does_not_confuse_the_count(built: Path) -> None:
    stream = open_stream(built)
    stream.load_state_dict(stream.state_at(4))
    next(iter(stream))
    assert stream.state_dict()["position"] == 30
    loader = Simulated(stream, Leg(batch=6, skip=False, ranks=1, steps=0, workers=2, stop=None, ahead=0))
    loader.next()
    assert (stream.state_at(1)["position"], stream.state_dict()["position"]) == (6, 0)


def test_after_a_state_of_the_loader_only_the_loader_knows_the_position(built: Path) -> None:
    stream = open_stream(built)
    leg = Leg(batch=6, skip=False, ranks=1, steps=0, workers=2, stop=None, ahead=0)
    loader = Simulated(stream, leg)
    for _ in range(3):
        loader.next()
    resumed = open_stream(built)
    Simulated(resumed, leg, loader.states, 3).next()
    with pytest.raises(ValueError, match=r"batches_consumed=1: the workers have resumed .*save loader\.state_dict\(\)"):
        resumed.state_at(1)
    resumed.set_epoch(1)
    assert resumed.state_at(1)["position"] == 6
