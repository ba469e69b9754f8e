"""Random schedules of a training over one stream: it stops anywhere and goes on in another mode, with other processes.

A schedule is a seed. What it must give comes from a model of a few lines, which knows only the order of the ids.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from rocov2_tasks import pretraining
from rocov2_tasks.pretraining import DamagedImageError, PretrainingStream
from rocov2_tasks.stream.decoding import Decoder
from rocov2_tasks.stream.world import Worker
from tests.support.repositories import images_by_id
from tests.support.streams import ids, stream_of

BLOCK = 16
"""Samples that a stream of single samples decodes together."""

Batches = list[list[str]]
RunLeg = Callable[["Leg", PretrainingStream, bool], Batches]
"""Runs a leg of one rank and returns its batches; then, if that is asked for, a damaged image must be reported."""


@dataclass(frozen=True)
class Leg:
    """A part of a schedule, between two restarts.

    Attributes:
        batch: samples of a batch; None for single samples.
        skip: whether damaged images are left out.
        steps: batches that each rank consumes, at most.
        workers: of each rank's loader; 0 reads in the process itself.
        stop: batches after which the loader is made anew from its own state; None if it is not.
        ahead: batches that each worker has made beyond what was consumed.
    """

    batch: int | None
    skip: bool
    ranks: int
    steps: int
    workers: int
    stop: int | None
    ahead: int


@dataclass
class Counts:
    """What the schedules of a run contained."""

    schedules: int = 0
    with_damage: int = 0
    legs: int = 0
    raised: int = 0
    skipped: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


class Damage:
    """Makes images damaged while a test runs, by their ids, and decodes all others to nothing."""

    def __init__(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._images = images_by_id(repository)
        self._damaged: set[bytes] = set()
        monkeypatch.setattr(Decoder, "__call__", self._decode)

    def choose(self, chosen: set[str]) -> None:
        """Damage these images alone."""
        self._damaged.clear()
        self._damaged |= {self._images[image_id] for image_id in chosen}

    def _decode(self, data: Any, out: Any = None) -> Any:
        if bytes(data) in self._damaged:
            raise DamagedImageError("damaged by the test")
        return np.zeros((8, 8, 3), np.uint8) if out is None else out


def ids_of_row_groups(repository: Path) -> list[list[str]]:
    """The ids of each row group of train."""
    groups: list[list[str]] = []
    for path in sorted(repository.glob("data/train-*")):
        with pq.ParquetFile(path) as file:
            numbers = range(file.num_row_groups)
            groups += [file.read_row_group(n, columns=["image_id"])["image_id"].to_pylist() for n in numbers]
    return groups


def choose_damage(chance: random.Random, whole: list[str], groups: list[list[str]], lanes: int) -> set[str]:
    """Choose images to damage: at ends of blocks, batches, row groups, lanes and ranks' shares, or anywhere, or all."""
    total = len(whole)
    ends = {
        "blocks": [whole[end] for start in range(0, total, BLOCK) for end in (start, min(start + BLOCK, total) - 1)],
        "batches": whole[chance.choice([1, 2, 4, 5]) :: 6],
        "row groups": [end for group in groups for end in (group[0], group[-1])],
        "lanes": whole[:lanes] + whole[-lanes:],
        "shares": whole[-4:],
        "anywhere": chance.sample(whole, chance.randint(1, total // 2)),
        "all": whole,
        "one": [chance.choice(whole)],
    }
    kinds = chance.sample([kind for kind in ends if kind != "all"], 2) if chance.random() < 0.95 else ["all"]
    share = chance.choice([0.3, 1.0])
    return {image_id for kind in kinds for image_id in ends[kind] if chance.random() <= share}


def expected_batches(whole: list[str], start: int, rank: int, ranks: int, batch: int) -> Batches:
    """The batches of a rank from a position on, damaged images among them: every `ranks`-th sample.

    A rank that has no last sample repeats its previous one, or another rank's.
    """
    left = len(whole) - start
    samples = []
    for number in range(-(-left // ranks)):
        position = start + rank + number * ranks
        if position >= len(whole):
            position = position - ranks if number else start + rank % left
        samples.append(whole[position])
    return [samples[begin : begin + batch] for begin in range(0, len(samples), batch)]


def choose_leg(chance: random.Random, must_skip: bool) -> Leg:
    """Choose a leg; `must_skip`: the next image is damaged, and the one before could not go on."""
    kind = "skip" if must_skip else chance.choice(["single", "batches", "skip"])
    steps = chance.choice([0, 1, 2, 3, 7, 16, 17, 40])
    return Leg(
        batch=None if kind == "single" else chance.choice([1, 2, 3, 5, 16]),
        skip=kind == "skip",
        ranks=chance.choice([1, 1, 1, 2, 3, 4]),
        steps=max(1, steps) if must_skip else steps,
        workers=chance.choice([0, 0, 1, 2, 3]),
        stop=chance.choice([None, None, 0, 1, 2, 5]),
        ahead=chance.choice([0, 1, 2]),
    )


def run_schedules(repository: Path, seeds: Iterable[int], monkeypatch: pytest.MonkeyPatch, run_leg: RunLeg) -> Counts:
    """Run a schedule for each seed, print what they were, and return it."""
    counts = Counts()
    damage, groups = Damage(repository, monkeypatch), ids_of_row_groups(repository)
    for seed in seeds:
        run_schedule(repository, seed, damage, groups, counts, run_leg)
    print(counts)
    return counts


def run_schedule(
    repository: Path,
    seed: int,
    damage: Damage,
    groups: list[list[str]],
    counts: Counts,
    run_leg: RunLeg,
) -> None:
    """Run a schedule through an epoch, and compare every batch and every state with the model."""
    chance = random.Random(seed)
    order: dict[str, Any] = {
        "seed": chance.randint(0, 5),
        "epoch": chance.randint(0, 3),
        "lanes": chance.choice([1, 3, 8]),
        "shuffle": chance.random() < 0.9,
        "window": chance.choice(["1B", "20kB", "64MB"]),
    }
    leg = choose_leg(chance, False)
    order["lanes"] = max(order["lanes"], leg.ranks)  # the first ranks decide, and their state brings it along
    damage.choose(set())
    whole = ids(stream_of(repository, **order))
    chosen = choose_damage(chance, whole, groups, order["lanes"]) if chance.random() < 0.5 else set()
    damage.choose(chosen)
    counts.schedules += 1
    counts.with_damage += bool(chosen)

    position, must_skip = 0, False
    state: dict[str, Any] | None = None
    while position < len(whole):
        counts.legs += 1
        name = (
            f"{'single' if leg.batch is None else 'batches'}, {'skip' if leg.skip else 'raise'}, {leg.workers} workers"
        )
        counts.kinds[name] = counts.kinds.get(name, 0) + 1
        streams = [_open(repository, leg, rank, order) for rank in range(leg.ranks)]
        for stream in streams:
            if state is not None:
                stream.load_state_dict(state)
        where = f"seed {seed}, position {position}, {leg}, damaged {sorted(chosen)}"
        model = [expected_batches(whole, position, rank, leg.ranks, leg.batch or 1) for rank in range(leg.ranks)]
        if (
            leg.stop is not None and not leg.workers
        ):  # its state is a position: ranks repeat what they have from there on
            later = min(position + leg.ranks * (leg.batch or 1) * leg.stop, len(whole))
            model = [
                batches[: leg.stop] + expected_batches(whole, later, rank, leg.ranks, leg.batch or 1)
                for rank, batches in enumerate(model)
            ]
        assert [len(stream) for stream in streams] == [len(batches) for batches in model], where
        # All ranks stop where the first of them meets a damaged image, unless such images are left out.
        fine = [
            next((n for n, batch in enumerate(batches) if not leg.skip and set(batch) & chosen), len(batches))
            for batches in model
        ]
        steps = min(leg.steps, *fine)
        raising = [n == steps < min(leg.steps + 1, len(batches)) for n, batches in zip(fine, model, strict=True)]
        shortened = replace(leg, steps=steps)
        given = [run_leg(shortened, stream, raises) for stream, raises in zip(streams, raising, strict=True)]
        kept = [[[one for one in batch if one not in chosen] for batch in batches[:steps]] for batches in model]
        assert given == kept, f"{where}: {given} instead of {kept}"
        must_skip = any(raising)
        counts.raised += must_skip
        counts.skipped += sum(len(batch) for batches in model for batch in batches[:steps]) - sum(
            len(batch) for batches in kept for batch in batches
        )
        position = min(position + leg.ranks * (leg.batch or 1) * steps, len(whole))
        states = _states(streams, leg, steps)
        assert [one["position"] for one in states] == [position] * len(states), where
        state = json.loads(json.dumps(chance.choice(states)))
        for stream, raises in zip(streams, raising, strict=True):
            if raises:  # from its state on at once again
                resumed = copy_of(stream)
                resumed.load_state_dict(state)
                expect_damage(iter(resumed))
        leg = choose_leg(chance, must_skip)


def _open(repository: Path, leg: Leg, rank: int, order: dict[str, Any]) -> PretrainingStream:
    options = {"columns": ["image", "image_id"], "image_size": 8, "threads": 1} | order
    on_error = "skip" if leg.skip else "raise"
    return stream_of(repository, rank=rank, world_size=leg.ranks, batch_size=leg.batch, on_error=on_error, **options)


def _states(streams: list[PretrainingStream], leg: Leg, steps: int) -> list[dict[str, Any]]:
    """The states of all ranks, in each way in which a stream offers them."""
    at = [stream.state_at(steps) for stream in streams]
    return at if leg.workers or leg.stop is not None else [*at, *(stream.state_dict() for stream in streams)]


def expect_damage(items: Iterator[Any]) -> None:
    """Hold that the next item is an error."""
    with pytest.raises(DamagedImageError, match="damaged by the test"):
        next(items)


def run_here(leg: Leg, stream: PretrainingStream, raises: bool) -> Batches:
    """Run a leg in this process: its workers are simulated, each with a copy of the stream, as after a fork."""
    stop = leg.steps if leg.stop is None else min(leg.steps, leg.stop)
    if leg.workers:
        loader = Simulated(stream, leg)
        given = [loader.next() for _ in range(stop)]
        if leg.stop is not None:
            loader = Simulated(copy_of(stream), leg, json.loads(json.dumps(loader.states)), stop)
        given += [loader.next() for _ in range(leg.steps - stop)]
        return [names_of(item) for item in given]
    items = iter(stream)
    given = [next(items) for _ in range(stop)]
    if leg.stop is not None:  # as StatefulDataLoader without workers: the state goes into a new iterator
        state = json.loads(json.dumps(items.state_dict()))
        items = iter(copy_of(stream))
        items.load_state_dict(state)
    given += [next(items) for _ in range(leg.steps - stop)]
    if raises:
        expect_damage(items)
    return [names_of(item) for item in given]


def copy_of(stream: PretrainingStream) -> PretrainingStream:
    """A stream of its own, as in another program."""
    copied = copy.copy(stream)
    copied._start, copied._stats = copy.deepcopy(stream._start), copy.deepcopy(stream._stats)
    copied._iterator = None
    return copied


def names_of(item: dict[str, Any]) -> list[str]:
    """The ids of a batch or of a single sample."""
    return [item["image_id"]] if isinstance(item["image_id"], str) else list(item["image_id"])


class Simulated:
    """A loader whose workers run in this process, each ahead of what is consumed; or without workers."""

    seed = 0

    def __init__(self, stream: PretrainingStream, leg: Leg, states: list[Any] | None = None, consumed: int = 0) -> None:
        Simulated.seed += 1
        workers = [Worker(number, leg.workers, Simulated.seed) for number in range(leg.workers)]
        self._workers: list[Worker | None] = [*workers] or [None]
        self._consumed, self._ahead = consumed, leg.ahead
        self._items: list[Iterator[Any]] = []
        self._made: list[list[tuple[Any, Any]]] = [[] for _ in self._workers]
        for worker in self._workers:
            forked = copy.copy(stream) if worker else stream
            with _being(worker):
                state = states[worker.number] if states is not None and worker else None
                if state:
                    forked.load_state_dict(state)
                items = iter(forked)
                if state:
                    items.load_state_dict(state)
                self._items.append(items)
        self.states = states or [items.state_dict() for items in self._items]  # type: ignore[attr-defined]

    def next(self) -> Any:
        """The next batch, of one worker after the other."""
        number = self._consumed % len(self._workers)
        for _ in range(self._ahead + 1 - len(self._made[number])):
            try:
                item = next(self._items[number])
            except (StopIteration, DamagedImageError):
                break
            self._made[number].append((item, self._items[number].state_dict()))  # type: ignore[attr-defined]
        item, self.states[number] = self._made[number].pop(0)
        self._consumed += 1
        return item


@contextmanager
def _being(worker: Worker | None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pretraining, "find_worker", lambda: worker)
        yield
