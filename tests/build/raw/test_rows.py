"""The joined rows: labels, names, licences, and every problem and warning that a row can have, each alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rocov2 import DIRECTIONS, LICENSES, MODALITIES, REGIONS, SPLITS, TEXT_FEATURES
from rocov2_build.raw.archives import Images
from rocov2_build.raw.problems import Problem, Report
from rocov2_build.raw.releases import RELEASES, Release
from rocov2_build.raw.rows import ROW_COLUMNS, join_tables
from rocov2_build.raw.tables import Source, SplitTables, Tables
from rocov2_build.worker.member import Member

ID = "ROCOv2_2023_train_000001"
NAMES = {"C0040405": "X-Ray Computed Tomography", "C0000001": "one", "C0000002": "two"}
CT, XRAY, CHEST, SPINE, AP, PA = "C0040405", "C1306645", "C0817096", "C0037949", "C1999039", "C1996865"
SOURCES = "license_information.csv"
ANY_LICENSE = ", ".join(LICENSES) + ", then whom to credit"


def row(**changes: Any) -> dict[str, Any]:
    """One image in the release's terms, without fault or warning, but for the changes."""
    plain = {
        "split": "train",
        "id": ID,
        "caption": "A chest.",
        "cuis": [CT, "C0000001"],
        "manual": [CT],
        "pmcid": "PMC1",
        "attribution": "CC BY Doe et al. (2020)",
        "link": "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1",
        "names": NAMES,
    }
    return plain | changes


def article(split: str, number: int, pmcid: str) -> dict[str, Any]:
    """An image of an article."""
    return row(split=split, id=f"ROCOv2_2023_{SPLITS[split]}_{number:06}", pmcid=pmcid, link=f"https://x.org/{pmcid}")


def join(*images: dict[str, Any], release: Release | None = None) -> tuple[pd.DataFrame, Report]:
    """The rows of these images, and the report."""
    splits = {split: SplitTables({}, {}, {}) for split in SPLITS}
    sources = {}
    archives: dict[str, Images] = {split: Images(Path(f"{split}.zip"), {}, "", 0) for split in SPLITS}
    for image in images:
        part = splits[image["split"]]
        part.captions[image["id"]] = image["caption"]
        part.concepts[image["id"]] = image["cuis"]
        part.manual[image["id"]] = image["manual"]
        sources[image["id"]] = Source(image["pmcid"], image["attribution"], image["link"])
        archives[image["split"]].members[image["id"]] = Member("", 0, 1, 1, 0, 0)
    report = Report()
    names = images[0]["names"] if images else {}
    return join_tables(Tables(splits, sources, names), archives, release, report), report


def only(rows: pd.DataFrame) -> dict[str, Any]:
    """The one row as a dictionary."""
    assert len(rows) == 1
    return {column: rows.iloc[0][column] for column in rows.columns}


def test_columns() -> None:
    assert [*ROW_COLUMNS, "width", "height"] == ["split", *TEXT_FEATURES]


def test_a_plain_row() -> None:
    rows, report = join(row())
    assert list(rows.columns) == ROW_COLUMNS
    assert only(rows) == {
        "split": "train",
        "image_id": ID,
        "caption": "A chest.",
        "cuis": [CT, "C0000001"],
        "modality": 0,
        "concept_names": ["X-Ray Computed Tomography", "one"],
        "manual_cuis": [CT],
        "region": None,
        "direction": None,
        "license": "CC BY",
        "attribution": "Doe et al. (2020)",
        "pmcid": "PMC1",
        "url": "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1",
        "article_in_other_split": False,
    }
    assert report == Report()


def test_no_rows() -> None:
    rows, report = join()
    assert list(rows.columns) == ROW_COLUMNS
    assert len(rows) == 0
    assert report == Report()


@pytest.mark.parametrize("name", MODALITIES)
def test_modalities(name: str) -> None:
    codes = [code] if (code := MODALITIES[name]) else []
    rows, report = join(row(cuis=[*codes, "C0000001"], manual=codes))
    assert only(rows)["modality"] == list(MODALITIES).index(name)
    assert (only(rows)["region"], only(rows)["direction"]) == (None, None)
    assert report.problems == []


@pytest.mark.parametrize(
    ("column", "labels", "name"),
    [("region", REGIONS, name) for name in REGIONS] + [("direction", DIRECTIONS, name) for name in DIRECTIONS],
)
def test_regions_and_directions(column: str, labels: dict[str, str], name: str) -> None:
    codes = [XRAY, labels[name]]
    rows, report = join(row(cuis=codes, manual=codes, names=dict.fromkeys(codes, "x")))
    labelled = {"region": None, "direction": None, "modality": 1} | {column: list(labels).index(name)}
    assert {column: only(rows)[column] for column in labelled} == labelled
    assert report == Report()


def test_region_and_direction_together() -> None:
    codes = [XRAY, AP, CHEST]
    rows, report = join(row(cuis=codes, manual=codes, names=dict.fromkeys(codes, "x")))
    assert (only(rows)["modality"], only(rows)["region"], only(rows)["direction"]) == (1, 0, 0)
    assert report == Report()


def test_concept_names() -> None:
    rows, report = join(row(cuis=["C0000002", "C0000009", "C0000001", "C0000008"], manual=[]))
    assert only(rows)["concept_names"] == ["two", "C0000009", "one", "C0000008"]
    assert report.warnings == {"cui-without-name": 2}


def test_an_unnamed_concept_counts_once() -> None:
    _, report = join(*(article("train", number, "PMC1") | {"cuis": [CT, "C0000009"]} for number in range(3)))
    assert report.warnings == {"cui-without-name": 1}


@pytest.mark.parametrize("caption", ["NA", "nan", " x ", "two\r\nlines", "null", "."])
def test_captions_stay(caption: str) -> None:
    rows, report = join(row(caption=caption))
    assert only(rows)["caption"] == caption
    assert report.problems == []


@pytest.mark.parametrize(
    ("attribution", "license", "credit"),
    [
        *((f"{name} Müller et al. (2022)", name, "Müller et al. (2022)") for name in LICENSES),
        ("CC BY-NC X", "CC BY-NC", "X"),
        ("CC BY  X et al. ", "CC BY", "X et al. "),
        ("CC BY two\nlines", "CC BY", "two\nlines"),
    ],
)
def test_licenses(attribution: str, license: str, credit: str) -> None:
    rows, report = join(row(attribution=attribution))
    assert (only(rows)["license"], only(rows)["attribution"]) == (license, credit)
    assert report.problems == []


UNKNOWN_LICENSES = [
    *(
        "",
        "CC BY",
        "CC BY ",
        " CC BY X",
        "CC BYX",
        "CC BY-ND Doe (2020)",
        "CC BY-NC-SA Doe (2020)",
        "CC BY-SA X",
        "CC BY NC Doe",
        "CC BY ND Doe",
    ),
    *("CC-BY X", "cc by X", "CC0 X", "Doe et al. (2020)", "MITX Y", "Apache-2x0 Y"),
]


@pytest.mark.parametrize("attribution", UNKNOWN_LICENSES)
def test_unknown_licenses(attribution: str) -> None:
    rows, report = join(row(attribution=attribution))
    assert report.problems == [Problem("unknown-license", SOURCES, ID, ANY_LICENSE, repr(attribution))]
    assert len(rows) == 1


def test_a_release_knows_its_own_licenses_alone() -> None:
    _, report = join(row(attribution="MIT Doe"), release=RELEASES["2.0.1"])
    expected = "CC BY, CC BY-NC, then whom to credit"
    assert report.problems == [Problem("unknown-license", SOURCES, ID, expected, "'MIT Doe'")]


ALL, MANUAL = "concepts", "concepts_manual"
CUI_FORM = "C and seven digits"
FAULTS: list[tuple[dict[str, Any], list[tuple[str, str, str, str]]]] = [
    ({"caption": ""}, [("empty-caption", "captions", "a caption", "''")]),
    ({"caption": " \r\n"}, [("empty-caption", "captions", "a caption", "' \\r\\n'")]),
    ({"cuis": [CT, "C12345678", "x"]}, [("malformed-cui", ALL, CUI_FORM, "'C12345678'")]),
    ({"cuis": [CT, ""]}, [("malformed-cui", ALL, CUI_FORM, "''")]),
    ({"cuis": [CT, " C0000001"]}, [("malformed-cui", ALL, CUI_FORM, "' C0000001'")]),
    (
        {"cuis": [CT, "c0000001"], "manual": [CT, "nan"]},
        [("malformed-cui", ALL, CUI_FORM, "'c0000001'"), ("malformed-cui", MANUAL, CUI_FORM, "'nan'")],
    ),
    ({"cuis": [], "manual": []}, [("empty-concepts", ALL, "at least one concept", "none")]),
    ({"manual": [CT, "C0002978"]}, [("two-modalities", MANUAL, "one modality", "C0040405;C0002978")]),
    ({"manual": ["C0817096"]}, [("no-modality", MANUAL, "a modality, or an empty list", "C0817096")]),
    ({"manual": [CT, "C0000001"]}, [("unknown-manual-code", MANUAL, "one of 18 codes", "C0000001")]),
]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(("changes", "problems"), FAULTS)
def test_problems(split: str, changes: dict[str, Any], problems: list[tuple[str, str, str, str]]) -> None:
    raw_split = SPLITS[split]
    image_id = f"ROCOv2_2023_{raw_split}_000001"
    rows, report = join(row(split=split, id=image_id, **changes))
    assert report.problems == [
        Problem(code, f"{raw_split}_{file}.csv", image_id, expected, found) for code, file, expected, found in problems
    ]
    assert list(rows["image_id"]) == [image_id]


@pytest.mark.parametrize(
    ("changes", "expected", "found"),
    [
        ({"pmcid": "1"}, "PMC and digits", "'1'"),
        ({"pmcid": ""}, "PMC and digits", "''"),
        ({"pmcid": "PMC1 "}, "PMC and digits", "'PMC1 '"),
        ({"pmcid": "PMC١"}, "PMC and digits", "'PMC١'"),
        ({"link": ""}, "a link to PMC1", "''"),
        ({"link": "https://x.org/PMC12"}, "a link to PMC1", "'https://x.org/PMC12'"),
        ({"link": "https://x.org/APMC1"}, "a link to PMC1", "'https://x.org/APMC1'"),
        ({"link": "javascript:/PMC1"}, "a link to PMC1", "'javascript:/PMC1'"),
    ],
)
def test_bad_sources(changes: dict[str, str], expected: str, found: str) -> None:
    _, report = join(row(**changes))
    assert report.problems == [Problem("bad-source", SOURCES, ID, expected, found)]


@pytest.mark.parametrize("link", ["http://x.org/PMC1", "https://x.org/PMC1/"])
def test_good_sources(link: str) -> None:
    rows, report = join(row(link=link))
    assert only(rows)["url"] == link
    assert report == Report()


@pytest.mark.parametrize(
    ("codes", "manual", "warning", "labels"),
    [
        ([CT, "C0000001", "C0000001"], [CT], "repeated-cui", (0, None, None)),
        ([CT], [], None, (6, None, None)),
        ([XRAY, CHEST, SPINE], [XRAY, CHEST, SPINE], "two-regions", (1, 0, None)),
        ([XRAY, SPINE, CHEST], [XRAY, SPINE, CHEST], "two-regions", (1, 6, None)),
        ([XRAY, PA, AP], [XRAY, PA, AP], "two-directions", (1, None, 1)),
        ([CT, CHEST], [CT, CHEST], "region-without-xray", (0, 0, None)),
        ([CT, AP], [CT, AP], "region-without-xray", (0, None, 0)),
        (["C0000001", CT], [CT], "manual-not-first", (0, None, None)),
        (["C0000001"], [CT], "manual-not-first", (0, None, None)),
    ],
)
def test_warnings(
    codes: list[str], manual: list[str], warning: str | None, labels: tuple[int, int | None, int | None]
) -> None:
    names = NAMES | dict.fromkeys([XRAY, CHEST, SPINE, AP, PA], "x")
    rows, report = join(row(cuis=codes, manual=manual, names=names))
    assert report.problems == []
    assert report.warnings == ({warning: 1} if warning else {})
    kept = only(rows)
    assert (kept["modality"], kept["region"], kept["direction"]) == labels
    assert (kept["cuis"], kept["manual_cuis"]) == (codes, manual)


def test_article_in_other_split() -> None:
    rows, report = join(
        article("train", 1, "PMC1"),
        article("train", 2, "PMC1"),
        article("train", 3, "PMC2"),
        article("train", 4, "PMC2"),
        article("test", 1, "PMC1"),
        article("validation", 1, "PMC3"),
        article("test", 2, "PMC11"),
    )
    assert rows[["split", "pmcid", "article_in_other_split"]].to_numpy().tolist() == [
        ["train", "PMC1", True],
        ["train", "PMC1", True],
        ["train", "PMC2", False],
        ["train", "PMC2", False],
        ["validation", "PMC3", False],
        ["test", "PMC1", True],
        ["test", "PMC11", False],
    ]
    assert report.warnings == {"article-in-two-splits": 3}


def test_rows_stand_in_the_order_of_the_captions_and_in_every_table() -> None:
    ids = [f"ROCOv2_2023_train_{number:06}" for number in (5, 3, 9, 1, 7)]
    splits = {split: SplitTables({}, {}, {}) for split in SPLITS}
    part = splits["train"]
    sources = {}
    images = {split: Images(Path(), {}, "", 0) for split in SPLITS}
    for image_id in ids:
        part.captions[image_id] = "x"
    for image_id in sorted(ids):
        part.concepts[image_id] = part.manual[image_id] = [CT]
        sources[image_id] = Source("PMC1", "CC BY X", "http://x/PMC1")
        images["train"].members[image_id] = Member("", 0, 1, 1, 0, 0)
    del part.concepts[ids[0]], part.manual[ids[1]], sources[ids[2]]
    report = Report()
    rows = join_tables(Tables(splits, sources, NAMES), images, None, report)
    assert list(rows["image_id"]) == [ids[3], ids[4]]
    del images["train"].members[ids[4]]
    assert list(join_tables(Tables(splits, sources, NAMES), images, None, report)["image_id"]) == [ids[3]]
    assert report == Report()


def test_labels_are_python_integers_or_none() -> None:
    rows, _ = join(row(), article("test", 1, "PMC5") | {"cuis": [XRAY, CHEST], "manual": [XRAY, CHEST]})
    found: list[Callable[..., object]] = [type(value) for column in ("modality", "region") for value in rows[column]]
    assert found == [int, int, type(None), int]
