"""Every code of the catalogue of problems: a release with just that fault, and one with all faults of rows at once."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from rocov2_build.convert import Conversion, convert
from rocov2_build.raw.problems import CODES, Problem, Severity
from rocov2_shared.errors import UserError
from tests.support.jpegs import UNWRITABLE, exif, with_segment, without_rest
from tests.support.raw import RawImage, RawRelease, jpeg, make_raw, write_zip
from tests.support.repositories import run_here

pytestmark = pytest.mark.slow

SPLIT = "train"


@dataclass
class Fault:
    """How to make one fault at an image of train: in the release, and in its files once they are written."""

    of_image: Callable[[RawImage], object] = lambda image: None
    of_files: Callable[[Path, str], object] = lambda raw, image_id: None


def of(**values: object) -> Callable[[RawImage], None]:
    """Set fields of an image."""

    def change(image: RawImage) -> None:
        for name, value in values.items():
            setattr(image, name, value)

    return change


def with_data(change: Callable[[bytes], bytes]) -> Callable[[RawImage], None]:
    def apply(image: RawImage) -> None:
        image.data = change(image.data)

    return apply


def edit_table(name: str, change: Callable[[list[list[str]], str], object]) -> Callable[[Path, str], None]:
    """Change the rows of a table."""

    def apply(raw: Path, image_id: str) -> None:
        path = raw / name
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))
        change(rows, image_id)
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        path.write_bytes(text.getvalue().encode())

    return apply


def drop(rows: list[list[str]], image_id: str) -> None:
    rows[:] = [row for row in rows if row[0] != image_id]


def repeat(rows: list[list[str]], image_id: str) -> None:
    rows += [row for row in rows if row[0] == image_id]


def edit_zip(change: Callable[[list[tuple[str, bytes]], str], object]) -> Callable[[Path, str], None]:
    """Change the members of the zip of train."""

    def apply(raw: Path, image_id: str) -> None:
        path = raw / f"{SPLIT}_images.zip"
        with zipfile.ZipFile(path) as archive:
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
        change(members, f"{SPLIT}/{image_id}.jpg")
        write_zip(path, members)

    return apply


def without(members: list[tuple[str, bytes]], name: str) -> None:
    members[:] = [member for member in members if member[0] != name]


def patch_directory(signature: bytes, offset: int, change: Callable[[int], int]) -> Callable[[Path, str], None]:
    """Change a byte of the directory's entry, or of the local header, of one member."""

    def apply(raw: Path, image_id: str) -> None:
        path = raw / f"{SPLIT}_images.zip"
        content = bytearray(path.read_bytes())
        name = f"{SPLIT}/{image_id}.jpg".encode()
        start = content.rindex(name) - {b"PK\1\2": 46, b"PK\3\4": 30}[signature]
        assert content[start : start + 4] == signature
        content[start + offset] = change(content[start + offset])
        path.write_bytes(content)

    return apply


def remove(name: str) -> Callable[[Path, str], object]:
    return lambda raw, _: (raw / name).unlink()


def append(name: str, content: bytes) -> Callable[[Path, str], object]:
    return lambda raw, _: (raw / name).write_bytes((raw / name).read_bytes() + content)


FAULTS = {
    "missing-file": Fault(of_files=remove("test_concepts.csv")),
    "extra-file": Fault(of_files=lambda raw, _: (raw / "train_captions_old.csv").touch()),
    "bad-header": Fault(of_files=edit_table("test_captions.csv", lambda rows, _: rows[0].reverse())),
    "bad-csv": Fault(of_files=append("test_captions.csv", b"\xff")),
    "bad-mapping": Fault(of_files=append("cui_mapping.csv", b"\r\nC0040405,another name")),
    "damaged-zip": Fault(of_files=lambda raw, _: (raw / "test_images.zip").write_bytes(b"PK")),
    "wrong-count": Fault(),  # of the fixture's release, which no published one equals
    "bad-id": Fault(of_files=edit_table("train_captions.csv", lambda rows, _: rows.append(["train_1", "caption"]))),
    "duplicate-id": Fault(of_files=edit_table("train_captions.csv", repeat)),
    "id-in-two-splits": Fault(of_files=edit_table("valid_concepts.csv", lambda rows, i: rows.append([i, "C0040405"]))),
    "id-without-image": Fault(of_files=edit_zip(without)),
    "image-without-id": Fault(
        of_files=edit_zip(lambda members, _: members.append((f"{SPLIT}/ROCOv2_2023_train_000999.jpg", jpeg())))
    ),
    "missing-row": Fault(of_files=edit_table("train_concepts_manual.csv", drop)),
    "missing-license": Fault(of_files=edit_table("license_information.csv", drop)),
    "malformed-cui": Fault(lambda image: image.cuis.append("C12345")),
    "empty-concepts": Fault(of(cuis=[], manual=[])),
    "two-modalities": Fault(of(manual=["C0040405", "C0024485"], cuis=["C0040405", "C0024485"])),
    "no-modality": Fault(of(manual=["C0817096"], cuis=["C0817096"])),
    "unknown-manual-code": Fault(of(manual=["C0040405", "C0016522"], cuis=["C0040405", "C0016522"])),
    "empty-caption": Fault(of(caption=" ")),
    "unknown-license": Fault(of(attribution="CC BY-ND Müller et al. (2020)")),
    "bad-source": Fault(of(link="https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1000000000")),
    "stray-member": Fault(of_files=edit_zip(lambda members, _: members.append((f"{SPLIT}/readme.txt", b"text")))),
    "unsafe-member": Fault(of_files=edit_zip(lambda members, _: members.append(("../escape.jpg", b"text")))),
    "duplicate-member": Fault(
        of_files=edit_zip(lambda members, name: members.append((name.replace(f"{SPLIT}/", ""), jpeg())))
    ),
    "encrypted-member": Fault(of_files=patch_directory(b"PK\1\2", 8, lambda byte: byte | 1)),
    "damaged-member": Fault(of_files=patch_directory(b"PK\1\2", 16, lambda byte: byte ^ 1)),
    "image-too-large": Fault(with_data(lambda data: _with_height(data, 60_000))),
    "not-a-jpeg": Fault(of(data=b"<html>not found</html>")),
    "unsupported-jpeg": Fault(with_data(lambda data: data.replace(b"\xff\xc0", b"\xff\xc9", 1))),
    "damaged-metadata": Fault(with_data(lambda data: with_segment(data, 0xE1, exif(6, UNWRITABLE)))),
    "truncated-jpeg": Fault(with_data(lambda data: data[:-40])),
    "damaged-jpeg": Fault(with_data(lambda data: data[:-40] + b"\xff\xd9")),
}


def _with_height(data: bytes, height: int) -> bytes:
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + height.to_bytes(2, "big") + data[place + 2 :]


WARNINGS: dict[str, Callable[[RawImage], object]] = {
    "cui-without-name": lambda image: image.cuis.append("C9999999"),
    "article-in-two-splits": of(pmcid="PMC77", link="https://x.org/PMC77"),
    "duplicate-image": of(data=jpeg(seed=4711)),
    "repeated-cui": lambda image: image.cuis.append(image.cuis[0]),
    "two-regions": of(manual=["C1306645", "C0817096", "C0000726"], cuis=["C1306645", "C0817096", "C0000726"]),
    "two-directions": of(manual=["C1306645", "C1999039", "C1996865"], cuis=["C1306645", "C1999039", "C1996865"]),
    "region-without-xray": of(manual=["C0040405", "C0817096"], cuis=["C0040405", "C0817096"]),
    "manual-not-first": lambda image: image.cuis.reverse(),
    "benign-jpeg": with_data(lambda data: data[:20] + b"\1\2\3" + data[20:]),
    "turned-jpeg": with_data(lambda data: with_segment(data, 0xE1, exif(6))),
    "passed-over": of(data=without_rest(jpeg(300, 200)), caption="A caption that fits a cell of the sheet."),
}
OPTIONS: dict[str, dict[str, Any]] = {"passed-over": {"verify": "none", "pictures": True}}
"""Options of a conversion that can have a warning, by its code; the default ones for the others."""


def plain_release() -> RawRelease:
    """A release without any problem or warning."""
    release = make_raw(train=len(FAULTS), valid=2, test=2)
    number = 0
    for images in release.splits.values():
        for image in images:
            number += 1
            image.cuis = [*image.manual, *(cui for cui in image.cuis if cui not in (*image.manual, "C1266909"))]
            image.pmcid = f"PMC{number:07d}"
            image.link = f"https://x.org/{image.pmcid}"
    release.names |= {cui: cui.lower() for images in release.splits.values() for image in images for cui in image.cuis}
    return release


def problems_of(raw: Path, output: Path, release: str = "any", skip: bool = False) -> set[tuple[str, str]]:
    """Codes and ids of the problems of a conversion that fails."""
    with patch("rocov2_build.convert.run_tasks", run_here), pytest.raises(UserError):
        convert(Conversion(raw, output, release=release, skip_problems=skip, quiet=True))
    assert not output.exists()
    with output.with_name("rocov2.problems.csv").open(newline="", encoding="utf-8") as file:
        return {(row["code"], row["id"]) for row in csv.DictReader(file)}


def convert_here(raw: Path, output: Path, skip: bool = False, **options: Any) -> dict[str, object]:
    """`conversion.json` of a conversion that succeeds."""
    with patch("rocov2_build.convert.run_tasks", run_here):
        convert(Conversion(raw, output, release="any", skip_problems=skip, quiet=True, **options))
    conversion: dict[str, object] = json.loads((output / "conversion.json").read_text())
    return conversion


def test_every_code_has_a_release() -> None:
    elsewhere = {"crashing-image"}  # test_deaths.py: it takes processes that may die
    assert {*FAULTS, *WARNINGS} == set(CODES) - elsewhere
    assert set(WARNINGS) == {code for code, row in CODES.items() if row.severity is Severity.WARNING}


def test_a_plain_release_has_neither_problem_nor_warning(tmp_path: Path) -> None:
    conversion = convert_here(plain_release().write(tmp_path / "raw"), tmp_path / "rocov2")
    assert conversion["warnings"] == {}
    assert conversion["left_out"] == []


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_alone(code: str, tmp_path: Path) -> None:
    release = plain_release()
    image = release.image(SPLIT, 3)
    FAULTS[code].of_image(image)
    raw = release.write(tmp_path / "raw")
    FAULTS[code].of_files(raw, image.id)
    output = tmp_path / "rocov2"
    named = "2.0.1" if code == "wrong-count" else "any"
    assert {found for found, _ in problems_of(raw, output, named)} == {code}
    if CODES[code].severity is Severity.FILE:
        assert {found for found, _ in problems_of(raw, output, named, skip=True)} == {code}
    else:
        left_out = convert_here(raw, output, skip=True)["left_out"]
        assert isinstance(left_out, list)
        assert {entry["code"] for entry in left_out} == {code}


@pytest.mark.parametrize("code", WARNINGS)
def test_a_warning_alone_stops_nothing_and_is_counted(code: str, tmp_path: Path) -> None:
    release = plain_release()
    WARNINGS[code](release.image(SPLIT, 3))
    if code in ("article-in-two-splits", "duplicate-image"):  # these take two
        WARNINGS[code](release.image("valid", 0))
    raw = release.write(tmp_path / "raw")
    warnings = convert_here(raw, tmp_path / "rocov2", **OPTIONS.get(code, {}))["warnings"]
    assert warnings == {code: 2 if code in ("article-in-two-splits", "duplicate-image") else 1}


def test_all_faults_of_rows_at_once(tmp_path: Path) -> None:
    release = plain_release()
    rows = [code for code in FAULTS if CODES[code].severity is Severity.ROW]
    images = dict(zip(rows, release.splits[SPLIT], strict=False))
    for code in rows:
        FAULTS[code].of_image(images[code])
    raw = release.write(tmp_path / "raw")
    # Bytes of the zip are patched last: its other members would be written anew.
    for code in sorted(rows, key=lambda code: code in ("encrypted-member", "damaged-member")):
        FAULTS[code].of_files(raw, images[code].id)
    found = problems_of(raw, tmp_path / "rocov2")
    assert {code for code, _ in found} == set(rows)
    with_id = {code: image_id for code, image_id in found if image_id}
    for code in set(rows) - {"bad-id", "image-without-id", "stray-member", "unsafe-member"}:
        assert with_id[code] == images[code].id
    conversion = convert_here(raw, tmp_path / "rocov2", skip=True)
    assert isinstance(conversion["files"], dict)
    built = sum(facts["rows"] for path, facts in conversion["files"].items() if path.startswith("data/"))
    assert built == len(FAULTS) + 4 - len(rows) + 4  # the four faults above have no image of train


def test_faults_of_files_are_told_together_with_those_of_rows(tmp_path: Path) -> None:
    release = plain_release()
    FAULTS["truncated-jpeg"].of_image(release.image(SPLIT, 1))
    FAULTS["empty-caption"].of_image(release.image(SPLIT, 2))
    raw = release.write(tmp_path / "raw")
    for code in ("missing-file", "extra-file", "bad-mapping"):
        FAULTS[code].of_files(raw, "")
    assert {code for code, _ in problems_of(raw, tmp_path / "rocov2")} == {
        "truncated-jpeg",
        "empty-caption",
        "missing-file",
        "extra-file",
        "bad-mapping",
    }


def test_a_problem_of_no_code_cannot_be_made() -> None:
    problem = Problem("bad-id", "f", "i", "e", "f")
    with pytest.raises(KeyError):
        replace(problem, code="no-such-code")
