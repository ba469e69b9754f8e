"""The downloader with a server that does its part: what comes, what is there already, what a person is told."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocov2_build import download
from rocov2_build.download import download_release
from rocov2_build.raw.releases import FILES
from rocov2_shared.errors import UserError
from tests.support.zenodo import BIG, BIG_SIZE, CONTENTS, LOCK, OWN, RECORD, Answer, Zenodo, files_in, md5

pytestmark = pytest.mark.usefixtures("pauses")

TABLES = {name: content for name, content in CONTENTS.items() if name.endswith(".csv")}


def place(raw: Path, names: Iterable[str] = FILES) -> None:
    """Put files into the folder as a person does who has them from elsewhere."""
    raw.mkdir(exist_ok=True)
    for name in names:
        (raw / name).write_bytes(CONTENTS[name])


def test_all_files_come_byte_for_byte_and_nothing_else_stays(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float]
) -> None:
    raw = tmp_path / "some" / "raw"
    download_release(raw, base_url=zenodo.url)
    assert files_in(raw) == CONTENTS
    assert {path.name for path in raw.iterdir()} == OWN | set(FILES)
    assert [(request.method, request.path, request.status) for request in zenodo.requests] == [
        ("GET", path, 200) for path in (zenodo.record_path, *map(zenodo.path, FILES))
    ]
    assert pauses == []


def test_every_request_names_the_program_and_asks_for_the_bytes_as_they_are(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(BIG, [Answer(cut=1000)])
    download_release(tmp_path, base_url=zenodo.url)
    headers = [(request.headers["User-Agent"], request.headers["Accept-Encoding"]) for request in zenodo.requests]
    assert headers == [("rocov2-hub (download of the dataset ROCOv2)", "identity")] * 16


def test_csv_only_leaves_out_the_zips(zenodo: Zenodo, tmp_path: Path) -> None:
    download_release(tmp_path, csv_only=True, base_url=zenodo.url)
    assert len(TABLES) == 11
    assert files_in(tmp_path) == TABLES
    assert len(zenodo.requests) == 12


def test_another_record_is_fetched_by_its_number(tmp_path: Path) -> None:
    with Zenodo(CONTENTS, number=8333645) as zenodo:
        download_release(tmp_path, 8333645, csv_only=True, base_url=f"{zenodo.url}/")
        assert files_in(tmp_path) == TABLES
        assert zenodo.requests[0].path == "/api/records/8333645"
        with pytest.raises(UserError, match=f"^{zenodo.url}/api/records/{RECORD}: the server answers 404 Not Found\n"):
            download_release(tmp_path / "latest", base_url=f"{zenodo.url}/")


def test_redirects_are_followed(zenodo: Zenodo, tmp_path: Path) -> None:
    elsewhere = f"/storage/files/{BIG}/content"
    zenodo.plan(BIG, [Answer(cut=1000), Answer(status=302, headers={"Location": elsewhere})])
    download_release(tmp_path, base_url=zenodo.url)
    assert files_in(tmp_path) == CONTENTS
    [last] = [request for request in zenodo.requests if request.path == elsewhere]
    assert (last.headers["Range"], last.status, last.sent) == ("bytes=1000-", 206, BIG_SIZE - 1000)


def test_what_is_told(zenodo: Zenodo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download_release(tmp_path, base_url=zenodo.url)
    out, err = capsys.readouterr()
    assert out == ""
    progress, done = err.splitlines()
    assert progress.startswith("Download  ##############  14/14 files  911 kB/911 kB  ")
    assert done == f"Done      {tmp_path}/: 14 files, 911 kB, every MD5 verified."
    download_release(tmp_path, base_url=zenodo.url, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_files_placed_by_hand_are_verified_once(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place(tmp_path)
    read: list[str] = []

    def read_md5(path: Path) -> str:
        read.append(path.name)
        return md5(path.read_bytes())

    monkeypatch.setattr(download, "file_md5", read_md5)
    download_release(tmp_path, base_url=zenodo.url)
    assert (read, len(zenodo.requests)) == (list(FILES), 1)
    download_release(tmp_path, base_url=zenodo.url)
    assert read == list(FILES)
    os.utime(tmp_path / BIG, ns=(1, 1))
    download_release(tmp_path, base_url=zenodo.url)
    assert read == [*FILES, BIG]
    assert files_in(tmp_path) == CONTENTS


def test_a_downloaded_file_is_not_read_again(zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    download_release(tmp_path, base_url=zenodo.url)
    monkeypatch.setattr(download, "file_md5", lambda path: pytest.fail(f"{path} is read"))
    download_release(tmp_path, base_url=zenodo.url)
    assert len(zenodo.requests) == 16


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff", b'{"train_images.zip": 7}'])
def test_a_damaged_note_of_what_was_verified_is_written_anew(zenodo: Zenodo, tmp_path: Path, damage: bytes) -> None:
    place(tmp_path)
    download_release(tmp_path, base_url=zenodo.url)
    path = tmp_path / ".verified.json"
    note = json.loads(path.read_text())
    path.write_bytes(damage)
    download_release(tmp_path, base_url=zenodo.url)
    assert json.loads(path.read_text()) == note
    assert note.keys() == CONTENTS.keys()


@pytest.mark.parametrize("same_size", [True, False])
def test_a_wrong_file_placed_by_hand_is_told_and_left_as_it_is(zenodo: Zenodo, tmp_path: Path, same_size: bool) -> None:
    wrong = bytes(BIG_SIZE if same_size else 5)
    (tmp_path / BIG).write_bytes(wrong)
    expected, found = (f"MD5 {md5(CONTENTS[BIG])}", f"MD5 {md5(wrong)}") if same_size else ("300,000 bytes", "5 bytes")
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=zenodo.url)
    message = f"{tmp_path / BIG} differs from the record: expected {expected}, found {found}. Move it away"
    assert str(error.value) == message
    assert files_in(tmp_path) == {BIG: wrong}
    assert [request.path for request in zenodo.requests] == [zenodo.record_path]


def test_a_part_is_removed_when_the_file_was_placed_by_hand(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(BIG, [Answer(cut=1000), Answer(status=403)])
    with pytest.raises(UserError, match="the server answers 403 Forbidden\n"):
        download_release(tmp_path, base_url=zenodo.url)
    assert (tmp_path / f".{BIG}.part").stat().st_size == 1000
    place(tmp_path, [BIG])
    download_release(tmp_path, base_url=zenodo.url)
    assert files_in(tmp_path) == CONTENTS


def test_the_manual_steps_name_only_what_is_missing(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(None, [Answer(status=404)] * 2)
    place(tmp_path, FILES[:-2])
    problem = f"{zenodo.url}{zenodo.record_path}: the server answers 404 Not Found"
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=zenodo.url)
    assert str(error.value) == problem + zenodo.by_hand_without_record(tmp_path, *FILES[-2:], there=FILES[:-2])
    with pytest.raises(UserError) as error:
        download_release(tmp_path / "raw", csv_only=True, base_url=zenodo.url)
    assert str(error.value) == problem + zenodo.by_hand_without_record(tmp_path / "raw", *TABLES)
    zenodo.plan(FILES[-2], [Answer(status=404)])
    problem = f"{zenodo.url}{zenodo.path(FILES[-2])}: the server answers 404 Not Found"
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=zenodo.url)
    assert str(error.value) == problem + zenodo.by_hand(tmp_path, *FILES[-2:])


@pytest.mark.parametrize("folder", ["train_images", "train"])
def test_a_zip_that_is_unpacked_is_not_downloaded(
    zenodo: Zenodo, tmp_path: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / folder / "train").mkdir(parents=True)
    download_release(tmp_path, base_url=zenodo.url)
    noted, *_, done = capsys.readouterr().err.splitlines()
    where = f"is unpacked in {tmp_path / folder}/, so it is not downloaded, and its MD5 cannot be verified"
    assert noted == f"Noted     {BIG} {where}. To download it, move that folder away."
    assert done == f"Done      {tmp_path}/: 13 files, 611 kB, every MD5 verified."
    assert not (tmp_path / BIG).exists()
    (tmp_path / folder / "train").rmdir()  # an empty folder is no unpacked zip
    (tmp_path / folder).rmdir()
    (tmp_path / folder).mkdir()
    download_release(tmp_path, base_url=zenodo.url)
    assert (tmp_path / BIG).read_bytes() == CONTENTS[BIG]


def test_too_little_space_is_told_before_anything_is_fetched(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(map(len, CONTENTS.values())) - BIG_SIZE
    place(tmp_path, [BIG])
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=size - 1))
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=zenodo.url)
    needs = (
        f"not enough disk space for {tmp_path}/: 611 kB needed, 611 kB free. Free some space or choose another folder"
    )
    assert str(error.value) == needs
    assert len(zenodo.requests) == 1
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=size))
    zenodo.fetch(tmp_path)


def test_what_is_there_of_a_file_needs_no_more_space(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zenodo.plan(BIG, [Answer(cut=1000), Answer(status=404)])
    zenodo.fail(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=3 * BIG_SIZE - 1000))
    zenodo.fetch(tmp_path)


def test_a_second_command_on_the_same_folder_is_refused(zenodo: Zenodo, tmp_path: Path) -> None:
    with (tmp_path / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UserError) as error:
            download_release(tmp_path, base_url=zenodo.url)
        assert str(error.value) == f"another command downloads into {tmp_path}/: wait for it"
        assert (zenodo.requests, files_in(tmp_path)) == ([], {})
    download_release(tmp_path, base_url=zenodo.url)
    assert files_in(tmp_path) == CONTENTS


def test_names_from_the_record_never_become_paths(zenodo: Zenodo, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    entry = zenodo.entries[BIG]
    for name in ("../outside", "/etc/outside", f"{tmp_path}/outside", f"x/../{BIG}", "", ".", "unknown.csv"):
        zenodo.entries[name] = entry | {"key": name}
    download_release(raw, base_url=zenodo.url)
    assert files_in(raw) == CONTENTS
    assert list(tmp_path.iterdir()) == [raw]
    assert len(zenodo.requests) == 15


def test_a_file_is_on_disk_before_it_has_its_name(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, set[str]] = {}

    def sync(handle: int) -> None:
        synced[os.fstat(handle).st_ino] = {path.name for path in tmp_path.iterdir()}

    monkeypatch.setattr(os, "fsync", sync)
    zenodo.fetch(tmp_path)
    for name in FILES:
        names = synced[(tmp_path / name).stat().st_ino]
        assert f".{name}.part" in names
        assert name not in names
