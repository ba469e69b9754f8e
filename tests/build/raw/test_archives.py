"""What of a zip or folder is an image of a split, what is passed over, and what is a problem."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path

import pytest

from rocov2_build.raw.archives import Images, find_images, open_images
from rocov2_build.raw.problems import Problem, Report
from rocov2_build.worker.member import Member, MemberReader
from tests.support.large_zips import BEHIND, write_large, write_many
from tests.support.raw import write_zip

A, B = "ROCOv2_2023_train_000001", "ROCOv2_2023_train_000002"
ZIP = "train_images.zip"
EXPECTED = "train/<id>.jpg"
FIRST, SECOND = (f"train/{A}.jpg", b"a"), (f"train/{B}.jpg", b"bb")


def open_zip(
    folder: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED
) -> tuple[Images, Report]:
    """The images of a zip with these members, and the report."""
    write_zip(folder / ZIP, members, compression)
    report = Report()
    return open_images(folder / ZIP, "train", report), report


def test_find_images_finds_every_form(tmp_path: Path) -> None:
    found: list[Path] = []
    assert find_images(tmp_path, "valid") == found
    for name in ("valid", "valid_images"):
        (tmp_path / name).mkdir()
        found.insert(0, tmp_path / name)
        assert find_images(tmp_path, "valid") == found
    (tmp_path / "valid_images.zip").write_bytes(b"")
    assert find_images(tmp_path, "valid") == [tmp_path / "valid_images.zip", *found]
    assert find_images(tmp_path, "train") == []


@pytest.mark.parametrize("name", ["valid", "valid_images"])
def test_a_file_is_no_folder_of_images(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"text")
    assert find_images(tmp_path, "valid") == []


@pytest.mark.parametrize("prefix", ["train/", "", "images/", "train_images/", "train_images/train/", "train/train/"])
def test_zip(tmp_path: Path, prefix: str) -> None:
    images, report = open_zip(tmp_path, [(f"{prefix}{B}.jpg", b"bbb"), (f"{prefix}{A}.jpg", b"a")])
    first = 30 + len(f"{prefix}{B}.jpg") + 3
    assert list(images.members.items()) == [
        (B, Member(f"{prefix}{B}.jpg", 0, 3, 3, zlib.crc32(b"bbb"), zipfile.ZIP_STORED)),
        (A, Member(f"{prefix}{A}.jpg", first, 1, 1, zlib.crc32(b"a"), zipfile.ZIP_STORED)),
    ]
    assert (images.path, images.bytes) == (tmp_path / ZIP, 4)
    assert report == Report()


def test_deflated_zip_tells_both_sizes(tmp_path: Path) -> None:
    images, _ = open_zip(tmp_path, [(f"train/{A}.jpg", b"a" * 1000)], zipfile.ZIP_DEFLATED)
    member = images.members[A]
    assert (member.size, member.method) == (1000, zipfile.ZIP_DEFLATED)
    assert 0 < member.compressed < 30
    assert images.bytes == 1000


PASSED_OVER = [
    *("train/", f"train/{A}.jpg/", "__MACOSX/", f"__MACOSX/train/._{A}.jpg", f"__MACOSX/{A}.jpg", "train/.DS_Store"),
    *(".DS_Store", "train/Thumbs.db", "Thumbs.db", "THUMBS.DB", "train/desktop.ini", f"train/._{B}.jpg"),
]
STRAY = [
    *("readme.txt", f"train/{A}.jpeg", f"train/{A}.JPG", f"train/{A}.jpg.part", f"train/{A}", "train/.hidden"),
    *(f"train_images/valid/{A}.jpg", f"valid_images/train/{A}.jpg", f"train_images/train/train/{A}.jpg"),
    *(f"train/more/{A}.jpg", "train/ROCOv2_2023_valid_000001.jpg", "train/1.jpg", f"train/{A} (1).jpg", "MyThumbs.db"),
]
UNSAFE = [
    *(f"../{A}.jpg", f"train/../{A}.jpg", f"/{A}.jpg", f"/train/{A}.jpg", f"C:/{A}.jpg", f"C:{A}.jpg", ".."),
    *(f"\\{A}.jpg", f"train\\{A}.jpg", f"..\\{A}.jpg"),
]


@pytest.mark.parametrize("name", PASSED_OVER)
def test_passed_over_members(tmp_path: Path, name: str) -> None:
    images, report = open_zip(tmp_path, [(name, b""), (f"train/{A}.jpg", b"a")])
    assert list(images.members) == [A]
    assert report == Report()


@pytest.mark.parametrize(
    ("name", "code"), [*((name, "stray-member") for name in STRAY), *((name, "unsafe-member") for name in UNSAFE)]
)
def test_stray_and_unsafe_members(tmp_path: Path, name: str, code: str) -> None:
    images, report = open_zip(tmp_path, [(name, b"x"), (f"train/{B}.jpg", b"b")])
    assert list(images.members) == [B]
    assert report.problems == [Problem(code, ZIP, "", EXPECTED, repr(name))]


def test_a_member_without_name(tmp_path: Path) -> None:
    write_zip(tmp_path / ZIP, [("x", b"x"), (f"train/{B}.jpg", b"b")])
    data = bytearray((tmp_path / ZIP).read_bytes())
    data[data.index(b"PK\1\2") + 46] = 0  # zipfile ends a name at a NUL
    (tmp_path / ZIP).write_bytes(data)
    report = Report()
    assert list(open_images(tmp_path / ZIP, "train", report).members) == [B]
    assert report.problems == [Problem("unsafe-member", ZIP, "", EXPECTED, "''")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("other", ["train/", "", "again/"])
def test_duplicate_members(tmp_path: Path, other: str) -> None:
    members = [(f"train/{A}.jpg", b"a"), (f"train/{B}.jpg", b"b"), *[(f"{other}{A}.jpg", b"other")] * 2]
    images, report = open_zip(tmp_path, members)
    assert list(images.members) == [A, B]
    assert images.members[A].size == 1
    assert report.problems == [Problem("duplicate-member", ZIP, A, "one member", "several")]


def test_encrypted_member(tmp_path: Path) -> None:
    write_zip(tmp_path / ZIP, [(f"train/{A}.jpg", b"a"), (f"train/{B}.jpg", b"b")])
    data = bytearray((tmp_path / ZIP).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1  # the flag in the directory
    (tmp_path / ZIP).write_bytes(data)
    report = Report()
    images = open_images(tmp_path / ZIP, "train", report)
    assert list(images.members) == [A, B]
    assert report.problems == [Problem("encrypted-member", ZIP, A, "no encryption", "an encrypted member")]


def damage(data: bytes, kind: str) -> bytes:
    """A zip damaged so that its directory cannot be read."""
    directory = data.index(b"PK\1\2")
    end = data.rindex(b"PK\5\6")
    return {
        "empty": b"",
        "no zip": b"<html>Too many requests</html>",
        "end cut": data[:-10],
        "half": data[: len(data) // 2],
        "directory overwritten": data[:directory] + b"XXXX" + data[directory + 4 :],
        "directory too long": data[: end + 12] + struct.pack("<L", 0xFFFFFF) + data[end + 16 :],
        "version of the future": data[: directory + 6] + b"\xff" + data[directory + 7 :],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("empty", "File is not a zip file"),
        ("no zip", "File is not a zip file"),
        ("end cut", "File is not a zip file"),
        ("half", "File is not a zip file"),
        ("directory overwritten", "Bad magic number for central directory"),
        ("directory too long", "Bad offset for central directory"),
        ("version of the future", "zip file version 25.5"),
    ],
)
def test_damaged_zip(tmp_path: Path, kind: str, found: str) -> None:
    write_zip(tmp_path / ZIP, [(f"train/{A}.jpg", b"a" * 100), (f"train/{B}.jpg", b"b" * 100)], zipfile.ZIP_STORED)
    (tmp_path / ZIP).write_bytes(damage((tmp_path / ZIP).read_bytes(), kind))
    report = Report()
    images = open_images(tmp_path / ZIP, "train", report)
    assert (images.members, images.bytes) == ({}, 0)
    assert report.problems == [Problem("damaged-zip", ZIP, "", "a zip of images", found)]


def test_a_zip_over_4_gib(tmp_path: Path) -> None:
    write_large(tmp_path / ZIP, [FIRST, SECOND], zip64=True)
    report = Report()
    images = open_images(tmp_path / ZIP, "train", report)
    assert report == Report()
    assert [member.offset for member in images.members.values()] == [0, BEHIND]
    with MemberReader(tmp_path / ZIP) as reader:
        assert [reader.read(member) for member in images.members.values()] == [b"a", b"bb"]


def test_a_zip_after_more_than_4_gib_of_other_bytes(tmp_path: Path) -> None:
    with (tmp_path / ZIP).open("wb") as file:
        file.truncate(BEHIND)
    with zipfile.ZipFile(tmp_path / ZIP, "a") as archive:
        archive.writestr(*FIRST)
    report = Report()
    images = open_images(tmp_path / ZIP, "train", report)
    assert report == Report()
    assert images.members[A].offset == BEHIND


def test_a_zip_over_4_gib_without_zip64_is_one_problem(tmp_path: Path) -> None:
    write_large(tmp_path / ZIP, [FIRST, SECOND], zip64=False)
    assert len(zipfile.ZipFile(tmp_path / ZIP).infolist()) == 2  # Python sees nothing wrong
    report = Report()
    assert open_images(tmp_path / ZIP, "train", report).members == {}
    (problem,) = report.problems
    assert (problem.code, problem.file, problem.id) == ("damaged-zip", ZIP, "")
    size = (tmp_path / ZIP).stat().st_size
    assert problem.expected == f"offsets in Zip64 form, since the zip has {size:,} bytes"
    assert problem.found == (
        "offsets that begin again at 0 after each 4 GiB, as macOS's Archive Utility writes them. Download the zip anew, or "
        "unpack it where it was made and give the folder train_images/"
    )


def test_a_zip_with_more_members_than_its_directory_can_count(tmp_path: Path) -> None:
    write_many(tmp_path / ZIP, [FIRST, SECOND], strays=1 << 16)
    report = Report()
    images = open_images(tmp_path / ZIP, "train", report)
    assert report == Report()
    with MemberReader(tmp_path / ZIP) as reader:
        assert [reader.read(images.members[image_id]) for image_id in (A, B)] == [b"a", b"bb"]


def test_zip_without_members(tmp_path: Path) -> None:
    images, report = open_zip(tmp_path, [])
    assert images.members == {}
    assert report == Report()


def fingerprint(folder: Path, members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> str:
    """Fingerprint of a zip with these members."""
    return open_zip(folder, members, compression)[0].fingerprint


def test_fingerprint_of_a_zip_follows_its_content_alone(tmp_path: Path) -> None:
    one, two = (f"train/{A}.jpg", b"aaaa"), (f"train/{B}.jpg", b"bbbb")
    same = {
        fingerprint(tmp_path, [one, two]),
        fingerprint(tmp_path, [two, one]),
        fingerprint(tmp_path, [one, two], zipfile.ZIP_DEFLATED),
        fingerprint(tmp_path, [("train/", b""), two, ("Thumbs.db", b"x"), one]),
    }
    assert len(same) == 1
    others = [
        fingerprint(tmp_path, [one]),
        fingerprint(tmp_path, [one, (two[0], b"bbbc")]),
        fingerprint(tmp_path, [one, (two[0], b"bbb")]),
        fingerprint(tmp_path, [(one[0], two[1]), (two[0], one[1])]),
        fingerprint(tmp_path, []),
    ]
    assert len({*others, *same}) == 6


@pytest.mark.parametrize("inner", ["", "train/"])
@pytest.mark.parametrize("name", ["train_images", "train"])
def test_folder(tmp_path: Path, name: str, inner: str) -> None:
    folder = tmp_path / name
    (folder / inner).mkdir(parents=True)
    (folder / f"{inner}{B}.jpg").write_bytes(b"bbb")
    (folder / f"{inner}{A}.jpg").write_bytes(b"a")
    for place in {"", inner}:
        for passed_over in (".DS_Store", "Thumbs.db", f"._{A}.jpg", "desktop.ini"):
            (folder / place / passed_over).write_bytes(b"x")
        (folder / place / "__MACOSX").mkdir()
    report = Report()
    images = open_images(folder, "train", report)
    assert images.path == folder
    assert list(images.members.items()) == [
        (A, Member(f"{inner}{A}.jpg", -1, 1, 1, zlib.crc32(b"a"), zipfile.ZIP_STORED)),
        (B, Member(f"{inner}{B}.jpg", -1, 3, 3, zlib.crc32(b"bbb"), zipfile.ZIP_STORED)),
    ]
    assert images.bytes == 4
    assert report == Report()


def test_strays_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    (folder / f"{A}.jpg").mkdir(parents=True)
    (folder / "more").mkdir()
    os.mkfifo(folder / f"{B}.jpg")
    for stray in ("notes.txt", "ROCOv2_2023_valid_000001.jpg", f"{A}.JPG", "back\\slash.jpg"):
        (folder / stray).write_bytes(b"x")
    report = Report()
    assert open_images(folder, "train", report).members == {}
    assert report.problems == [
        Problem("stray-member", "train", "", "<id>.jpg", repr(name))
        for name in (
            f"{A}.JPG",
            f"{A}.jpg",
            f"{B}.jpg",
            "ROCOv2_2023_valid_000001.jpg",
            "back\\slash.jpg",
            "more",
            "notes.txt",
        )
    ]


def test_strays_beside_and_in_the_split_s_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "train_images"
    (folder / "train" / "train").mkdir(parents=True)
    (folder / "valid").mkdir()
    for name in (f"{A}.jpg", f"train/{A}.jpg", f"train/{B}.jpg", "notes.txt", "train/notes.txt", f"valid/{B}.jpg"):
        (folder / name).write_bytes(b"x")
    report = Report()
    images = open_images(folder, "train", report)
    assert {image_id: member.name for image_id, member in images.members.items()} == {
        A: f"{A}.jpg",
        B: f"train/{B}.jpg",
    }
    strays = ("notes.txt", "train/notes.txt", "train/train", "valid")
    assert report.problems == [
        *(Problem("stray-member", "train_images", "", "<id>.jpg", repr(name)) for name in strays[:1]),
        Problem("duplicate-member", "train_images", A, "one file", f"{A}.jpg and train/{A}.jpg"),
        *(Problem("stray-member", "train_images", "", "<id>.jpg", repr(name)) for name in strays[1:]),
    ]


def test_links_may_lead_into_raw_alone(tmp_path: Path) -> None:
    raw, outside = tmp_path / "raw", tmp_path / "disk"
    (raw / "store").mkdir(parents=True)
    outside.mkdir()
    (raw / "store" / "a").write_bytes(b"a")
    (outside / "secret").write_bytes(b"s")
    (outside / f"{B}.jpg").write_bytes(b"bb")
    folder = outside / "images"
    folder.mkdir()
    (raw / "train_images").symlink_to(folder)  # the user's own link, such as to a larger disk
    (folder / f"{A}.jpg").symlink_to(raw / "store" / "a")
    (folder / f"{B}.jpg").symlink_to("../secret")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "train").symlink_to(outside)
    report = Report()
    assert list(open_images(raw / "train_images", "train", report).members) == [A]
    expected = "a file, or a link into RAW"
    assert report.problems == [
        Problem("unsafe-member", "train_images", B, expected, f"'{B}.jpg', a link to '{outside / 'secret'}'"),
        Problem("stray-member", "train_images", "", "<id>.jpg", "'loop.jpg'"),
        Problem("unsafe-member", "train_images", "", expected, f"'train', a link to '{outside}'"),
    ]


def test_fingerprint_of_a_folder_is_that_of_its_zip(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    contents = ({A: b"aaaa", B: b"bbbb"}, {A: b"aaaa", B: b"bbbc"}, {A: b"bbbb", B: b"aaaa"}, {A: b"aaa", B: b"bbbb"})
    found = []
    for content in contents:
        for image_id, data in content.items():
            (folder / f"{image_id}.jpg").write_bytes(data)
        found.append(open_images(folder, "train", Report()).fingerprint)
        assert found[-1] == fingerprint(
            tmp_path, [(f"train/{image_id}.jpg", data) for image_id, data in content.items()]
        )
    assert len(set(found)) == 4
    os.utime(folder / f"{A}.jpg", (0, 0))
    assert open_images(folder, "train", Report()).fingerprint == found[-1]
