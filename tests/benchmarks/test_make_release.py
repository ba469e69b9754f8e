"""The synthetic release of the benchmarks: without a problem, the same for the same seed, and like the real one."""

from __future__ import annotations

import zipfile
from pathlib import Path
from statistics import mean, median

import pytest

from benchmarks.conversion.make_release import sizes, write_release
from benchmarks.synthetic import figures
from rocov2_build.raw.problems import Report
from rocov2_build.raw.release import read_release
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.verification import Verification
from rocov2_shared.jpeg_segments import read_header
from tests.support.repositories import files_of

IMAGES = 360
SAMPLINGS = {1: "grey", (1, 1): "4:4:4", (2, 2): "4:2:0", (2, 1): "4:2:2"}


def test_sizes_follow_the_release() -> None:
    assert sizes(79_789) == {"train": 59_958, "valid": 9_904, "test": 9_927}
    assert sum(sizes(1_001).values()) == 1_001


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make_release") / "raw"
    write_release(folder, 300, seed=1, median=3_000, pool_size=10)
    return folder


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make_release") / "full_size"
    write_release(folder, IMAGES, seed=1, pool_size=40)
    return folder


@pytest.fixture(scope="module")
def jpegs(full_size: Path) -> list[bytes]:
    found = []
    for path in sorted(full_size.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            found += [archive.read(name) for name in archive.namelist()]
    return found


def test_it_is_a_release_without_a_problem(raw: Path) -> None:
    report = Report()
    release = read_release(raw, "any", report)
    assert report.problems == []
    assert len(release.rows) == 300
    assert 2_000 < release.rows["size"].median() < 5_000
    assert len({tuple(cuis) for cuis in release.rows["cuis"]}) > 200


def test_the_same_seed_gives_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    write_release(tmp_path / "raw", 300, seed=1, median=3_000, pool_size=10)
    assert files_of(tmp_path / "raw") == files_of(raw)


def test_no_image_occurs_twice_even_where_there_are_more_than_windows(tmp_path: Path) -> None:
    write_release(tmp_path, 400, seed=2, median=800, pool_size=1)
    with zipfile.ZipFile(tmp_path / "train_images.zip") as archive:
        names = archive.namelist()
        assert len({archive.read(name) for name in names}) == len(names)


def test_every_jpeg_passes_the_strict_verification(jpegs: list[bytes]) -> None:
    assert len(set(jpegs)) == IMAGES
    for jpeg in jpegs[::7]:
        inspect(jpeg, Verification.STRICT)


def test_jpegs_are_of_the_kinds_of_the_release(jpegs: list[bytes]) -> None:
    headers = [read_header(jpeg) for jpeg in jpegs]
    kinds = [SAMPLINGS[1 if len(header.sampling) == 1 else header.sampling[0]] for header in headers]
    for kind in figures.KINDS:
        assert kinds.count(kind.name) / IMAGES == pytest.approx(kind.share, abs=0.08)
    facts = [inspect(jpeg, Verification.NONE) for jpeg in jpegs[::9]]
    assert [(one.width, one.height) for one in facts] == [
        (one.width, one.height) for one in headers[::9]
    ]  # none is turned


def test_sides_and_bytes_are_those_of_the_release(jpegs: list[bytes]) -> None:
    headers = [read_header(jpeg) for jpeg in jpegs]
    assert median(header.width for header in headers) == pytest.approx(676, rel=0.1)
    assert median(header.height for header in headers) == pytest.approx(576, rel=0.15)
    ordered = sorted(map(len, jpegs))
    assert mean(ordered) == pytest.approx(90_000, rel=0.12)
    assert ordered[IMAGES // 4] == pytest.approx(58_000, rel=0.2)
    assert ordered[IMAGES // 2] == pytest.approx(78_000, rel=0.2)
    assert ordered[IMAGES * 3 // 4] == pytest.approx(102_000, rel=0.25)


def test_metadata_is_that_of_the_release(jpegs: list[bytes], full_size: Path) -> None:
    found = [segments_of(jpeg) for jpeg in jpegs]
    for share, marker, name in (
        (figures.PHOTOSHOP, 0xED, b"Photoshop 3.0\0"),
        (figures.PROFILE, 0xE2, b"ICC_PROFILE\0"),
        (figures.XMP, 0xE1, b"http://ns.adobe.com/xap/1.0/\0"),
        (figures.EXIF, 0xE1, b"Exif\0\0"),
    ):
        files = [any(one == marker and body.startswith(name) for one, body in segments) for segments in found]
        assert sum(files) / IMAGES == pytest.approx(share, abs=0.07)
    nameless = [
        any(one == 0xE1 and not body.startswith((b"http", b"Exif")) for one, body in segments) for segments in found
    ]
    assert sum(nameless) / IMAGES == pytest.approx(0.09, abs=0.05)
    metadata = sorted(sum(len(body) + 4 for one, body in segments if 0xE0 <= one <= 0xEF) for segments in found)
    assert 0.09 < sum(metadata) / sum(map(len, jpegs)) < 0.19
    assert metadata[IMAGES // 3] < 25 < metadata[IMAGES * 2 // 3]
    with zipfile.ZipFile(full_size / "train_images.zip") as archive:
        stored, whole = (
            sum(getattr(entry, size) for entry in archive.infolist()) for size in ("compress_size", "file_size")
        )
    assert 0.07 < 1 - stored / whole < 0.14


def segments_of(jpeg: bytes) -> list[tuple[int, bytes]]:
    """Return marker and content of the segments in front of the scan."""
    position, segments = 2, []
    while jpeg[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        segments.append((jpeg[position + 1], jpeg[position + 4 : end]))
        position = end
    return segments


def test_tables_are_those_of_the_release(full_size: Path) -> None:
    rows = read_release(full_size, "any", Report()).rows
    assert rows["cuis"].map(len).mean() == pytest.approx(3.36, abs=0.25)
    assert rows["caption"].str.len().mean() == pytest.approx(155, abs=20)
    assert rows["caption"].str.split().map(len).median() == pytest.approx(18, abs=2)
    assert (rows["license"] == "CC BY").mean() == pytest.approx(figures.COMMERCIAL, abs=0.08)
    assert len(rows) / rows["pmcid"].nunique() == pytest.approx(1.85, abs=0.2)
    assert 0.2 < rows["article_in_other_split"].mean() < 0.6
