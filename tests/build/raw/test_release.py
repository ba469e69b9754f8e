"""The raw release in one folder: its files found, read, compared and fingerprinted."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from rocov2 import SPLITS
from rocov2_build.raw.problems import Problem, Report
from rocov2_build.raw.release import RawRelease, describe_release, read_release
from rocov2_build.raw.releases import FILES, HEADERS, LATEST, RELEASES, SAMPLE, Release, image_number
from rocov2_build.raw.rows import ROW_COLUMNS
from rocov2_shared.errors import UserError
from tests.conftest import PROJECT
from tests.support.raw import make_raw, write_zip


def read(raw: Path, wanted: str = "any") -> tuple[RawRelease, Report]:
    """The release, and the report."""
    report = Report()
    return read_release(raw, wanted, report), report


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return make_raw(6, 2, 2).write(tmp_path / "raw")


def test_rows_with_the_sizes_of_their_images(raw: Path) -> None:
    release, report = read(raw)
    images = [(split, image) for split, name in SPLITS.items() for image in make_raw(6, 2, 2).splits[name]]
    assert list(release.rows.columns) == [*ROW_COLUMNS, "size"]
    assert release.rows[["split", "image_id", "size"]].to_numpy().tolist() == [
        [split, image.id, len(image.data)] for split, image in images
    ]
    assert report.problems == []
    assert {split: list(part.members) for split, part in release.images.items()} == {
        split: [image.id for at, image in images if at == split] for split in SPLITS
    }


def test_what_identifies_the_files(raw: Path, tmp_path: Path) -> None:
    files = read(raw)[0].files
    assert set(files) == set(FILES)
    for name in HEADERS:
        assert files[name] == {"sha256": hashlib.sha256((raw / name).read_bytes()).hexdigest()}
    size = sum(len(image.data) for image in make_raw(6, 2, 2).splits["train"])
    facts = files["train_images.zip"]
    assert (set(facts), facts["images"], facts["bytes"]) == ({"images", "bytes", "fingerprint"}, 6, size)
    assert read(make_raw(6, 2, 2).write(tmp_path / "folders", unpacked=True))[0].files == files
    other = make_raw(6, 2, 2)
    other.image("train", 3).data = other.image("train", 3).data[:-1] + b"x"
    changed = read(other.write(tmp_path / "other"))[0].files
    assert [name for name in files if changed[name] != files[name]] == ["train_images.zip"]


def test_which_release_it_is(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one that was found, not the one that was asked for."""
    assert read(raw)[0].name is None
    assert read(raw, LATEST)[0].name is None
    assert read(PROJECT / "sample")[0].name == read(PROJECT / "sample", LATEST)[0].name == SAMPLE
    images = {"train": 6, "validation": 2, "test": 2}
    highest = {"train": max(image_number(i) for i in read(raw)[0].rows["image_id"]), "validation": None, "test": None}
    monkeypatch.setitem(RELEASES, "0", Release("0", 1, ("CC BY", "CC BY-NC"), images, highest))
    for wanted in ("any", "0", LATEST, "1"):
        assert read(raw, wanted)[0].name == "0"


def test_a_release_is_found_by_its_images_whatever_is_wrong_in_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = make_raw(6, 2, 2)
    release.image("train", 1).caption = ""
    images = {"train": 6, "validation": 2, "test": 2}
    monkeypatch.setitem(RELEASES, "0", Release("0", 1, ("CC BY",), images, {"train": 100_000}))
    found, report = read(release.write(tmp_path / "raw"))
    assert found.name == "0"
    assert [problem.code for problem in report.problems] == ["empty-caption"]
    assert describe_release(found, Path("raw"), 1)[0] == "ROCOv2 0:"


def test_the_first_line_names_images_and_shards(raw: Path) -> None:
    (release, _), size = read(raw), r"\d+(\.\d)? kB"
    for shards, end in ((0, ""), (1, " -> 1 shard"), (1204, " -> 1,204 shards")):
        step, text = describe_release(release, Path("raw"), shards)
        assert step == "ROCOv2 (unknown release):"
        assert re.fullmatch(rf" 10 images \(6 train, 2 validation, 2 test\), {size} in raw/{end}", text)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read(tmp_path / "raw")
    assert str(caught.value) == (
        f"no folder {tmp_path / 'raw'}: RAW is the folder with the release's 14 files (train_images.zip, "
        f"train_captions.csv, ...). `rocov2 download {tmp_path / 'raw'}` downloads them from "
        "https://zenodo.org/records/10821435"
    )


def test_an_empty_folder(tmp_path: Path) -> None:
    release, report = read(tmp_path)
    assert (len(release.rows), release.name) == (0, None)
    assert [(problem.code, problem.file) for problem in report.problems] == [("missing-file", name) for name in FILES]


NOTES = ["README.md", "md5sums.txt", "MD5SUM", "sha256sum", ".DS_Store", ".git", "__MACOSX", "Thumbs.db", "desktop.ini"]
STRANGERS = [
    "train_captions (1).csv",
    "train_captions.md.csv",
    "md5sums.csv",
    "train_images.zip.part",
    "validation",
    "notes",
]


@pytest.mark.parametrize("name", NOTES)
def test_notes_beside_the_release_are_passed_over(raw: Path, name: str) -> None:
    (raw / name).touch()
    assert read(raw)[1].problems == []


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers(raw: Path, name: str) -> None:
    (raw / name).mkdir()
    expected = Problem("extra-file", name, "", "the 14 files of the release", "another")
    assert read(raw)[1].problems == [expected]


def test_a_folder_with_the_name_of_a_zip(raw: Path) -> None:
    (raw / "test_images.zip").unlink()
    (raw / "test_images.zip").mkdir()
    expected = Problem("extra-file", "test_images.zip", "", "the 14 files of the release", "a folder")
    assert expected in read(raw)[1].problems


@pytest.mark.parametrize(
    "forms", [["train_images.zip", "train_images"], ["train_images.zip", "train"], ["train_images", "train"]]
)
def test_two_forms_of_the_images_are_refused(raw: Path, forms: list[str]) -> None:
    if forms[0] == "train_images":
        (raw / "train_images.zip").unlink()
    for name in set(forms) - {"train_images.zip"}:
        (raw / name).mkdir()
    expected, found = "one form of the images of train", f"{forms[0]} and {forms[1]}: move one away"
    assert Problem("extra-file", forms[1], "", expected, found) in read(raw)[1].problems


@pytest.mark.parametrize("form", ["valid_images.zip", "valid_images"])
def test_a_split_without_images_is_one_problem(raw: Path, form: str) -> None:
    (raw / "valid_images.zip").unlink()
    if form.endswith(".zip"):
        write_zip(raw / form, [])
    else:
        (raw / form).mkdir()
    assert read(raw)[1].problems == [Problem("missing-file", form, "", "images of valid", "none")]


@pytest.mark.parametrize("name", sorted(set(HEADERS) - {"cui_mapping.csv"}))
def test_a_table_that_ends_after_its_header_is_one_problem(raw: Path, name: str) -> None:
    (raw / name).write_text(",".join(HEADERS[name]) + "\r\n")
    assert read(raw)[1].problems == [Problem("bad-csv", name, "", "a row for each image", "only the header")]


def test_a_split_that_has_neither_rows_nor_images_is_no_problem(tmp_path: Path) -> None:
    assert read(make_raw(6, 0, 2).write(tmp_path / "raw"))[1].problems == []


def test_the_numbers_are_compared_when_the_files_are_whole(raw: Path) -> None:
    assert {problem.code for problem in read(raw, "1")[1].problems} == {"wrong-count"}
    (raw / "test_captions.csv").unlink()
    assert {problem.code for problem in read(raw, "1")[1].problems} == {"missing-file"}
