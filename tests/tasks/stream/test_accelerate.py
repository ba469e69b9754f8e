"""With accelerate nothing may be split twice: what two processes see in each way of giving it data."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.support.loops import start
from tests.support.streams import build_shards

pytestmark = pytest.mark.torch
pytest.importorskip("accelerate", reason="accelerate is not installed: make test-torch")

ROWS = 96


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("accelerate")
    ways = [
        "stream",
        "stream, prepared",
        "stream of all, prepared",
        "datasets, prepared",
        "datasets, split",
        "datasets, split and prepared",
    ]
    arguments = {"repository": str(build_shards(folder, train=ROWS)), "ways": ways}
    environment = {**os.environ, "HF_HOME": str(folder / "hf_home"), "HF_HUB_OFFLINE": "1"}
    told: dict[str, Any] = start("tests.support.preparing", arguments, environment, ranks=2)
    return told


@pytest.mark.parametrize(
    "way",
    [
        "stream",
        "stream of all, prepared",
        "datasets, prepared",
        "datasets, prepared, not dispatched",
        "datasets, split",
    ],
)
def test_split_once_two_processes_see_everything(seen: dict[str, Any], way: str) -> None:
    first, second = seen[way]
    assert len(first) == len(second) == ROWS // 2
    assert len({*first, *second}) == ROWS


@pytest.mark.parametrize("way", ["stream, prepared", "datasets, split and prepared"])
def test_split_twice_half_is_lost_without_a_word(seen: dict[str, Any], way: str) -> None:
    first, second = seen[way]
    assert len({*first, *second}) == ROWS // 2


def test_split_twice_by_shards_a_part_is_lost_and_another_comes_twice(seen: dict[str, Any]) -> None:
    first, second = seen["datasets, split and prepared, not dispatched"]
    assert len({*first, *second}) < ROWS


@pytest.mark.parametrize("way", ["stream, prepared, not dispatched", "stream of all, prepared, not dispatched"])
def test_a_stream_that_makes_its_batches_is_refused_where_nothing_is_dispatched(seen: dict[str, Any], way: str) -> None:
    assert seen[way] == [["TypeError"], ["TypeError"]]
