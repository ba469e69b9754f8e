"""Streams that have become rows of Python values: nothing fails on their types, and no JPEG is saved anew in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import rocov2
from rocov2_tasks import subsets, views
from tests.raw import make_raw
from tests.repositories import images_by_id

VOCABULARY = ["C0034606", "C0040405", "C1306645"]
STEPS: dict[str, Callable[[Any], Any]] = {
    "remove_columns": lambda stream: stream.remove_columns("url"),
    "rename_column": lambda stream: stream.rename_column("url", "link"),
    "filter": lambda stream: stream.filter(lambda width: width >= 0, input_columns="width"),
    "map": lambda stream: stream.map(lambda row: row, features=stream.features),
}
VIEWS: dict[str, Callable[[Any], Any]] = {
    "captioning": lambda stream: views.captioning(stream, clean=True),
    "image_text": views.image_text,
    "classification": lambda stream: views.classification(stream, "direction"),
    "multi_hot": lambda stream: views.multi_hot(stream.select_columns(["image", "cuis"]), VOCABULARY),
    "to_messages": views.to_messages,
    "to_prompt_completion": lambda stream: views.to_prompt_completion(stream, keep=["image_id", "region"]),
    "to_sharegpt": views.to_sharegpt,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The first rows have no region and no direction: types that are guessed from them are wrong for the others.
    return make_raw(train=24).build(tmp_path_factory.mktemp("built") / "rocov2", row_group=3_000)


@pytest.fixture
def stream(built: Path) -> Any:
    return rocov2.load(built, split="train", streaming=True)


def undecoded(stream: Any) -> Any:
    return stream.cast_column("image", datasets.Image(decode=False))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("view", VIEWS)
def test_images_that_a_step_has_decoded_are_refused(view: str, step: str, stream: Any) -> None:
    for made in (STEPS[step](stream), undecoded(STEPS[step](stream)), STEPS[step](stream).decode(False)):
        with pytest.raises(ValueError, match="an earlier step of this stream decoded its images"):
            list(VIEWS[view](made))


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("view", VIEWS)
def test_images_that_no_step_has_decoded_are_those_of_the_release(
    view: str, step: str, stream: Any, built: Path
) -> None:
    released = images_by_id(built)
    rows = list(VIEWS[view](STEPS[step](undecoded(stream))))
    assert rows == list(VIEWS[view](undecoded(stream)))
    for row in rows:
        image = row["images"][0] if "images" in row else row["image"]
        assert image["bytes"] == released[image["path"].removesuffix(".jpg")]


def test_labels_without_images_need_no_tables(built: Path) -> None:
    text = rocov2.load(built, "text", split="train", streaming=True)
    made = views.multi_hot(text.remove_columns("url"), VOCABULARY)
    assert [row["labels"] for row in made] == [row["labels"] for row in views.multi_hot(text, VOCABULARY)]
    assert made.features["labels"] == datasets.List(datasets.Value("float32"), length=3)


@pytest.mark.parametrize("step", STEPS)
def test_rows_are_chosen_behind_any_step(step: str, stream: Any) -> None:
    for choose in (
        subsets.filter_commercial,
        lambda rows: subsets.filter_region(rows, "chest"),
        lambda rows: subsets.split_by_article(rows)["train"],
    ):
        expected = [row["image_id"] for row in choose(stream).select_columns(["image_id"])]
        assert 0 < len(expected) < 24
        assert [row["image_id"] for row in choose(STEPS[step](stream))] == expected


def test_a_stream_stands_where_it_stopped(stream: Any) -> None:
    rows = subsets.filter_commercial(undecoded(stream).remove_columns("url"))
    made = views.captioning(rows, clean=True)
    given = list(made)
    rows_one_by_one = iter(made)
    for _ in range(5):
        next(rows_one_by_one)
    state = made.state_dict()
    again = views.captioning(rows, clean=True)
    again.load_state_dict(state)
    assert list(again) == given[5:]
