"""The downloader with a server, a network or a disk that fails: what is kept, how long it waits, when it gives up."""

from __future__ import annotations

import errno
import io
import os
from email.utils import formatdate
from itertools import repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

from rocov2_build.download import download_release
from rocov2_build.raw.releases import FILES
from tests.support.zenodo import BIG, BIG_SIZE, CONTENTS, Answer, Zenodo, files_in, md5

pytestmark = pytest.mark.usefixtures("pauses")

CONTENT = CONTENTS[BIG]
ETAG = f'"{md5(CONTENT)}"'
OTHER = bytes(BIG_SIZE)
PART = f".{BIG}.part"
HALF = BIG_SIZE // 2
GROWING = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
NOW = 1_700_000_000.0
NO_ETAG = {"ETag": None}
FRESH = ((None, None), 200, BIG_SIZE)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time stands still."""
    monkeypatch.setattr("rocov2_shared.retry.time", SimpleNamespace(time=lambda: NOW))


def test_after_a_cut_only_the_rest_comes(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    zenodo.plan(BIG, [Answer(cut=100_001), Answer(cut=49_999)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [
        ((None, None), 200, 100_001),
        (("bytes=100001-", ETAG), 206, 49_999),
        (("bytes=150000-", ETAG), 206, HALF),
    ]
    assert pauses == [1.0, 1.0]
    short = "the connection failed: IncompleteRead(49999 bytes read, 150000 more expected)"
    assert f"Waiting   {BIG} at 150,000 of 300,000 bytes: {short}; again in 1 s\n" in capsys.readouterr().err


def test_a_later_command_goes_on_as_well(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(BIG, [Answer(cut=100_000), Answer(status=404)])
    assert zenodo.fail(tmp_path).endswith(f"{BIG}/content: the server answers 404 Not Found")
    assert (tmp_path / PART).read_bytes() == CONTENT[:100_000]
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG)[-1] == (("bytes=100000-", ETAG), 206, 200_000)


def test_a_part_of_another_record_is_not_gone_on_with(zenodo: Zenodo, tmp_path: Path) -> None:
    with Zenodo(CONTENTS | {BIG: OTHER}, number=8333645) as older:
        older.plan(BIG, [Answer(cut=1000, headers=NO_ETAG), Answer(status=404)])
        older.fail(tmp_path)
    assert (tmp_path / PART).read_bytes() == bytes(1000)
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [FRESH]


@pytest.mark.parametrize("note", [None, b"", b"[]", b'{"etag": 7}', b"\xff"])
def test_a_part_without_a_readable_note_is_not_gone_on_with(zenodo: Zenodo, tmp_path: Path, note: bytes | None) -> None:
    (tmp_path / PART).write_bytes(CONTENT[:1000])
    if note is not None:
        (tmp_path / f"{PART}.json").write_bytes(note)
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [FRESH]


def test_a_file_that_changes_meanwhile_is_begun_anew(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    zenodo.plan(BIG, [Answer(content=OTHER, cut=HALF)])
    zenodo.fetch(tmp_path)
    old = f'"{md5(OTHER)}"'
    assert zenodo.begins(BIG) == [((None, None), 200, HALF), ((f"bytes={HALF}-", old), 200, BIG_SIZE)]
    assert pauses == [1.0]


@pytest.mark.parametrize("etag", [None, 'W/"1"', '"1', "1", "", '"1"\r\n 2', '"1" "2"'])
def test_without_a_strong_etag_it_goes_on_without_a_condition(zenodo: Zenodo, tmp_path: Path, etag: str | None) -> None:
    zenodo.plan(BIG, [Answer(cut=HALF, headers={"ETag": etag}), Answer(headers={"ETag": etag})])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [((None, None), 200, HALF), ((f"bytes={HALF}-", None), 206, HALF)]


def test_without_an_etag_the_md5_finds_a_file_that_changed(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    zenodo.plan(BIG, [Answer(content=OTHER, cut=HALF, headers=NO_ETAG), Answer(headers=NO_ETAG)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [((None, None), 200, HALF), ((f"bytes={HALF}-", None), 206, HALF), FRESH]
    assert pauses == [1.0, 1.0]
    found = md5(OTHER[:HALF] + CONTENT[HALF:])
    told = f"Waiting   {BIG}: expected MD5 {md5(CONTENT)}, found {found}; again in 1 s\n"
    assert told in capsys.readouterr().err


def test_a_server_without_ranges_sends_all_again(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(BIG, [Answer(cut=HALF), Answer(ranges=False)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [((None, None), 200, HALF), ((f"bytes={HALF}-", ETAG), 200, BIG_SIZE)]


def test_a_file_damaged_on_its_way_is_fetched_again(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(BIG, [Answer(damage=7)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [FRESH, FRESH]


def test_what_has_to_come_again_is_not_counted_twice(
    zenodo: Zenodo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zenodo.plan(BIG, [Answer(cut=HALF), Answer(status=404), Answer(damage=HALF), Answer(cut=HALF), Answer(status=416)])
    zenodo.fail(tmp_path)
    zenodo.fetch(tmp_path)
    assert capsys.readouterr().err.splitlines()[-2].startswith("Download  ##############  14/14 files  911 kB/911 kB  ")


def test_a_file_that_is_always_damaged_gets_no_name(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.plan(BIG, repeat(Answer(damage=BIG_SIZE - 1)))
    found = md5(CONTENT[:-1] + bytes([CONTENT[-1] ^ 0xFF]))
    message = f"{BIG} was corrupted in two downloads: expected MD5 {md5(CONTENT)}, got {found}"
    assert zenodo.fail(tmp_path) == message
    assert files_in(tmp_path) == {name: CONTENTS[name] for name in FILES[:-3]}
    assert zenodo.begins(BIG) == [FRESH, FRESH]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("7", 7.0),
        ("900", 900.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        ("0", 1.0),
        (formatdate(NOW - 90, usegmt=True), 1.0),
        ("soon", 1.0),
        ("-5", 1.0),
        ("", 1.0),
    ],
)
def test_the_pause_is_the_one_that_the_server_asks_for(
    zenodo: Zenodo,
    tmp_path: Path,
    pauses: list[float],
    capsys: pytest.CaptureFixture[str],
    status: int,
    retry_after: str,
    seconds: float,
) -> None:
    busy = Answer(status=status, headers={"Retry-After": retry_after})
    zenodo.plan(BIG, [Answer(cut=HALF), busy])
    zenodo.plan(None, [busy])
    zenodo.fetch(tmp_path)
    assert pauses == [seconds, 1.0, seconds if seconds > 1 else 2.0]
    told = f"Waiting   {zenodo.url}{zenodo.record_path}: the server answers {status}; again in {seconds:.0f} s\n"
    assert capsys.readouterr().err.startswith(told)
    assert zenodo.begins(BIG)[-1] == ((f"bytes={HALF}-", ETAG), 206, HALF)


@pytest.mark.parametrize(
    ("retry_after", "asked"),
    [("901", "0:15:01"), (formatdate(NOW + 7200, usegmt=True), "2:00:00")],
)
def test_too_long_a_pause_is_told_instead_of_made(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], retry_after: str, asked: str
) -> None:
    zenodo.plan(BIG, [Answer(status=429, headers={"Retry-After": retry_after})])
    answered = f"{BIG} at 0 of 300,000 bytes: the server answers 429"
    assert zenodo.fail(tmp_path) == f"{answered} and asks for a pause of {asked}: try again after it"
    assert pauses == []


@pytest.mark.parametrize("digits", [10, 300, 5000])
def test_a_pause_of_any_number_is_no_traceback(zenodo: Zenodo, tmp_path: Path, digits: int) -> None:
    zenodo.plan(None, repeat(Answer(status=429, headers={"Retry-After": "9" * digits})))
    url = f"{zenodo.url}{zenodo.record_path}"
    assert zenodo.fail(tmp_path).startswith(f"{url}: the server answers 429")


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 520])
def test_a_busy_server_is_left_alone_for_longer_and_longer(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], status: int
) -> None:
    zenodo.plan(None, [Answer(status=status)] * 2)
    zenodo.plan(BIG, [Answer(status=status)] * 8)
    zenodo.fetch(tmp_path)
    assert pauses == [1.0, 2.0, *GROWING]


def test_a_server_that_stays_busy_is_given_up(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    zenodo.plan(BIG, repeat(Answer(status=500)))
    assert zenodo.fail(tmp_path) == f"{BIG} at 0 of 300,000 bytes: the server answers 500, 9 times in a row"
    assert (pauses, len(zenodo.begins(BIG))) == (GROWING, 9)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_always_stops_at_one_place_is_given_up_and_what_came_is_kept(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], ranges: bool
) -> None:
    zenodo.plan(BIG, repeat(Answer(cut_at=HALF, ranges=ranges)))
    short = f"the connection failed: IncompleteRead({0 if ranges else HALF} bytes read, {HALF} more expected)"
    assert zenodo.fail(tmp_path) == f"{BIG} at 150,000 of 300,000 bytes: {short}, 9 times in a row"
    assert (pauses, len(zenodo.begins(BIG))) == (GROWING, 9)
    assert (tmp_path / PART).read_bytes() == CONTENT[:HALF]
    zenodo.plan(BIG, [])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG)[-1] == ((f"bytes={HALF}-", ETAG), 206, HALF)


def test_a_server_that_gets_on_is_never_given_up(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    zenodo.plan(BIG, repeat(Answer(cut=10_000)))
    zenodo.fetch(tmp_path)
    assert pauses == [1.0] * 29


def test_without_a_server_it_ends_soon(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    zenodo.__exit__()
    tried: list[object] = []
    real = urllib3.util.connection.create_connection

    def connect(address: tuple[str, int], *arguments: Any, **options: Any) -> object:
        tried.append(address)
        return real(address, *arguments, **options)

    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect)
    refused = "the connection failed: [Errno 111] Connection refused, 4 times in a row"
    assert zenodo.fail(tmp_path) == f"{zenodo.url}{zenodo.record_path}: {refused}"
    assert (len(tried), pauses) == (4, GROWING[:3])


def test_a_new_file_or_a_gain_begins_the_pauses_anew(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    busy = [Answer(status=500)] * 3
    for name in (None, FILES[0], FILES[1]):
        zenodo.plan(name, busy)
    zenodo.plan(BIG, [*busy, Answer(cut=1000), *busy])
    zenodo.fetch(tmp_path)
    assert pauses == [1.0, 2.0, 4.0] * 4 + [1.0, 2.0, 4.0, 8.0]


class FullDisk(io.FileIO):
    """A file on a disk that has room for one block of it and a half."""

    def write(self, block: object) -> int:
        if self.tell() > 0:
            super().write(bytes(block)[: 1 << 15])  # type: ignore[call-overload]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.name)
        return super().write(block)  # type: ignore[arg-type]


def test_on_a_full_disk_the_part_is_kept(zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    def open_full(path: Path, mode: str = "r", *arguments: object, **options: object) -> object:
        if path.name == PART and mode == "ab":
            return FullDisk(path, mode)
        return real(path, mode, *arguments, **options)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_full)
        with pytest.raises(OSError, match="No space left on device") as error:
            download_release(tmp_path, base_url=zenodo.url)
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, tmp_path / PART)
    kept = (1 << 16) + (1 << 15)
    assert (tmp_path / PART).read_bytes() == CONTENT[:kept]
    assert not (tmp_path / BIG).exists()
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG)[1:] == [((f"bytes={kept}-", ETAG), 206, BIG_SIZE - kept)]
