"""Shapes: conversations of prompts and answers, map-style and streaming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest

import rocov2
from rocov2_tasks import views
from rocov2_tasks.shaping.prompts import PROMPTS
from tests.support.raw import make_raw
from tests.support.repositories import plain_rows


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=24).build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


def test_messages(train: Any) -> None:
    for row, before in zip(plain_rows(views.to_messages(train, "What is it?")), plain_rows(train), strict=True):
        assert row == {
            "images": [before["image"]],
            "messages": [
                {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "What is it?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": before["caption"]}]},
            ],
        }


def test_prompt_and_completion(train: Any) -> None:
    for row, before in zip(plain_rows(views.to_prompt_completion(train, "Why?")), plain_rows(train), strict=True):
        assert row == {
            "image": before["image"],
            "prompt": [{"role": "user", "content": "Why?"}],
            "completion": [{"role": "assistant", "content": before["caption"]}],
        }


def test_sharegpt(train: Any) -> None:
    for row, before in zip(plain_rows(views.to_sharegpt(train, "Why?", "concepts")), plain_rows(train), strict=True):
        assert row == {
            "images": [before["image"]],
            "conversations": [
                {"from": "human", "value": "<image>Why?"},
                {"from": "gpt", "value": "; ".join(before["concept_names"])},
            ],
        }


def test_targets(train: Any) -> None:
    names = list(rocov2.MODALITIES)
    before = plain_rows(train)
    made = plain_rows(views.to_prompt_completion(train, target="modality", seed=3))
    assert [row["completion"][0]["content"] for row in made] == [names[row["modality"]] for row in before]
    assert {row["prompt"][0]["content"] for row in made} == set(PROMPTS["modality"])
    texts = plain_rows(views.image_text(train, "modality"))
    assert [row["text"] for row in texts] == [names[row["modality"]] for row in before]


def test_prompts_go_by_image_and_seed_whatever_the_order(built: Path, loaded: Any) -> None:
    def prompts(dataset: Any, seed: int) -> dict[str, str]:
        rows = plain_rows(views.to_messages(dataset, seed=seed))
        return {row["images"][0]["path"]: row["messages"][0]["content"][1]["text"] for row in rows}

    first = prompts(loaded, 0)
    assert prompts(loaded.shuffle(seed=5), 0) == first
    assert prompts(rocov2.load(built, split="train", streaming=True), 0) == first
    assert prompts(loaded, 1) != first
    assert set(first.values()) <= set(PROMPTS["caption"])
    assert len(set(first.values())) > 3


def test_a_concept_that_stands_twice_is_answered_once(train: Any) -> None:
    def twice(row: dict[str, Any]) -> dict[str, Any]:
        return row | {"concept_names": row["concept_names"] * 2}

    plain = train.cast_column("image", datasets.Image(decode=False))
    doubled = plain.map(twice, features=plain.features)
    assert plain_rows(views.image_text(doubled, "concepts")) == plain_rows(views.image_text(plain, "concepts"))
