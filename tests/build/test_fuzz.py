"""Random damage to a release ends in success with the right rows or in a told problem: no traceback, no wrong row."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rocov2_build.raw.problems import CODES, Report, Severity
from rocov2_build.raw.tables import read_csv
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.member import BadImageError
from tests.conftest import Seeds
from tests.support.examples import examples
from tests.support.fuzz import convert_damaged, damage, damage_release
from tests.support.known_faults import FAULTS, convert_faulty
from tests.support.raw import jpeg, make_raw

pytestmark = pytest.mark.slow

BOUNDED = examples(60)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=8, valid=3, test=3).write(tmp_path_factory.mktemp("fuzz") / "raw")


@BOUNDED
@given(seed=st.integers(0, 2**32), skip=st.booleans())
def test_damaged_releases(raw: Path, tmp_path: Path, seed: int, skip: bool) -> None:
    target, output = tmp_path / "damaged", tmp_path / "rocov2"
    try:
        damage_release(raw, target, Random(seed))
        convert_damaged(target, output, skip)
    finally:
        for folder in tmp_path.iterdir():
            shutil.rmtree(folder) if folder.is_dir() else folder.unlink()


@pytest.mark.parametrize("name", FAULTS)
def test_known_faults(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, seeds: Seeds) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    for seed in seeds(2):
        target, output = tmp_path / f"damaged-{seed}", tmp_path / f"built-{seed}" / "rocov2"
        convert_faulty(raw, target, output, name, Random(seed), skip=bool(seed % 2))


IMAGES = [
    jpeg(64, 48, "L", 1),
    jpeg(65, 33, "RGB", 2),
    jpeg(40, 40, "CMYK", 3),
    jpeg(80, 60, "RGB", 4, progressive=True),
    jpeg(50, 20, "L", 5, orientation=6),
]


@BOUNDED
@given(seed=st.integers(0, 2**32), image=st.sampled_from(IMAGES), verify=st.sampled_from(["strict", "markers", "none"]))
def test_damaged_images(seed: int, image: bytes, verify: str) -> None:
    try:
        facts = inspect(damage(image, Random(seed)), verify)
    except BadImageError as error:
        told = {CODES[error.code].severity}
    else:
        told = set()
        assert facts.width > 0
        assert facts.height > 0
    assert told <= {Severity.ROW}


@BOUNDED
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_as_a_table(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "train_captions.csv"
    path.write_bytes(b"ID,Caption\r\n" + content)
    report = Report()
    rows = list(read_csv(path, report))
    assert all(len(row) == 2 for row in rows)
    assert rows or report.problems or not content.strip(b"\r\n\xef\xbb\xbf")


def test_a_zip_beyond_four_gibibytes(tmp_path: Path) -> None:
    """The zip of the real training images is one: places of members and directory then stand in ZIP64 records."""
    release = make_raw(train=3, valid=2, test=2)
    raw = release.write(tmp_path / "raw")
    path = raw / "train_images.zip"
    with path.open("wb") as file:
        file.truncate(2**32 + 10)  # a hole, which takes no space on disk
    with zipfile.ZipFile(path, "a") as archive:
        for image in release.splits["train"]:
            archive.writestr(f"train/{image.id}.jpg", image.data)
    assert convert_damaged(raw, tmp_path / "rocov2", skip=False) == "built"
