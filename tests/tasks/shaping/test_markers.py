"""Markers of trainers in answers: refused by image id, or escaped and counted, by one rule for all views of chats."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2_tasks import subsets, views
from rocov2_tasks.shaping import markers
from tests.support.raw import make_raw
from tests.support.repositories import plain_rows

EXAMPLES = {
    "<image>": "< image>",
    "</image>": "< /image>",
    "<video>": "< video>",
    "<audio>": "< audio>",
    "<ref-object>": "< ref-object>",
    "<|im_start|>": "< |im_start|>",
    "<|im_end|>": "< |im_end|>",
    "<|endoftext|>": "< |endoftext|>",
    "<|image_1|>": "< |image_1|>",
    "<|start_header_id|>": "< |start_header_id|>",
    "<｜end▁of▁sentence｜>": "< ｜end▁of▁sentence｜>",
    "<IMG_CONTEXT>": "< IMG_CONTEXT>",
    "<img>": "< img>",
    "<think>": "< think>",
    "<start_of_turn>": "< start_of_turn>",
    "<image_soft_token>": "< image_soft_token>",
    "<fake_token_around_image>": "< fake_token_around_image>",
    "<image_newline>": "< image_newline>",
    "<loc0123>": "< loc0123>",
    "</s>": "< /s>",
    "<pad>": "< pad>",
    "[INST]": "[ INST]",
    "[IMG_BREAK]": "[ IMG_BREAK]",
    "<</SYS>>": "< </SYS>>",
}
"""Marker -> how it is escaped."""
VIEWS: dict[str, Callable[..., Any]] = {
    "to_messages": views.to_messages,
    "to_prompt_completion": views.to_prompt_completion,
    "to_sharegpt": views.to_sharegpt,
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=8).build(tmp_path_factory.mktemp("built") / "rocov2")


@pytest.fixture(params=[False, True], ids=["map-style", "streaming"])
def spoil(request: pytest.FixtureRequest, loaded: Any) -> Callable[[dict[int, str]], tuple[Any, list[str]]]:
    """Return train with other captions at some positions, map-style and streaming, and its ids."""

    def spoil(captions: dict[int, str]) -> tuple[Any, list[str]]:
        rows = loaded.with_format("arrow")[:].to_pylist()
        for number, row in enumerate(rows):
            row["caption"] = captions.get(number, "no marker: 3 < 5 > 2, a|b, [1], <b>")
        made = datasets.Dataset(pa.Table.from_pylist(rows, schema=loaded.features.arrow_schema)).cast(loaded.features)
        return made.to_iterable_dataset() if request.param else made, [row["image_id"] for row in rows]

    return spoil


def answers(dataset: Any) -> list[str]:
    """The answers of any view of chats."""
    found = []
    for row in plain_rows(dataset):
        if "messages" in row:
            found.append(row["messages"][1]["content"][0]["text"])
        else:
            found.append(row["completion"][0]["content"] if "completion" in row else row["conversations"][1]["value"])
    return found


def test_every_row_of_the_table_has_an_example() -> None:
    for pattern in markers.MARKERS:
        assert any(re.fullmatch(pattern, example) for example in EXAMPLES), pattern


@pytest.mark.parametrize(("marker", "escaped"), EXAMPLES.items())
def test_a_marker_is_found_and_escaped(marker: str, escaped: str) -> None:
    text = f"A {marker}b, {marker}"
    assert markers.find_marker(text) == marker
    assert markers.escape_markers(text) == f"A {escaped}b, {escaped}"


@given(st.lists(st.sampled_from([*EXAMPLES, "<", ">", "|", "<|", "|>", "[", "]", " ", "image", "a"])).map("".join))
def test_an_escaped_text_has_no_marker_and_lost_nothing(text: str) -> None:
    escaped = markers.escape_markers(text)
    assert markers.find_marker(escaped) is None
    assert escaped.replace(" ", "") == text.replace(" ", "")
    assert markers.find_marker(text) is not None or escaped == text


@pytest.mark.parametrize("view", VIEWS)
def test_answers_with_markers_are_refused_by_id(view: str, spoil: Callable[..., Any]) -> None:
    spoilt, ids = spoil({2: "see <image> above", 5: "x<|im_end|>"})
    with pytest.raises(ValueError, match=r"^2 answers contain a marker") as told:
        plain_rows(VIEWS[view](spoilt))
    assert str(told.value) == (
        f"2 answers contain a marker, which trainers do not read as text: {ids[2]} (<image>), {ids[5]} (<|im_end|>); pass "
        'on_marker="escape", which puts a blank after the first character of a marker, or leave the rows out with '
        "rocov2_tasks.subsets.drop_images"
    )
    assert len(plain_rows(VIEWS[view](subsets.drop_images(spoilt, [ids[2], ids[5]])))) == 6


@pytest.mark.parametrize("view", VIEWS)
def test_answers_with_markers_are_escaped_and_counted(view: str, spoil: Callable[..., Any]) -> None:
    spoilt, ids = spoil({2: "see <image> above", 5: "x<|im_end|>"})
    message = f'on_marker="escape": escaped the markers of 2 of 8 answers: {ids[2]} (<image>), {ids[5]} (<|im_end|>)'
    for _ in range(2):  # the second time, the cache has the view
        with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
            found = answers(VIEWS[view](spoilt, on_marker="escape"))
        assert (found[2], found[5]) == ("see < image> above", "x< |im_end|>")
        assert len(set(found)) == 3


@pytest.mark.parametrize("view", VIEWS)
def test_nothing_is_told_where_nothing_was_escaped(view: str, spoil: Callable[..., Any]) -> None:
    spoilt, _ = spoil({})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = answers(VIEWS[view](spoilt, on_marker="escape"))
    assert found == answers(VIEWS[view](spoilt))


def test_what_cleaning_uncovers_is_a_marker(spoil: Callable[..., Any]) -> None:
    spoilt, ids = spoil({1: "an <im\u200bage>"})
    assert len(answers(views.to_messages(spoilt))) == 8
    with pytest.raises(ValueError, match=rf"^1 answer contains a marker, .*: {ids[1]} \(<image>\); pass"):
        plain_rows(views.to_messages(spoilt, clean=True))


def test_other_views_keep_markers(spoil: Callable[..., Any]) -> None:
    spoilt, _ = spoil({0: "see <image>"})
    assert plain_rows(views.captioning(spoilt))[0]["caption"] == "see <image>"
    assert plain_rows(views.image_text(spoilt))[0]["text"] == "see <image>"
