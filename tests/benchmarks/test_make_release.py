"""The synthetic release of the benchmarks: a release without a problem, the same for the same seed, of the shape it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.conversion.make_release import sizes, write_release
from rocov2_build.raw.problems import Report
from rocov2_build.raw.release import read_release
from tests.support.repositories import files_of


def test_sizes_follow_the_release() -> None:
    assert sizes(79_789) == {"train": 59_958, "valid": 9_904, "test": 9_927}
    assert sum(sizes(1_001).values()) == 1_001


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("make_release") / "raw"
    write_release(folder, 300, seed=1, median=3_000, pool_size=10)
    return folder


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
