"""The release's tables: read exactly, compared with each other, the archives and the published numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rocov2 import SPLITS
from rocov2_build.raw.archives import Images
from rocov2_build.raw.problems import Problem, Report
from rocov2_build.raw.releases import HEADERS, Release
from rocov2_build.raw.tables import Source, Tables, check_release, compare_ids, read_csv, read_mapping, read_tables
from rocov2_build.worker.member import Member
from tests.support.raw import RawRelease, make_raw, write_csv

FILE = "train_captions.csv"
ID = "ROCOv2_2023_train_000001"
OTHER = "ROCOv2_2023_train_000009"
SOURCES = "license_information.csv"


def read(folder: Path, content: bytes, file: str = FILE) -> tuple[list[list[str]], list[Problem]]:
    """Rows and problems of a table with this content."""
    (folder / file).write_bytes(content)
    report = Report()
    return list(read_csv(folder / file, report)), report.problems


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "BOM"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_line_ends_and_byte_order_mark(tmp_path: Path, line_end: str, mark: bytes, last: bool) -> None:
    write_csv(tmp_path / FILE, [["ID", "Caption"], ["a", "Ödem"], ["b", "x, y"]], line_end, last)
    content = (tmp_path / FILE).read_bytes()
    assert read(tmp_path, mark + content) == ([["a", "Ödem"], ["b", "x, y"]], [])


@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
@pytest.mark.parametrize(
    "value",
    ["NA", "null", "None", "nan", "", " x", "x ", "\tx", "a\r\nb", "a\nb", "a\rb", "\n", 'say "a"', '"', "a,b", "'a'"],
)
def test_values_survive(tmp_path: Path, line_end: str, value: str) -> None:
    quoted = value.replace('"', '""')  # by hand: csv.writer leaves a lone CR unquoted
    content = line_end.join(["ID,Caption", f'a,"{quoted}"', "b,after", ""])
    assert read(tmp_path, content.encode()) == ([["a", value], ["b", "after"]], [])


@pytest.mark.parametrize("value", ["NA", "null", "None", " x", "x ", "", "it's 3\" wide"])
def test_unquoted_values_survive(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, f"ID,Caption\r\na,{value}\r\n".encode()) == ([["a", value]], [])


@pytest.mark.parametrize(
    ("content", "rows", "code", "expected", "found"),
    [
        (b"ID,Caption\r\na,\xe4\r\n", [], "bad-csv", "UTF-8", "byte 0xe4 at 14"),
        ("ID,Caption\r\na,ä\r\n".encode("utf-16"), [], "bad-csv", "UTF-8", "byte 0xff at 0"),
        (b"ID,Caption\r\na,b\r\nc,\0\r\n", [], "bad-csv", "text", "a NUL character in line 3"),
        (b'ID,Caption\na,b\nc,"d\n', [["a", "b"]], "bad-csv", "CSV", "unexpected end of data in line 3"),
        (b'ID,Caption\na,"b"c\n', [], "bad-csv", "CSV", "',' expected after '\"' in line 2"),
        (
            b"ID,Caption\na,b\nc," + b"x" * 131_073 + b"\n",
            [["a", "b"]],
            "bad-csv",
            "CSV",
            "field larger than field limit (131072) in line 3",
        ),
        (b"ID,Text\na,b\n", [], "bad-header", "ID,Caption", "ID,Text"),
        (b"id,Caption\na,b\n", [], "bad-header", "ID,Caption", "id,Caption"),
        (b"ID;Caption\na;b\n", [], "bad-header", "ID,Caption", "ID;Caption"),
        (b"", [], "bad-header", "ID,Caption", "an empty file"),
        (b"\n", [], "bad-header", "ID,Caption", "an empty file"),
        (b"ID,Caption\na,b,c\nd,e\n", [["d", "e"]], "bad-csv", "2 fields", "3 in line 2"),
        (b'ID,Caption\nd,"e\nf"\na\n', [["d", "e\nf"]], "bad-csv", "2 fields", "1 in line 4"),
        (b"ID,Caption\na,b\n\nc,d\n", [["a", "b"], ["c", "d"]], "bad-csv", "2 fields", "0 in line 3"),
    ],
)
def test_broken_tables(
    tmp_path: Path, content: bytes, rows: list[list[str]], code: str, expected: str, found: str
) -> None:
    assert read(tmp_path, content) == (rows, [Problem(code, FILE, "", expected, found)])


def test_header_alone(tmp_path: Path) -> None:
    for file, header in HEADERS.items():
        assert read(tmp_path, (",".join(header) + "\r\n").encode(), file) == ([], [])


def test_longest_field(tmp_path: Path) -> None:
    assert read(tmp_path, b"ID,Caption\na," + b"x" * 131_072) == ([["a", "x" * 131_072]], [])


def test_mapping(tmp_path: Path) -> None:
    rows = [["CUI", "Canonical name"], ["C0000002", "b, c"], ["C0000001", " a"]]
    write_csv(tmp_path / "cui_mapping.csv", rows)
    report = Report()
    names = read_mapping(tmp_path, report)
    assert list(names.items()) == [("C0000002", "b, c"), ("C0000001", " a")]
    assert report.problems == []


@pytest.mark.parametrize(
    ("row", "expected", "found"),
    [
        (["C0000001", "again"], "one name", "the CUI twice"),
        (["C000002", "short"], "a CUI and its name", "C000002,short"),
        (["c0000002", "small"], "a CUI and its name", "c0000002,small"),
        (["C٠٠٠٠٠٠٢", "other digits"], "a CUI and its name", "C٠٠٠٠٠٠٢,other digits"),
        (["C0000002", " "], "a CUI and its name", "C0000002, "),
    ],
)
def test_bad_mapping(tmp_path: Path, row: list[str], expected: str, found: str) -> None:
    write_csv(tmp_path / "cui_mapping.csv", [["CUI", "Canonical name"], ["C0000001", "one"], row])
    report = Report()
    assert read_mapping(tmp_path, report) == {"C0000001": "one"}
    assert report.problems == [Problem("bad-mapping", "cui_mapping.csv", row[0], expected, found)]


def test_read_tables_equals_what_was_written(tmp_path: Path) -> None:
    raw = make_raw(20, 6, 6)
    report = Report()
    tables = read_tables(raw.write(tmp_path / "raw"), report)
    assert report == Report()
    for split, raw_split in SPLITS.items():
        images = raw.splits[raw_split]
        part = tables.splits[split]
        assert list(part.captions.items()) == [(image.id, image.caption) for image in images]
        assert list(part.concepts.items()) == [(image.id, image.cuis) for image in images]
        assert list(part.manual.items()) == [(image.id, image.manual) for image in images]
    assert tables.sources == {
        image.id: Source(image.pmcid, image.attribution, image.link)
        for images in raw.splits.values()
        for image in images
    }
    assert tables.names == raw.names


@pytest.mark.parametrize("file", [FILE, "train_concepts.csv", "train_concepts_manual.csv", SOURCES])
@pytest.mark.parametrize(
    ("image_id", "code", "expected", "found"),
    [
        (ID, "duplicate-id", "one row", "several"),
        ("ROCOv2_2023_valid_000099", "id-in-two-splits", "ids of this split", "an id of another split"),
        (f"{ID}.jpg", "bad-id", "ROCOv2_2023_<split>_<six digits>", f"'{ID}.jpg'"),
        ("ROCOv2_2023_train_1", "bad-id", "ROCOv2_2023_<split>_<six digits>", "'ROCOv2_2023_train_1'"),
        ("ROCOv2_2023_validation_000001", "bad-id", "ROCOv2_2023_<split>_<six digits>", None),
        (f" {ID}", "bad-id", "ROCOv2_2023_<split>_<six digits>", f"' {ID}'"),
        ("", "bad-id", "ROCOv2_2023_<split>_<six digits>", "''"),
    ],
)
def test_ids(tmp_path: Path, file: str, image_id: str, code: str, expected: str, found: str | None) -> None:
    raw = make_raw(2, 1, 1).write(tmp_path / "raw")
    before = read_tables(raw, Report())
    row = [image_id, *["x"] * (len(HEADERS[file]) - 1)]
    with (raw / file).open("a", newline="", encoding="utf-8") as table:
        table.write(",".join(row) + "\r\n")
    report = Report()
    after = read_tables(raw, report)
    if code == "id-in-two-splits" and file == SOURCES:  # its table is that of all splits
        assert report.problems == []
        assert after.sources[image_id] == Source("x", "x", "x")
    else:
        assert report.problems == [Problem(code, file, image_id, expected, found or repr(image_id))]
        assert after == before


def test_lists_of_codes_keep_order_and_repeats(tmp_path: Path) -> None:
    release = make_raw(1, 1, 1)
    release.image("train", 0).cuis = ["C0000002", "C0000001", "C0000002"]
    release.image("train", 0).manual = ["", " C0000001"]
    release.image("test", 0).cuis, release.image("test", 0).manual = [], [" "]
    tables = read_tables(release.write(tmp_path / "raw"), Report())
    assert tables.splits["train"].concepts[ID] == ["C0000002", "C0000001", "C0000002"]
    assert tables.splits["train"].manual[ID] == ["", " C0000001"]
    assert list(tables.splits["test"].concepts.values()) == [[]]
    assert list(tables.splits["test"].manual.values()) == [[" "]]


def parts(raw: Path) -> tuple[Tables, dict[str, Images]]:
    """Tables of a small release, and archives that hold exactly the images of its captions."""
    tables = read_tables(make_raw(2, 1, 1).write(raw), Report())
    member = Member("", 0, 1, 1, 0, 0)
    images = {
        split: Images(raw / f"{SPLITS[split]}_images.zip", dict.fromkeys(part.captions, member), "", 0)
        for split, part in tables.splits.items()
    }
    return tables, images


Change = Callable[[Tables, dict[str, Images]], Any]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (lambda t, i: None, []),
        (lambda t, i: t.splits["train"].captions.pop(ID), [("missing-row", FILE, ID, "a row", "none")]),
        (lambda t, i: t.splits["train"].concepts.pop(ID), [("missing-row", "train_concepts.csv", ID, "a row", "none")]),
        (
            lambda t, i: t.splits["train"].manual.pop(ID),
            [("missing-row", "train_concepts_manual.csv", ID, "a row", "none")],
        ),
        (lambda t, i: t.sources.pop(ID), [("missing-license", SOURCES, ID, "a row", "none")]),
        (
            lambda t, i: i["train"].members.pop(ID),
            [("id-without-image", "train_images.zip", ID, f"train/{ID}.jpg", "no such image")],
        ),
        (
            lambda t, i: i["train"].members.update({OTHER: i["train"].members[ID]}),
            [("image-without-id", "train_images.zip", OTHER, f"a row in {FILE}", "none")],
        ),
        (
            lambda t, i: t.sources.update({OTHER: Source("", "", "")}),
            [("id-without-image", SOURCES, OTHER, "ids of images", "no such image")],
        ),
    ],
)
def test_compare_ids(tmp_path: Path, change: Change, problems: list[tuple[str, str, str, str, str]]) -> None:
    tables, images = parts(tmp_path / "raw")
    change(tables, images)
    report = Report()
    compare_ids(tables, images, report)
    assert report.problems == [Problem(*problem) for problem in problems]


@pytest.mark.parametrize(
    "change",
    [
        lambda tables, images: images["train"].members.clear(),
        lambda tables, images: tables.splits["train"].captions.clear(),
        lambda tables, images: tables.splits["train"].concepts.clear(),
        lambda tables, images: tables.splits["train"].manual.clear(),
        lambda tables, images: tables.sources.clear(),
    ],
)
def test_what_could_not_be_read_is_not_told_again_image_by_image(tmp_path: Path, change: Change) -> None:
    tables, images = parts(tmp_path / "raw")
    change(tables, images)
    report = Report()
    compare_ids(tables, images, report)
    assert report.problems == []


def release_of(raw: RawRelease, **changes: Any) -> Release:
    """A release whose published numbers are those of make_raw(20, 6, 6), but for the changes."""
    numbers: dict[str, Any] = {
        "images": {"train": 20, "validation": 6, "test": 6},
        "highest": {"train": 26, "validation": 7, "test": None},
        "concepts": {split: sum(len(image.cuis) for image in raw.splits[name]) for split, name in SPLITS.items()},
        "train_manual": {"C0040405": 2, "C1306645": 11, "C0024485": 2, "C0041618": 1, "": 2, "C0006141": 1},
    }
    return Release("T", 1, ("CC BY", "CC BY-NC"), **(numbers | changes))


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"concepts": None, "train_manual": None}, []),
        ({"highest": {"train": 26, "validation": 7, "test": 7}}, []),
        (
            {"images": {"train": 1_020, "validation": 6, "test": 6}},
            [
                ("train_captions.csv", "1,020 images in release T", "20"),
                ("train_concepts.csv", "1,020 images in release T", "20"),
                ("train_concepts_manual.csv", "1,020 images in release T", "20"),
            ],
        ),
        (
            {"highest": {"train": 60_163, "validation": 7, "test": None}},
            [("train_captions.csv", "60,163 as the highest id in release T", "26")],
        ),
        (
            {"concepts": {"train": 91, "validation": 24, "test": 1}},
            [
                ("train_concepts.csv", "91 concepts in release T", "92"),
                ("valid_concepts.csv", "24 concepts in release T", "25"),
                ("test_concepts.csv", "1 concepts in release T", "25"),
            ],
        ),
        (
            {"train_manual": {"C0040405": 3, "": 0, "C0032743": 1}},
            [
                ("train_concepts_manual.csv", "3 images with C0040405 in release T", "2"),
                ("train_concepts_manual.csv", "0 empty lists in release T", "2"),
            ],
        ),
    ],
)
def test_check_release(tmp_path: Path, changes: dict[str, Any], problems: list[tuple[str, str, str]]) -> None:
    raw = make_raw(20, 6, 6)
    tables = read_tables(raw.write(tmp_path / "raw"), Report())
    report = Report()
    check_release(tables, release_of(raw, **changes), report)
    assert report.problems == [Problem("wrong-count", file, "", expected, found) for file, expected, found in problems]
