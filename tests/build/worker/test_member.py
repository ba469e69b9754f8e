"""Single members read out of a zip or folder; whatever an archive lies about is found before it does harm."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from rocov2_build.raw.archives import open_images
from rocov2_build.raw.problems import Report
from rocov2_build.worker import member
from rocov2_build.worker.member import BadImageError, Member, MemberReader
from rocov2_shared.errors import UserError
from tests.support.raw import write_zip

A, B = "ROCOv2_2023_train_000001", "ROCOv2_2023_train_000002"
NAME = f"train/{A}.jpg"
DATA = bytes(range(256)) * 8


def make_zip(
    folder: Path, compression: int = zipfile.ZIP_DEFLATED, change: Callable[[bytearray], None] | None = None
) -> Path:
    """A zip with `DATA` as first member, changed by hand."""
    path = folder / "train_images.zip"
    write_zip(path, [(NAME, DATA), (f"train/{B}.jpg", b"second")], compression)
    if change:
        content = bytearray(path.read_bytes())
        change(content)
        path.write_bytes(content)
    return path


def read(path: Path, image_id: str = A) -> bytes:
    """One member as the directory places it."""
    images = open_images(path, "train", Report())
    with MemberReader(path) as reader:
        return reader.read(images.members[image_id])


def refusal(path: Path, image_id: str = A) -> tuple[str, str, str]:
    """Code, expected and found of the refused member."""
    with pytest.raises(BadImageError) as caught:
        read(path, image_id)
    return caught.value.code, caught.value.expected, caught.value.found


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_stored_and_deflated(tmp_path: Path, compression: int) -> None:
    path = make_zip(tmp_path, compression)
    assert (read(path), read(path, B)) == (DATA, b"second")


class _Unseekable(io.RawIOBase):
    """A stream that cannot go back, so that sizes follow the data in a descriptor."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.content += data
        return len(data)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_data_descriptors(tmp_path: Path, compression: int) -> None:
    stream = _Unseekable()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr(NAME, DATA)
    assert struct.unpack_from("<H2x4xLLL", stream.content, 6) == (0x8, 0, 0, 0)
    path = tmp_path / "train_images.zip"
    path.write_bytes(stream.content)
    assert read(path) == DATA


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_after_other_bytes(tmp_path: Path, compression: int) -> None:
    path = make_zip(tmp_path, compression)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert read(path) == DATA


def test_a_folder_named_in_the_old_encoding_of_zips(tmp_path: Path) -> None:
    path = make_zip(tmp_path)
    path.write_bytes(
        path.read_bytes().replace(b"train/", b"tr\x84in/")
    )  # ä in code page 437, without the flag of UTF-8
    assert read(path) == DATA


def test_other_data_than_the_checksum_says(tmp_path: Path) -> None:
    path = make_zip(tmp_path, zipfile.ZIP_STORED, lambda raw: raw.__setitem__(30 + len(NAME) + 5, 0xFF))
    wrong = DATA[:5] + b"\xff" + DATA[6:]
    assert refusal(path) == ("damaged-member", f"CRC-32 {zlib.crc32(DATA):08x}", f"{zlib.crc32(wrong):08x}")
    assert read(path, B) == b"second"


def test_deflated_data_that_is_none(tmp_path: Path) -> None:
    path = make_zip(tmp_path, change=lambda raw: raw.__setitem__(slice(30 + len(NAME), 34 + len(NAME)), b"\xff" * 4))
    code, expected, found = refusal(path)
    assert (code, expected) == ("damaged-member", "deflated data")
    assert found.startswith("Error -3 while decompressing data")


@pytest.mark.parametrize(
    ("change", "expected", "found"),
    [
        (lambda raw: raw.__setitem__(slice(0, 4), b"XXXX"), "a local header at its place in the zip", "b'XXXX'"),
        (lambda raw: raw.__setitem__(8, 0), f"{NAME} (method 8) as in the directory", f"{NAME} (method 0)"),
        (
            lambda raw: raw.__setitem__(30 + len(NAME) - 5, ord("9")),
            f"{NAME} (method 8) as in the directory",
            f"train/{A[:-1]}9.jpg (method 8)",
        ),
        (
            lambda raw: raw.__setitem__(30, 0xFF),
            f"{NAME} (method 8) as in the directory",
            f"\xa0{NAME[1:]} (method 8)",
        ),
    ],
)
def test_a_local_header_that_contradicts_the_directory(
    tmp_path: Path, change: Callable[[bytearray], None], expected: str, found: str
) -> None:
    assert refusal(make_zip(tmp_path, change=change)) == ("damaged-member", expected, found)


def test_encrypted_in_the_local_header_alone(tmp_path: Path) -> None:
    path = make_zip(tmp_path, change=lambda raw: raw.__setitem__(6, raw[6] | 1))
    assert refusal(path) == ("encrypted-member", "no encryption", "an encrypted member")


def set_sizes(compressed: int | None, size: int | None) -> Callable[[bytearray], None]:
    """Change the sizes that the directory states for the first member."""

    def change(raw: bytearray) -> None:
        place = raw.index(b"PK\1\2") + 20
        for offset, value in ((place, compressed), (place + 4, size)):
            if value is not None:
                struct.pack_into("<L", raw, offset, value)

    return change


@pytest.mark.parametrize("stated", [1, len(DATA) - 1])
def test_a_bomb_gives_one_byte_more_than_stated(tmp_path: Path, stated: int) -> None:
    path = make_zip(tmp_path, change=set_sizes(None, stated))
    assert refusal(path) == ("damaged-member", f"{stated:,} bytes", f"{stated + 1:,}")


def test_less_data_than_stated(tmp_path: Path) -> None:
    path = make_zip(tmp_path, change=set_sizes(None, 5000))
    assert refusal(path) == ("damaged-member", "5,000 bytes", "2,048")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_cut_compressed_data(tmp_path: Path, compression: int) -> None:
    path = make_zip(tmp_path, compression, set_sizes(20, None))
    code, expected, _ = refusal(path)
    assert (code, expected) == ("damaged-member", "2,048 bytes")


@pytest.mark.parametrize("compressed", [100_000, 0xFFFFFFF0])
def test_data_beyond_the_end_of_the_zip(tmp_path: Path, compressed: int) -> None:
    path = make_zip(tmp_path, change=set_sizes(compressed, None))
    found = f"{compressed:,} bytes at {30 + len(NAME)}"
    assert refusal(path) == ("damaged-member", "data inside the zip", found)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unknown_compression(tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path, method)
    assert refusal(path) == ("damaged-member", "a stored or deflated member", f"compression method {method}")


def test_truncated_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path, zipfile.ZIP_STORED)
    images = open_images(path, "train", Report())
    content = path.read_bytes()
    for kept, expected, found in (
        (1000, "data inside the zip", f"2,048 bytes at {30 + len(NAME)}"),
        (20, "a place in the 20 bytes of the zip", "0"),
        (0, "a place in the 0 bytes of the zip", "0"),
    ):
        path.write_bytes(content[:kept])
        with MemberReader(path) as reader, pytest.raises(BadImageError) as caught:
            reader.read(images.members[A])
        assert (caught.value.code, caught.value.expected, caught.value.found) == ("damaged-member", expected, found)


@pytest.mark.parametrize("offset", [-1, -30, 2**31, 2**63, 2**64 - 1])
def test_a_place_outside_of_the_zip(tmp_path: Path, offset: int) -> None:
    path = make_zip(tmp_path)
    with MemberReader(path) as reader, pytest.raises(BadImageError) as caught:
        reader.read(Member(NAME, offset, 10, 10, 0, zipfile.ZIP_DEFLATED))
    assert caught.value.code == "damaged-member"


def test_a_zip_whose_head_is_cut(tmp_path: Path) -> None:
    path = make_zip(tmp_path, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes()[100:])  # the directory's places then point 100 bytes too far, or before the file
    assert refusal(path)[0] == "damaged-member"
    assert read(path, B) == b"second"


@pytest.mark.parametrize("unpacked", [False, True])
def test_empty_member(tmp_path: Path, unpacked: bool) -> None:
    path = tmp_path / ("train" if unpacked else "train_images.zip")
    if unpacked:
        path.mkdir()
        (path / f"{A}.jpg").touch()
    else:
        write_zip(path, [(NAME, b"")])
    assert refusal(path) == ("not-a-jpeg", "a JPEG", "an empty file")


@pytest.mark.parametrize("unpacked", [False, True])
def test_too_large(tmp_path: Path, unpacked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train" if unpacked else make_zip(tmp_path)
    if unpacked:
        path.mkdir()
        (path / f"{A}.jpg").write_bytes(DATA)
    monkeypatch.setattr(member, "MAX_IMAGE_BYTES", 2047)
    assert refusal(path) == ("image-too-large", "at most 2,047 bytes", "2,048 bytes")
    monkeypatch.setattr(member, "MAX_IMAGE_BYTES", 2048)
    assert read(path) == DATA


def test_limit() -> None:
    assert member.MAX_IMAGE_BYTES == 100_000_000


def test_folder(tmp_path: Path) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / f"{A}.jpg").write_bytes(DATA)
    assert read(folder) == DATA


@pytest.mark.parametrize(
    ("content", "expected", "found"),
    [
        (DATA[:-1], "2,048 bytes", "2,047"),
        (DATA * 2, "2,048 bytes", "2,049"),  # no more is read
        (b"", "2,048 bytes", "0"),
        (bytes(2048), f"CRC-32 {zlib.crc32(DATA):08x}", f"{zlib.crc32(bytes(2048)):08x}"),
    ],
)
def test_a_file_of_a_folder_that_changed(tmp_path: Path, content: bytes, expected: str, found: str) -> None:
    file = tmp_path / "train" / f"{A}.jpg"
    file.parent.mkdir()
    file.write_bytes(DATA)
    images = open_images(file.parent, "train", Report())
    file.write_bytes(content)
    with MemberReader(file.parent) as reader, pytest.raises(BadImageError) as caught:
        reader.read(images.members[A])
    assert (caught.value.code, caught.value.expected, caught.value.found) == ("damaged-member", expected, found)


def test_a_file_of_a_folder_that_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "train" / f"{A}.jpg"
    file.parent.mkdir()
    with MemberReader(file.parent) as reader, pytest.raises(BadImageError) as caught:
        reader.read(Member(file.name, -1, 1, 1, 0, 0))
    assert (caught.value.code, caught.value.expected) == ("damaged-member", "a readable file")


def test_a_source_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train_images\.zip is gone: the raw release must stay"):
        MemberReader(tmp_path / "train_images.zip").__enter__()


def test_the_zip_is_closed(tmp_path: Path) -> None:
    path = make_zip(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    with MemberReader(path) as reader:
        assert reader.read(open_images(path, "train", Report()).members[A]) == DATA
    assert len(os.listdir("/proc/self/fd")) == before
