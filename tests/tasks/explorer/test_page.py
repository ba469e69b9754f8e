"""The page without a browser: what an address shows, what is above the images, and where links lead."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("duckdb")

from rocov2_tasks.explorer.address import View, read_address, write_address
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from rocov2_tasks.explorer.page import show_page, summary_line
from rocov2_tasks.explorer.searching import Explorer
from tests.support.raw import make_raw


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return Collection(make_raw(train=40, valid=8, test=8).build(tmp_path_factory.mktemp("page") / "rocov2"))


@pytest.fixture(scope="module")
def explorer(collection: Collection) -> Explorer:
    return Explorer(collection)


def hrefs(page: str) -> dict[str, str]:
    """Addresses of links by the id of their element."""
    found = re.findall(r'<a [^>]*\bid="([\w-]+)"[^>]* href="([^"]*)"', page)
    return {id: html.unescape(href) for id, href in found}


@pytest.mark.parametrize(
    ("query", "page", "row"),
    [
        ("", 1, 0),
        ("at=3", 3, 0),
        ("at=0", 1, 0),
        ("at=999999999", 5, 0),
        ("view=1", 1, 1),
        ("view=13&at=4", 2, 13),
        ("view=57", 5, 56),
        ("text=nosuchword&view=3&at=2", 1, 0),
    ],
)
def test_an_address_leads_to_the_nearest_page_and_image(explorer: Explorer, query: str, page: int, row: int) -> None:
    found = explorer.open(query)
    assert (found.view.page, found.view.row, found.warning) == (page, row, "")
    assert len(found.rows) == (12 if page < 5 else 8) * (found.count > 0)
    shown = show_page(explorer, found)
    assert f"page {page} of {found.pages}" in shown
    assert f'data-address="{html.escape(write_address(found.view))}"' in shown
    assert (f"{row} of 56</span>" in shown) is bool(row)


def test_links_lead_to_the_pages_beside_and_to_the_images(explorer: Explorer, collection: Collection) -> None:
    links = hrefs(show_page(explorer, explorer.open("modality=X-ray&at=2&per_page=12&commercial=0")))
    assert links["previous"] == links["previous-below"] == "?modality=X-ray"
    assert links["next"] == links["next-below"] == "?modality=X-ray&at=3"
    assert links["random"] == "random?modality=X-ray"
    assert links["csv"] == "ids.csv?modality=X-ray"
    assert links["clear"] == "./"
    assert links["image-13"] == "?modality=X-ray&view=13"
    assert {f"image-{position}" for position in range(13, 25)} <= links.keys()
    enlarged = hrefs(show_page(explorer, explorer.open("modality=X-ray&view=13&per_page=24")))
    assert enlarged["view-prev"] == "?modality=X-ray&per_page=24&view=12"
    assert enlarged["view-close"] == "?modality=X-ray&per_page=24"
    assert enlarged["clear"] == "?per_page=24"
    assert "view-next" not in hrefs(show_page(explorer, explorer.open(f"view={sum(collection.counts.values())}")))


def test_a_concept_and_an_article_lead_to_their_images(explorer: Explorer, collection: Collection) -> None:
    found = explorer.open("text=*e*&concept=C0034606&at=1")
    page = html.unescape(show_page(explorer, found))
    others = {cui for row in found.rows for cui in row["cuis"]} - {"C0034606"}
    assert others
    for cui in others:
        assert f'<li><a href="?text=%2Ae%2A&concept=C0034606&concept={cui}">' in page
    assert '<li><a href="?text=%2Ae%2A&concept=C0034606">' not in page
    pmcid, images = next(item for item in found.articles.items() if item[1] > 1)
    assert f'<a href="?text={pmcid}">{images - 1} other image' in page
    assert collection.count(Filter(text=pmcid)) == images


def test_the_form_sends_what_is_shown(explorer: Explorer) -> None:
    query = (
        "text=%22a%22+e*&concept=C0034606&modality=CT&modality=X-ray&direction=AP&split=test&commercial=1&per_page=24"
    )
    form = show_page(explorer, explorer.open(query))
    form = form[form.index('<form id="filters"') : form.index("</form>")]
    checked = re.findall(r'<input type="checkbox" name="(\w+)" value="([^"]*)"[^>]*? checked>', form)
    assert sorted(checked) == sorted(
        [
            ("concept", "C0034606"),
            ("modality", "CT"),
            ("modality", "X-ray"),
            ("direction", "AP"),
            ("split", "test"),
            ("commercial", "1"),
        ]
    )
    assert 'name="text" value="&quot;a&quot; e*"' in form
    assert '<option value="24" selected>24</option>' in form
    assert '<option value="" selected>default: 56 images</option>' in form


def test_any_page_is_one_of_them(explorer: Explorer) -> None:
    pages = {explorer.random("per_page=12&at=3&view=7").page for _ in range(60)}
    assert pages <= {1, 2, 3, 4, 5}
    assert len(pages) > 1
    assert explorer.random("modality=radar").filter == Filter()


def test_concepts_are_offered_by_name_and_cui_with_the_images_of_the_filter(explorer: Explorer) -> None:
    offered = explorer.offer("modality=CT", "radionuclide IMAGING")
    assert [(cui, name) for cui, name, _ in offered] == [("C0034606", "Radionuclide Imaging")]
    assert offered[0][2] == explorer.collection.count(Filter(modalities=("CT",), cuis=("C0034606",)))
    assert [cui for cui, _, _ in explorer.offer("", "c0497")] == ["C0497156"]
    counts = [count for _, _, count in explorer.offer("", "")]
    assert counts == sorted(counts, reverse=True)
    assert explorer.offer("concept=C0034606", "radionuclide imaging") == []
    assert explorer.offer("modality=radar", "no such concept") == []


def test_each_choice_says_how_many_images_it_would_show(explorer: Explorer, collection: Collection) -> None:
    page = show_page(explorer, explorer.open("modality=CT"))
    for number, choice in enumerate(collection.choices["modalities"]):
        count = collection.count(Filter(modalities=(choice,)))
        assert f'id="modality-count-{number}" data-part>{count}<span class="unseen"> images</span>' in page
    for number, choice in enumerate(collection.choices["splits"]):
        count = collection.count(Filter((choice,), ("CT",)))
        assert f'id="split-count-{number}" data-part>{count}<' in page


def test_a_field_without_choices_says_so(tmp_path: Path, explorer: Explorer) -> None:
    release = make_raw(train=4, valid=4, test=4)
    for image in (image for images in release.splits.values() for image in images):
        image.region = image.direction = None
        image.manual = image.manual[:1] if image.modality != "combined" else []
        image.cuis = [*image.manual, "C0034606"]
    empty = Explorer(Collection(release.build(tmp_path / "rocov2")))
    for shown, missing in ((empty, 2), (explorer, 0)):
        page = show_page(shown, shown.open(""))
        assert page.count("none in this repository") == missing
        assert '<fieldset id="modality"><legend>Modality</legend><label>' in page


def test_the_dataset_is_summarized_in_a_line(collection: Collection) -> None:
    line = summary_line(collection)
    assert line.startswith("<p>rocov2 · 56 images (train 40, validation 8, test 8) · ")
    assert "not for diagnosis" in line
    hub: Any = SimpleNamespace(name="o/<b>", url="https://huggingface.co/datasets/o/<b>", counts={"test": 4_000})
    assert '<a href="https://huggingface.co/datasets/o/&lt;b&gt;" target' in summary_line(hub)
    assert ">o/&lt;b&gt;</a> · 4,000 images (test 4,000) · " in summary_line(hub)


@pytest.mark.parametrize("name", ["modality", "region", "direction", "license", "split", "concept", "config"])
def test_a_link_cannot_put_markup_into_the_page(explorer: Explorer, name: str) -> None:
    found = explorer.open(f"?{name}=<img src=x onerror=x()>&text=<b>")
    assert found.view == View(Filter())
    assert found.warning == f"invalid link: this repository has no {name} '<img src=x onerror=x()>'"
    page = show_page(explorer, found)
    assert "<img src=x" not in page
    assert f"no {name} &#x27;&lt;img src=x onerror=x()&gt;&#x27;</div>" in page
    page = show_page(explorer, explorer.open("text=<img src=x>\"'"))
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x&gt;") == 2


def test_all_links_of_the_page_can_be_read(explorer: Explorer) -> None:
    page = show_page(explorer, explorer.open("modality=CT&text=*e*&per_page=24&view=1"))
    links = {html.unescape(href) for href in re.findall(r' href="([^"]*)"', page)}
    queries = [link.partition("?")[2] for link in links if link[:1] == "?"]
    assert len(queries) > 10
    for query in queries:
        assert read_address(query, {}).filter is not None
        assert explorer.open(query).warning == ""
