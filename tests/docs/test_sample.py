"""sample/: a release in miniature in the release's exact format, with every quirk, honestly credited."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from rocov2 import LICENSES, MODALITIES, SPLITS
from rocov2_build.raw.problems import Report
from rocov2_build.raw.release import RawRelease, read_release
from rocov2_build.raw.releases import FILES, HEADERS, MAPPING_FILE, SAMPLE
from tests.conftest import PROJECT

SAMPLE_FOLDER = PROJECT / "sample"


@pytest.fixture(scope="module")
def report() -> Report:
    return Report()


@pytest.fixture(scope="module")
def release(report: Report) -> RawRelease:
    return read_release(SAMPLE_FOLDER, "any", report)


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def test_it_has_the_releases_files_and_its_sources_and_is_small() -> None:
    files = list(SAMPLE_FOLDER.iterdir())
    assert {file.name for file in files} == {*FILES, "SOURCES.md"}
    assert sum(file.stat().st_size for file in files) < 3_000_000


@pytest.mark.parametrize("name", HEADERS)
def test_tables_are_written_as_the_release_writes_them(name: str) -> None:
    content = (SAMPLE_FOLDER / name).read_bytes()
    text = io.StringIO(newline="")
    csv.writer(text).writerows(csv.reader(io.StringIO(content.decode(), newline="")))
    expected = text.getvalue().encode()
    assert content == (expected.removesuffix(b"\r\n") if name == MAPPING_FILE else expected)


def test_it_is_a_release_without_a_problem(release: RawRelease, report: Report) -> None:
    assert report.problems == []
    assert release.name == SAMPLE
    assert 40 <= len(release.rows) <= 60
    assert set(release.rows["split"]) == set(SPLITS)


def test_every_quirk_occurs(release: RawRelease, report: Report) -> None:
    rows = release.rows
    assert set(rows["license"]) == {*LICENSES} - {"CC BY"}
    for split in SPLITS:
        part = rows[rows["split"] == split]
        assert {LICENSES[license] for license in part["license"]} == {True, False}
        assert any(not codes for codes in part["manual_cuis"])
        numbers = [int(image_id[-6:]) for image_id in part["image_id"]]
        assert numbers == sorted(numbers)
        assert numbers[-1] - numbers[0] >= len(numbers)  # holes
        assert numbers[0] > 900_000
    assert report.warnings["cui-without-name"] > 0
    assert report.warnings["article-in-two-splits"] == rows["article_in_other_split"].sum() > 0
    assert rows["pmcid"].str.match(r"PMC000\d{4}$").all()
    captions = rows["caption"]
    for quirk in (r'"', ",", r"^ ", r" $", r"[^\x00-\x7f]"):
        assert captions.str.contains(quirk).any(), quirk
    assert captions.duplicated().any()


def test_every_modality_that_scans_allow_occurs(release: RawRelease) -> None:
    names = list(MODALITIES)
    found = Counter(names[label] for label in release.rows["modality"])
    assert set(found) == {*names} - {"PET"}


def test_jpegs_are_grey_and_colour() -> None:
    modes: Counter[str] = Counter()
    for raw_split in SPLITS.values():
        with zipfile.ZipFile(SAMPLE_FOLDER / f"{raw_split}_images.zip") as archive:
            for member in archive.infolist():
                assert re.fullmatch(rf"{raw_split}/ROCOv2_2023_{raw_split}_9\d{{5}}\.jpg", member.filename)
                assert member.compress_type == zipfile.ZIP_DEFLATED
                with Image.open(io.BytesIO(archive.read(member))) as image:
                    image.load()
                    assert image.format == "JPEG"
                    modes[image.mode] += 1
    assert set(modes) == {"L", "RGB"}


def test_every_image_is_credited_in_sources(release: RawRelease) -> None:
    sources = (SAMPLE_FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    lines: dict[str, str] = {}
    for line in sources.splitlines():
        if line.startswith("|"):
            image_id = line.split("|")[1].strip()
            lines[image_id] = lines.get(image_id, "") + line  # a montage has a line for each of its parts
    for image_id, license, attribution in release.rows[["image_id", "license", "attribution"]].itertuples(index=False):
        assert license in lines[image_id], image_id
        assert attribution.split(",")[0].split(" (")[0] in lines[image_id], image_id


def test_names_come_from_the_releases_mapping(release: RawRelease) -> None:
    assert len(release.names) > 1_900
    assert release.names["C0040405"] == "X-Ray Computed Tomography"
    assert rows_of(SAMPLE_FOLDER / MAPPING_FILE)[0] == ["CUI", "Canonical name"]
