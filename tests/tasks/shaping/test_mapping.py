"""Columns and rows made without decoding: of streams that are Python values, past the cache, of any dictionary of splits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pytest

import rocov2
from rocov2_tasks import subsets, views
from rocov2_tasks.shaping.fingerprint import list_sources
from tests.conftest import PROJECT
from tests.support.raw import make_raw
from tests.support.repositories import images_by_id, plain_rows

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
    "multi_task": lambda stream: views.multi_task(stream, VOCABULARY),
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


@pytest.fixture
def first_caption(built: Path, tmp_path: Path, environment: dict[str, str]) -> Callable[[], str]:
    """Return the first caption that the copy of the project in `tmp_path` makes, in a process of its own."""
    package = tmp_path / "rocov2_tasks"
    shutil.copytree(PROJECT / "rocov2_tasks", package, ignore=shutil.ignore_patterns("__pycache__"))
    program = (
        "import sys, rocov2\n"
        "from rocov2_tasks import views\n"
        "made = views.captioning(rocov2.load(sys.argv[1], split='train'), clean=True)\n"
        "print(views.__file__, made[0]['caption'])\n"
    )

    def run() -> str:
        settings = environment | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
        command = [sys.executable, "-c", program, str(built)]
        done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, text=True, check=True)
        file, _, caption = done.stdout.partition(" ")
        assert file == str(package / "views.py")
        return caption

    return run


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


@pytest.mark.slow
def test_the_cache_gives_nothing_that_older_code_made(first_caption: Callable[[], str], tmp_path: Path) -> None:
    before = first_caption()
    shapes = tmp_path / "rocov2_tasks" / "shaping" / "shapes.py"
    edit(shapes, "return [clean_caption(text) for", "return [clean_caption(text).upper() for")
    assert first_caption() == before.upper() != before


@pytest.mark.slow
def test_the_cache_gives_nothing_that_older_code_of_a_new_module_made(
    first_caption: Callable[[], str], tmp_path: Path
) -> None:
    shaping = tmp_path / "rocov2_tasks" / "shaping"
    (shaping / "style.py").write_text("change = str.lower\n")
    edit(shaping / "shapes.py", "return [clean_caption(text) for", "return [change(clean_caption(text)) for")
    edit(shaping / "shapes.py", "import pyarrow as pa\n", "import pyarrow as pa\n\nfrom .style import change\n")
    before = first_caption()
    edit(shaping / "style.py", "lower", "upper")
    assert first_caption() == before.upper() != before


@pytest.mark.slow
def test_the_fingerprint_covers_every_module_that_a_view_imports(environment: dict[str, str]) -> None:
    program = (
        "import sys\n"
        "from rocov2_tasks import subsets, views\n"
        "print(*(file for module in list(sys.modules.values()) if (file := getattr(module, '__file__', None))), sep='\\n')\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)
    environments = Path(sys.prefix), PROJECT / ".venv"
    ours = {
        path
        for path in map(Path, done.stdout.splitlines())
        if path.is_relative_to(PROJECT) and not any(path.is_relative_to(folder) for folder in environments)
    }
    assert {PROJECT / "rocov2.py", PROJECT / "rocov2_tasks" / "arguments.py"} < ours
    assert ours <= set(list_sources())


def test_a_stream_of_rows_keeps_plain_captions(stream: Any) -> None:
    rows = undecoded(stream).remove_columns("url")
    assert list(views.captioning(rows)) == list(views.captioning(undecoded(stream)))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_plain_dictionary_of_splits_becomes_one_of_datasets(streaming: bool, built: Path, tmp_path: Path) -> None:
    train = rocov2.load(built, split="train", streaming=streaming, cache_dir=str(tmp_path))
    made = views.image_text({"train": train, "again": train})
    assert type(made) is (datasets.IterableDatasetDict if streaming else datasets.DatasetDict)
    assert plain_rows(made["again"]) == plain_rows(views.image_text(train))
