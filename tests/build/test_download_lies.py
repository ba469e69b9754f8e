"""The downloader with a server that says what is not so: sizes, ranges, the record."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from rocov2_build.download import download_release
from rocov2_shared.errors import UserError
from tests.support.zenodo import BIG, BIG_SIZE, CONTENTS, RECORD, Answer, Zenodo, files_in, md5

pytestmark = pytest.mark.usefixtures("pauses")

CONTENT = CONTENTS[BIG]
ETAG = f'"{md5(CONTENT)}"'
PART = f".{BIG}.part"
HALF = BIG_SIZE // 2
FRESH = ((None, None), 200, BIG_SIZE)
CUT = ((None, None), 200, HALF)
REST = ((f"bytes={HALF}-", ETAG), 206, HALF)
NO_LENGTH = {"Content-Length": None}
MISSING = object()


@pytest.mark.parametrize("listed", [BIG_SIZE + 1, BIG_SIZE - 1])
def test_a_file_of_another_size_than_listed_is_not_taken(zenodo: Zenodo, tmp_path: Path, listed: int) -> None:
    zenodo.entries[BIG]["size"] = listed
    told = f"{BIG} at 0 of {listed:,} bytes: the server has 300000 bytes, 9 times in a row"
    assert zenodo.fail(tmp_path) == told
    assert not (tmp_path / PART).exists()
    assert not (tmp_path / BIG).exists()


def test_a_file_that_ends_before_the_listed_size_is_not_taken(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.entries[BIG]["size"] = BIG_SIZE + 1
    zenodo.plan(BIG, repeat(Answer(headers=NO_LENGTH)))
    told = f"{BIG} at 300,000 of 300,001 bytes: the server stopped sending, 9 times in a row"
    assert zenodo.fail(tmp_path) == told
    past_the_end = ((f"bytes={BIG_SIZE}-", ETAG), 416, 0)
    assert zenodo.begins(BIG) == [FRESH, past_the_end] * 4 + [FRESH]
    assert not (tmp_path / BIG).exists()


def test_a_file_that_goes_on_after_the_listed_size_is_not_taken(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.entries[BIG]["size"] = BIG_SIZE - 1
    zenodo.plan(BIG, [Answer(headers=NO_LENGTH)])
    assert zenodo.fail(tmp_path) == f"{BIG}: expected 299,999 bytes, but the server sends more"
    assert not (tmp_path / BIG).exists()


@pytest.mark.parametrize("length", ["5", "299999", "300001", "400000"])
def test_a_wrong_content_length_is_met_with_another_request(
    zenodo: Zenodo, tmp_path: Path, pauses: list[float], length: str, capsys: pytest.CaptureFixture[str]
) -> None:
    zenodo.plan(BIG, [Answer(headers={"Content-Length": length})])
    zenodo.fetch(tmp_path)
    told = f"Waiting   {BIG} at 0 of 300,000 bytes: the server has {length} bytes; again in 1 s\n"
    assert told in capsys.readouterr().err
    assert pauses == [1.0]
    assert zenodo.begins(BIG)[1:] == [FRESH]


def test_the_page_of_a_proxy_does_not_replace_what_is_there(zenodo: Zenodo, tmp_path: Path) -> None:
    page = b"<html>Sign in</html>"
    zenodo.plan(BIG, [Answer(cut=HALF), Answer(content=page, ranges=False)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG)[::2] == [CUT, REST]


def test_after_416_it_begins_anew(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    zenodo.plan(BIG, [Answer(cut=HALF), Answer(status=416)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [CUT, (REST[0], 416, 0), FRESH]
    assert pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    "content_range",
    [None, "", "garbage", "bytes */300000", "bytes 0-149999/300000", f"bytes {HALF - 1}-299999/300000", "bytes -5"],
)
def test_a_range_that_was_not_asked_for_is_not_taken(
    zenodo: Zenodo, tmp_path: Path, content_range: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    zenodo.plan(BIG, [Answer(cut=HALF), Answer(headers={"Content-Range": content_range})])
    zenodo.fetch(tmp_path)
    assert [begin[:2] for begin in zenodo.begins(BIG)] == [CUT[:2], REST[:2], FRESH[:2]]
    told = (
        f"Waiting   {BIG} at 0 of 300,000 bytes: the server cannot resume the file, so it starts again; again in 2 s\n"
    )
    assert told in capsys.readouterr().err


def test_a_range_from_the_beginning_is_the_file(zenodo: Zenodo, tmp_path: Path) -> None:
    partial = {"Content-Range": f"bytes 0-{BIG_SIZE - 1}/{BIG_SIZE}"}
    zenodo.plan(BIG, [Answer(status=206, content=CONTENT, headers=partial, cut=HALF), Answer(ranges=True)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [((None, None), 206, HALF), ((f"bytes={HALF}-", None), 206, HALF)]


def test_a_whole_file_that_claims_a_range_is_the_whole_file(zenodo: Zenodo, tmp_path: Path) -> None:
    claim = {"Content-Range": f"bytes {HALF}-{BIG_SIZE - 1}/{BIG_SIZE}"}
    zenodo.plan(BIG, [Answer(cut=HALF), Answer(ranges=False, headers=claim)])
    zenodo.fetch(tmp_path)
    assert zenodo.begins(BIG) == [CUT, (REST[0], 200, BIG_SIZE)]


def test_redirects_in_a_circle_end(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    zenodo.plan(BIG, repeat(Answer(status=302, headers={"Location": zenodo.path(BIG)})))
    told = f"{BIG} at 0 of 300,000 bytes: the connection failed: too many redirects, 9 times in a row"
    assert zenodo.fail(tmp_path) == told
    assert (len(pauses), len(zenodo.asked(BIG))) == (8, 9 * 6)


@pytest.mark.parametrize(
    "content", [b"<html>", b'{"files": ', b"", b"\xff\xfe", b"[" * 200_000, b'{"files": [' + b" " * 10_000_000 + b"]}"]
)
def test_a_record_that_is_no_json(zenodo: Zenodo, tmp_path: Path, content: bytes) -> None:
    zenodo.plan(None, [Answer(content=content)])
    url = f"{zenodo.url}{zenodo.record_path}"
    assert zenodo.fail(tmp_path) == f"{url}: the record is not JSON"
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize(
    "content", [b"[]", b"7", b"null", b'"files"', b"{}", b'{"files": null}', b'{"files": {"a": 1}}']
)
def test_a_record_without_a_list_of_files(zenodo: Zenodo, tmp_path: Path, content: bytes) -> None:
    zenodo.plan(None, [Answer(content=content)])
    expected = "the record has no files with key, size, checksum and links ("
    assert zenodo.fail(tmp_path).startswith(f"{zenodo.url}{zenodo.record_path}: {expected}")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("key", value) for value in (MISSING, {}, [])),
        *(("size", value) for value in (MISSING, None, "300000", -1, 0, True, 1.5, float("inf"))),
        *(("checksum", value) for value in (MISSING, None, 7, "", "md5:", "sha256:" + "0" * 64, "md5:" + "g" * 32)),
        *(("links", value) for value in (MISSING, None, {}, [], {"self": None}, {"self": "file:///etc/passwd"})),
        ("links", {"self": "ftp://127.0.0.1/x"}),
        ("links", {"self": "/relative"}),
    ],
)
def test_a_file_that_is_not_listed_in_full(zenodo: Zenodo, tmp_path: Path, key: str, value: Any) -> None:
    zenodo.entries[BIG][key] = value
    if value is MISSING:
        del zenodo.entries[BIG][key]
    expected = "the record has no files with key, size, checksum and links ("
    assert zenodo.fail(tmp_path).startswith(f"{zenodo.url}{zenodo.record_path}: {expected}")
    assert len(zenodo.requests) == 1


def test_what_is_not_of_the_release_may_be_listed_in_any_form(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.entries["README.md"] = {"key": "README.md", "checksum": "sha512:?"}
    zenodo.fetch(tmp_path)


def test_a_record_of_something_else(zenodo: Zenodo, tmp_path: Path) -> None:
    for name in (BIG, "cui_mapping.csv"):
        zenodo.entries[name]["key"] = f"../{name}"
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=zenodo.url)
    record = f"{zenodo.url}{zenodo.record_path} is not a release of ROCOv2, since it has no cui_mapping.csv, {BIG}: "
    assert str(error.value) == record + "choose another --record"
    assert files_in(tmp_path) == {}


def test_a_record_that_is_cut_is_asked_for_again(zenodo: Zenodo, tmp_path: Path, pauses: list[float]) -> None:
    zenodo.plan(None, [Answer(cut=100), Answer(cut=0)])
    zenodo.fetch(tmp_path)
    assert pauses == [1.0, 2.0]


@pytest.mark.parametrize("address", ["", "nonsense", "zenodo.org", "ftp://127.0.0.1", "//127.0.0.1"])
def test_an_address_without_its_beginning(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=address)
    found = f"got {address}/api/records/{RECORD}"
    assert str(error.value) == f"the address must begin with https:// or http://, {found}"


@pytest.mark.parametrize("address", ["http://[", "http://a:b", "http://127.0.0.1:99999"])
def test_an_address_that_is_none(tmp_path: Path, pauses: list[float], address: str) -> None:
    with pytest.raises(UserError) as error:
        download_release(tmp_path, base_url=address)
    found = f"{address}/api/records/{RECORD}"
    assert str(error.value).startswith(f"invalid server address {found} (")
    assert pauses == []
