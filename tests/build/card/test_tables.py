"""The tables of numbers: what facts.json holds, and before a build what is published."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import rocov2
from rocov2_build.card.contents import Picture
from rocov2_build.card.statistics import describe_articles, published_statistics, statistics_block
from rocov2_build.card.tables import head_table, overlap_block
from tests.build.facts.test_compute import seven_images


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seven_images().build(tmp_path_factory.mktemp("statistics") / "rocov2")


@pytest.fixture
def facts(built: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((built / "facts.json").read_bytes())
    return facts


def test_statistics_of_a_repository(facts: dict[str, Any]) -> None:
    block = statistics_block(facts)
    for line in (
        "| column | value | train | validation | test |",
        "| `modality` | CT | 1 (33.3 %) | 1 (50.0 %) | 0 |",
        "| `region` of X-rays | chest | 1 (100.0 %) | 0 | 0 |",
        "| `region` of X-rays | none | 0 | 0 | 1 (100.0 %) |",
        "| `direction` of X-rays | sagittal | 0 | 0 | 1 (100.0 %) |",
        "Shares of regions and directions are shares of the split's X-rays: only these have such labels.",
        "| words of a caption | 1 | 1 | 3 | 2.71 | 4 | 4 |",
        "| characters of a caption | 5 | 5 | 13 | 11.71 | 15 | 15 |",
        "| concepts of an image | 1 | 1 | 2 | 1.86 | 3 | 3 |",
        "| of them curated | 0 | 0 | 1 | 1.29 | 3 | 3 |",
        "| width in pixels | 64 | 64 | 280 | 226.86 | 300 | 300 |",
        "| images of an article | 1 | 1 | 2 | 1.75 | 2 | 2 |",
        "9 different concepts occur; counted by the images that have them, 5 in at most 1, 9 in at most 10, "
        "9 in at most 100. 2 have no name in the release. 1 of those in validation do not occur in train. "
        "3 of those in test do not occur in train.",
        "| Radionuclide Imaging (C0034606) | 0 | 1 | 1 |",
        "| C1266909 (C1266909) | 1 | 0 | 0 |",
        "Modes of the JPEGs: L 5, RGB 2.",
        "The commonest concepts besides modalities, regions and directions, of the 9 commonest of all:",
        "The images come from 4 articles (2 in train, 2 in validation, 1 in test); 1 of these has one image here, 0 have 10 "
        "or more. By the year in `attribution` all are of 2020. The release does not name the journals; `pmcid` leads to "
        "them.",
    ):
        assert line in block.splitlines(), line
    assert "Plain x-ray" not in block  # a label, and in the table of labels


def test_charts_stand_in_pairs_below_a_heading(facts: dict[str, Any]) -> None:
    names = ["sizes", "modalities", "regions", "years", "captions", "together"]
    block = statistics_block(facts, [Picture(f"assets/{name}.png", f'"{name}" <b>') for name in names])
    parts = {part.partition("\n")[0]: part for part in block.split("### ")}
    found = {
        heading: re.findall(r'<img src="assets/(\w+).png" alt="(.*?)" width="360">', parts[heading])
        for heading in parts
    }
    assert {heading: [name for name, _ in pictures] for heading, pictures in found.items() if pictures} == {
        "Modality, region and direction": ["modalities", "regions"],
        "Captions and concepts per image": ["captions"],
        "Concepts": ["together"],
        "Pictures and articles": ["sizes", "years"],
    }
    assert found["Captions and concepts per image"][0][1] == "&quot;captions&quot; &lt;b&gt;"


def test_the_head_of_each_split_beside_the_whole() -> None:
    head = {
        "rows": 5_996,
        "license": {"value": "CC BY", "head": 0.8, "split": 0.73},
        "modality": {"value": "CT", "head": 0.35, "split": 0.341},
        "article_in_other_split": {"value": False, "head": 0.9, "split": 0.85},
    }
    assert head_table({"head": {"train": head}}).splitlines() == [
        "| first tenth of | rows | licence | modality | article in another split |",
        "| --- | --- | --- | --- | --- |",
        "| train | 5,996 | CC BY 80.0 % instead of 73.0 % | CT 35.0 % instead of 34.1 % | 10.0 % instead of 15.0 % |",
    ]


def test_years_without_a_year() -> None:
    articles = {
        "articles": {"train": 3, "all": 3},
        "histogram": {"from": [1, 2], "articles": [1, 2]},
        "years": {"2001": {"train": 1}, "2019": {"train": 4}, "2021": {"train": 2}, "unknown": {"train": 1}},
    }
    assert describe_articles(articles) == (
        "The images come from 3 articles (3 in train); 1 of these has one image here, 2 have 2 or more. By the year in "
        "`attribution` they are of 2001 to 2021, and half of the images are of 2019 or later (1 image without a year). The "
        "release does not name the journals; `pmcid` leads to them."
    )
    assert "No attribution names a year." in describe_articles(articles | {"years": {"unknown": {"train": 8}}})


def test_overlaps_of_a_repository(facts: dict[str, Any]) -> None:
    head, _, *rows, _, about = overlap_block(facts).splitlines()
    assert head == "| images of ... | the same article | the same bytes | look alike (candidates) | the same caption |"
    assert rows == [
        "| train with others of train | 2 | 2 | 0 | 2 |",
        "| validation with others of validation | 0 | 0 | 0 | 0 |",
        "| test with others of test | 2 | 0 | 0 | 0 |",
        "| train with some of validation | 1 | 0 | 1 | 2 |",
        "| train with some of test | 0 | 2 | 0 | 0 |",
        "| validation with some of train | 1 | 0 | 1 | 1 |",
        "| validation with some of test | 0 | 1 | 0 | 0 |",
        "| test with some of train | 0 | 1 | 0 | 0 |",
        "| test with some of validation | 0 | 1 | 0 | 0 |",
    ]
    assert "Images without structure are left out (2)." in about


def test_what_was_not_computed_is_no_number(facts: dict[str, Any]) -> None:
    facts["duplicates"]["near"] = None
    block = overlap_block(facts)
    assert "| train with others of train | 2 | 2 | not computed | 2 |" in block
    assert "were not computed" in block


def test_a_bar_in_a_name_ends_no_cell(facts: dict[str, Any]) -> None:
    facts["concepts"]["commonest"][0]["name"] = "a|b"
    assert "| a\\|b (C0034606) | 0 | 1 | 1 |" in statistics_block(facts)


def test_one_split_alone(tmp_path: Path) -> None:
    repository = seven_images().build(tmp_path / "rocov2", splits=("test",))
    facts = json.loads((repository / "facts.json").read_bytes())
    assert "| `modality` | CT | 0 |" in statistics_block(facts)
    rows = [line for line in overlap_block(facts).splitlines() if line.startswith("| test")]
    assert rows == ["| test with others of test | 2 | 0 | 0 | 0 |"]


def test_the_published_numbers() -> None:
    block = published_statistics()
    for line in (
        "| column | images in train |",
        "| `modality` | CT 20,459 (34.1 %), X-ray 16,603 (27.7 %), MRI 9,790 (16.3 %), ultrasound 8,305 (13.9 %), "
        "angiography 3,958 (6.6 %), PET 350 (0.6 %), combined 493 (0.8 %) |",
        "| `direction` of X-rays | AP 7,111 (42.8 %), PA 3,393 (20.4 %), sagittal 1,868 (11.3 %), transverse 29 (0.2 %) |",
    ):
        assert line in block.splitlines(), line
    assert "3.41 in test (33,874 in all)" in block


def test_a_column_of_labels_that_the_release_did_not_count_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    before = published_statistics()
    monkeypatch.setitem(rocov2.LABELS, "laterality", {"left": "C0205091", "right": "C0205090"})
    assert published_statistics() == before


def test_the_built_card_shows_them(built: Path, facts: dict[str, Any]) -> None:
    card = (built / "README.md").read_text()
    assert statistics_block(facts) in card
    assert overlap_block(facts) in card
    assert "docs/facts.md" not in card
