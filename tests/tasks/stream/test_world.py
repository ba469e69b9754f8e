from __future__ import annotations

import random
from itertools import chain

import numpy as np
import pytest

from rocov2_shared.processors import usable_processors
from rocov2_tasks.stream.order import Order
from rocov2_tasks.stream.world import Share, find_world, local_world_size
from tests.conftest import Seeds

SCHEDULES = 3_000


def batches_of(share: Share, workers: int, done: int = 0) -> list[list[int]]:
    """Batches of a rank in the order in which a DataLoader hands them out: one of each worker in turn."""
    by_worker = []
    for worker in range(workers):
        positions, bounds = share.positions(worker, workers, done)
        by_worker.append([part.tolist() for part in np.split(positions, bounds[1:-1])] if len(bounds) > 1 else [])
    return [by_worker[number % workers][number // workers] for number in range(share.batches - done * workers)]


def run(total: int, start: int, chance: random.Random) -> tuple[list[int], int, int]:
    """A run from a position on: the positions that its ranks consume, where they stop, and how many come twice.

    The positions are told in the order of the epoch: batch after batch, of each sample after sample, of each rank after rank.
    """
    world_size, batch = chance.choice([1, 1, 2, 3, 4, 5, 8]), chance.choice([1, 1, 2, 3, 8])
    shares = [Share(start, total, rank, world_size, batch, drop_last=False) for rank in range(world_size)]
    assert len({share.batches for share in shares}) == 1
    consumed = min(shares[0].batches, chance.choice([0, 1, 2, 3, 5, 100]))
    ranks = [list(chain.from_iterable(batches_of(share, chance.choice([1, 1, 2, 4]))[:consumed])) for share in shares]
    assert len({len(rank) for rank in ranks}) == 1  # every rank has as many samples as the others
    positions = list(chain.from_iterable(zip(*ranks, strict=True)))
    end = shares[0].position_after(consumed)
    given_twice = len(positions) - (end - start)
    assert given_twice < world_size
    assert given_twice == 0 or end == total
    assert set(positions[len(positions) - given_twice :]) <= set(positions[: len(positions) - given_twice])
    return positions[: len(positions) - given_twice], end, given_twice


def small_order(chance: random.Random) -> Order:
    rows = tuple(chance.randint(1, 9) for _ in range(chance.randint(1, 12)))
    return Order(rows, rows, True, chance.randint(0, 99), chance.randint(0, 9), chance.choice([1, 3, 8, 16]), 20)


def test_no_schedule_of_worlds_workers_stops_and_restarts_loses_or_repeats_a_sample(
    seeds: Seeds,
) -> None:
    stops = 0
    for seed in seeds(SCHEDULES):
        chance = random.Random(seed)
        order = small_order(chance)
        position, seen = 0, []
        while position < order.total:
            positions, position, _ = run(order.total, position, chance)
            seen += positions
            stops += position < order.total
        # In the order of the epoch, whoever read it, and therefore every row once.
        assert seen == list(range(order.total)), seed
        _, groups, rows = order.locate(np.array(seen))
        everything = [(group, row) for group, count in enumerate(order.rows) for row in range(count)]
        assert sorted(zip(groups.tolist(), rows.tolist(), strict=True)) == everything, seed
    assert stops > SCHEDULES  # they do stop in the middle


@pytest.mark.parametrize(("world_size", "batch"), [(1, 4), (2, 4), (3, 2), (8, 1)])
def test_with_drop_last_every_batch_is_full_and_nothing_comes_twice(world_size: int, batch: int) -> None:
    total = 45
    shares = [Share(0, total, rank, world_size, batch, drop_last=True) for rank in range(world_size)]
    ranks = [batches_of(share, workers=2) for share in shares]
    assert {len(batch) for rank in ranks for batch in rank} == {batch}
    positions = sorted(chain.from_iterable(chain.from_iterable(ranks)))
    assert positions == list(range(total // (world_size * batch) * world_size * batch))
    assert shares[0].position_after(shares[0].batches) == len(positions)


def test_where_samples_do_not_come_out_even_a_rank_gets_its_previous_one_again() -> None:
    batches = [batches_of(Share(0, 7, rank, 3, 2, drop_last=False), 1) for rank in range(3)]
    assert batches == [[[0, 3], [6]], [[1, 4], [4]], [[2, 5], [5]]]


def test_where_there_are_fewer_samples_than_ranks_the_others_get_one_of_them() -> None:
    batches = [batches_of(Share(5, 7, rank, 4, 2, drop_last=False), 1) for rank in range(4)]
    assert batches == [[[5]], [[6]], [[5]], [[6]]]


@pytest.mark.parametrize("drop_last", [False, True])
def test_at_the_end_there_is_nothing(drop_last: bool) -> None:
    share = Share(9, 9, 1, 2, 4, drop_last)
    assert (share.batches, batches_of(share, 2), share.position_after(0)) == (0, [], 9)


def test_a_worker_goes_on_behind_the_batches_that_it_has_made() -> None:
    share = Share(3, 50, 0, 2, 3, drop_last=False)
    whole = batches_of(share, workers=2)
    assert batches_of(share, workers=2, done=2) == whole[4:]


def test_alone_a_process_is_rank_0_of_1() -> None:
    assert find_world(None, None) == (0, 1)


def test_the_environment_tells_rank_and_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert find_world(None, None) == (2, 4)
    assert find_world(1, 3) == (1, 3)  # by hand it goes before


@pytest.mark.parametrize(
    ("rank", "world_size"), [(0, None), (None, 2), (2, 2), (-1, 2)], ids=["no world", "no rank", "beyond", "negative"]
)
def test_a_rank_without_its_world_or_outside_of_it_is_told(rank: int | None, world_size: int | None) -> None:
    message = f"rank= and world_size=: expected both, 0 <= rank < world size, got rank {rank}, world size {world_size}"
    with pytest.raises(ValueError, match=message):
        find_world(rank, world_size)


def test_half_an_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(ValueError, match=r"environment variables RANK and WORLD_SIZE: .* got rank 1, world size None"):
        find_world(None, None)


def test_an_environment_that_is_no_number_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "first")
    with pytest.raises(ValueError, match="environment variable RANK must be an integer, got 'first'"):
        find_world(None, None)


def test_ranks_of_a_machine_share_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    for size, processors in [(None, 8), ("0", 8), ("4", 2), ("16", 1)]:
        if size is not None:
            monkeypatch.setenv("LOCAL_WORLD_SIZE", size)
        assert usable_processors(local_world_size()) == processors
