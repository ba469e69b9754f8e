"""The page without a browser: which page a step leads to, and what stands above the cards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("gradio")

from rocov2_tasks.explorer.address import View
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from rocov2_tasks.explorer.packages import need
from rocov2_tasks.explorer.page import Explorer, _opener, _with_errors, make_page, summary_line
from tests.support.raw import make_raw

gr = need("gradio")
EMPTY: list[Any] = ["", [], [], [], [], [], False]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return Collection(make_raw(train=40, valid=8, test=8).build(tmp_path_factory.mktemp("page") / "rocov2"))


@pytest.fixture
def explorer(collection: Collection) -> Explorer:
    return Explorer(collection)


Step = Callable[..., tuple[Any, ...]]


@pytest.mark.parametrize(
    ("move", "number", "page"),
    [
        (lambda explorer, *values: explorer.step(1, *values), 1, 4),
        (lambda explorer, *values: explorer.step(-1, *values), 1, 2),
        (Explorer.go, 2, 2),
        (Explorer.go, 0, 1),
        (Explorer.go, -9, 1),
        (Explorer.go, 10**30, 5),
        (Explorer.go, None, 3),
        (Explorer.search, 3, 1),
    ],
)
def test_a_step_leads_on_from_what_is_shown(explorer: Explorer, move: Step, number: int | None, page: int) -> None:
    shown = View(Filter(), 3)
    found, _, at, _, _, query, view = move(explorer, shown, number, 12, *EMPTY)
    assert (at, view) == (page, View(Filter(), page))
    assert f"page {page} of 5" in found
    assert query == ("" if page == 1 else f"?at={page}")


@pytest.mark.parametrize("move", [lambda explorer, *values: explorer.step(1, *values), Explorer.go])
@pytest.mark.parametrize("shown", [None, View(Filter(), 3), View(Filter(text="*e*"), 2, 24)])
def test_other_fields_begin_at_their_first_page(explorer: Explorer, move: Step, shown: View | None) -> None:
    assert move(explorer, shown, 2, 12, "*e*", *EMPTY[1:])[-1] == View(Filter(text="*e*"), 1)


def test_any_page_is_one_of_them(explorer: Explorer) -> None:
    pages = {explorer.any(None, 1, 12, *EMPTY)[2] for _ in range(60)}
    assert pages <= {1, 2, 3, 4, 5}
    assert len(pages) > 1


def test_a_link_gives_the_fields_and_what_they_show(explorer: Explorer) -> None:
    per_page, *given = explorer.open("?modality=CT&per_page=24&at=9")
    assert (per_page, given[:7]) == (24, ["", [], ["CT"], [], [], [], False])
    assert given[-1].filter == Filter(modalities=("CT",))


def test_a_field_without_choices_says_so(tmp_path: Path, collection: Collection) -> None:
    release = make_raw(train=4, valid=4, test=4)
    for image in (image for images in release.splits.values() for image in images):
        image.region = image.direction = None
        image.manual = image.manual[:1] if image.modality != "combined" else []
        image.cuis = [*image.manual, "C0034606"]
    empty = Collection(release.build(tmp_path / "rocov2"))
    for shown, there in ((empty, False), (collection, True)):
        fields = {block.elem_id: block for block in make_page(shown).blocks.values() if getattr(block, "elem_id", None)}
        assert fields["region"].interactive is there
        assert fields["region"].info == (None if there else "none in this repository")
        assert fields["modality"].interactive


def test_the_dataset_is_summarized_in_a_line(collection: Collection) -> None:
    line = summary_line(collection)
    assert line.startswith("<p>rocov2 · 56 images (train 40, validation 8, test 8) · ")
    assert "not for diagnosis" in line
    hub: Any = SimpleNamespace(name="o/<b>", url="https://huggingface.co/datasets/o/<b>", counts={"test": 4_000})
    assert '<a href="https://huggingface.co/datasets/o/&lt;b&gt;" target' in summary_line(hub)
    assert ">o/&lt;b&gt;</a> · 4,000 images (test 4,000) · " in summary_line(hub)


@pytest.mark.parametrize("name", ["modality", "region", "license", "split", "concept"])
def test_a_link_cannot_put_markup_into_messages(explorer: Explorer, name: str) -> None:
    warnings: list[str] = []
    gradio = SimpleNamespace(Error=gr.Error, Warning=warnings.append)
    shown = _opener(gradio, explorer)(f"?{name}=<img src=x onerror=x()>&text=<b>")
    assert shown[-1].filter == Filter()
    assert warnings == [f"invalid link: this repository has no {name} &#x27;&lt;img src=x onerror=x()&gt;&#x27;"]


def test_a_repository_cannot_put_markup_into_messages() -> None:
    def fail() -> None:
        raise ValueError("<b>x</b> cannot be read")

    with pytest.raises(gr.Error) as error:
        _with_errors(gr, fail)()
    assert error.value.message == "&lt;b&gt;x&lt;/b&gt; cannot be read"
