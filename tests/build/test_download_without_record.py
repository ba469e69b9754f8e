"""The downloader when the record cannot be read: what a person placed by hand is compared without it."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rocov2_build.download import download_release
from rocov2_build.raw.releases import FILES, LATEST, RELEASES, Release
from rocov2_shared.errors import UserError
from tests.conftest import Run
from tests.support.large_zips import write_large
from tests.support.raw import make_raw
from tests.support.zenodo import BIG, Answer, Zenodo

pytestmark = pytest.mark.usefixtures("pauses")

NUMBER = 42
UNREADABLE = [
    *(Answer(status=status) for status in (401, 403, 404, 410)),
    Answer(content=b"<html>This record was moved</html>"),
    Answer(content=b'{"id": 42, "metadata": {"access_right": "restricted"}}'),
    Answer(content=b'{"id": 42, "files": []}'),
    Answer(content=json.dumps({"files": {"enabled": True, "entries": {BIG: {"key": BIG, "size": 1}}}}).encode()),
]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The 14 files, placed by hand."""
    return make_raw(6, 2, 2).write(tmp_path / "raw")


@pytest.fixture
def server(raw: Path) -> Iterator[Zenodo]:
    """A server whose record lists these files."""
    with Zenodo({name: (raw / name).read_bytes() for name in FILES}, number=NUMBER) as zenodo:
        yield zenodo


def gone(server: Zenodo, answer: Answer = UNREADABLE[3]) -> str:
    """From now on the record cannot be read; the message about it if that is the default answer."""
    server.plan(None, iter(lambda: answer, None))
    return f"{server.url}{server.record_path}: the server answers 410 Gone"


@pytest.mark.parametrize("answer", UNREADABLE, ids=range(len(UNREADABLE)))
def test_all_files_placed_by_hand_will_do(
    server: Zenodo, raw: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    gone(server, answer)
    download_release(raw, NUMBER, base_url=server.url)
    why, not_compared, done = capsys.readouterr().err.splitlines()
    assert why.startswith(f"Noted     {server.url}{server.record_path}: the ")
    assert why.endswith(f". Without the record, the files in {raw}/ are compared with each other.")
    remedy = "rocov2 convert verifies every image."
    assert not_compared == f"Noted     not compared with the record: size and MD5 of all files. {remedy}"
    assert done == f"Done      {raw}/: 14 files agree with each other."
    assert [request.path for request in server.requests] == [server.record_path]


def test_what_was_verified_before_is_told(server: Zenodo, raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    download_release(raw, NUMBER, base_url=server.url)
    gone(server)
    capsys.readouterr()
    download_release(raw, NUMBER, base_url=server.url)
    assert "Noted     every MD5 was verified before, with the record.\n" in capsys.readouterr().err
    (raw / BIG).touch()
    download_release(raw, NUMBER, base_url=server.url)
    assert f"Noted     not compared with the record: size and MD5 of {BIG}. rocov2" in capsys.readouterr().err


def test_unpacked_images_will_do(tmp_path: Path, server: Zenodo, capsys: pytest.CaptureFixture[str]) -> None:
    unpacked = make_raw(6, 2, 2).write(tmp_path / "unpacked", unpacked=True)
    gone(server)
    download_release(unpacked, NUMBER, base_url=server.url)
    assert capsys.readouterr().err.endswith(f"{unpacked}/: 14 files agree with each other.\n")


def test_tables_alone(server: Zenodo, raw: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in FILES[-3:]:
        (raw / name).unlink()
    gone(server)
    download_release(raw, NUMBER, csv_only=True, base_url=server.url)
    assert capsys.readouterr().err.endswith(f"{raw}/: 11 files agree with each other.\n")


def test_missing_files_are_named(server: Zenodo, raw: Path) -> None:
    for name in ("cui_mapping.csv", BIG):
        (raw / name).unlink()
    problem = gone(server)
    there = [name for name in FILES if (raw / name).exists()]
    with pytest.raises(UserError) as error:
        download_release(raw, NUMBER, base_url=server.url)
    assert str(error.value) == problem + server.by_hand_without_record(raw, "cui_mapping.csv", BIG, there=there)


def cut(path: Path) -> None:
    """Leave the first half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def drop_line(path: Path) -> None:
    """Leave out the last line."""
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def wrap(path: Path) -> None:
    """Make the zip one of more than 4 GiB without Zip64."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    write_large(path, members, zip64=False)


@pytest.mark.parametrize(
    ("damage", "name", "told"),
    [
        (wrap, BIG, "damaged-zip: 1 zip that cannot be opened"),
        (cut, BIG, "damaged-zip: 1 zip that cannot be opened"),
        (drop_line, "valid_captions.csv", "missing-row: 1 row missing from a table"),
        (drop_line, "license_information.csv", "missing-license: 1 image without a licence row"),
        (lambda path: path.write_bytes(b"<html>"), "test_concepts.csv", "bad-header: 1 table with a wrong first line"),
        (lambda path: path.write_bytes(b""), "cui_mapping.csv", "bad-header: 1 table with a wrong first line"),
    ],
)
def test_faults_that_need_no_record_are_found(
    server: Zenodo, raw: Path, damage: Callable[[Path], object], name: str, told: str
) -> None:
    damage(raw / name)
    problem = gone(server)
    with pytest.raises(UserError) as error:
        download_release(raw, NUMBER, base_url=server.url)
    first, count, line, example, *_, last = str(error.value).splitlines()
    assert first == problem
    assert count == f"Without the record, the files in {raw}/ were compared with each other: 1 problem found."
    assert line == told
    assert name in example
    assert last == f"Replace these files by those of {server.url}/records/{NUMBER} or of another copy of the release."


def test_the_numbers_of_the_record_s_release_are_compared(
    server: Zenodo, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    images: dict[str, int] = {"train": 6, "validation": 2, "test": 2}
    unknown: dict[str, int | None] = dict.fromkeys(images)
    monkeypatch.setitem(RELEASES, "7", Release("7", NUMBER, ("CC BY", "CC BY-NC"), images, unknown))
    gone(server)
    download_release(raw, NUMBER, base_url=server.url)
    assert capsys.readouterr().err.endswith("14 files agree with each other, and have the numbers of release 7.\n")
    number = RELEASES[LATEST].record
    with pytest.raises(UserError) as error:
        download_release(raw, number, base_url=server.url)
    first, _, line, *_ = str(error.value).splitlines()
    assert first == f"{server.url}/api/records/{number}: the server answers 404 Not Found"
    assert line.startswith("wrong-count: ")


def test_the_command(tmp_path: Path, server: Zenodo, raw: Path, run: Run) -> None:
    problem = gone(server)
    options = ("--record", NUMBER, "--base-url", server.url)
    done = run("download_release", "raw", *options)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (0, "Done      raw/: 14 files agree with each other.")
    failed = run("download_release", "a/b", *options)
    assert failed.returncode == 1
    assert failed.stderr == f"Error: {problem}{server.by_hand_without_record(Path('a/b'), *FILES)}\n"
    assert not (tmp_path / "a").exists()


def no_record(server: Zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    gone(server)


def no_file(server: Zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plan(FILES[0], [Answer(status=403)] * 2)


def no_space(server: Zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=5))


def another_record(server: Zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    server.entries.pop(BIG)


def no_address(server: Zenodo, monkeypatch: pytest.MonkeyPatch) -> None:
    server.url = "zenodo.org"


@pytest.mark.parametrize("fault", [no_record, no_file, no_space, another_record, no_address])
def test_a_failed_start_leaves_no_folder(
    server: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Callable[..., None]
) -> None:
    fault(server, monkeypatch)
    with pytest.raises(UserError):
        download_release(tmp_path / "new" / "folder", NUMBER, base_url=server.url)
    assert not (tmp_path / "new").exists()
    (tmp_path / "own").mkdir()
    with pytest.raises(UserError):
        download_release(tmp_path / "own", NUMBER, base_url=server.url)
    assert list((tmp_path / "own").iterdir()) == []


def test_what_has_arrived_stays(server: Zenodo, tmp_path: Path) -> None:
    server.plan(FILES[0], [Answer(cut=10), Answer(status=403)])
    with pytest.raises(UserError):
        download_release(tmp_path / "new", NUMBER, base_url=server.url)
    assert (tmp_path / "new" / f".{FILES[0]}.part").stat().st_size == 10


@pytest.mark.parametrize("answer", [*UNREADABLE, Answer(status=503)], ids=range(len(UNREADABLE) + 1))
def test_a_password_in_the_address_of_the_server_is_not_shown(
    server: Zenodo, tmp_path: Path, answer: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    gone(server, answer)
    address = server.url.replace("://", "://me:sec@qwx@")
    with pytest.raises(UserError) as error:
        download_release(tmp_path / "new", NUMBER, base_url=address)
    shown = str(error.value) + capsys.readouterr().err
    assert "://***@127.0.0.1:" in shown
    assert "me:" not in shown
    assert "qwx" not in shown


@pytest.mark.parametrize("address", ["http://me:secret@[::1", "ftp://me:secret@example.org", "http://me:secret@a b:x"])
def test_a_password_in_an_address_that_is_none_is_not_shown(tmp_path: Path, address: str) -> None:
    with pytest.raises(UserError) as error:
        download_release(tmp_path / "new", NUMBER, base_url=address)
    assert "secret" not in str(error.value)
