"""A new folder: whole or not at all, never in the place of somebody's files, with and without locks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rocov2_shared import folders
from rocov2_shared.errors import UserError
from rocov2_shared.folders import new_folder
from rocov2_shared.marks import MARK
from tests.support.repositories import files_of


@pytest.fixture(params=[True, False], ids=["with locks", "without locks"], autouse=True)
def locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        monkeypatch.setattr(folders, "HAS_LOCKS", False)
        monkeypatch.delattr("os.O_DIRECTORY", raising=False)
    return bool(request.param)


def is_old(folder: Path) -> bool:
    return (folder / "old").exists()


def write(output: Path, name: str = "new", **options: object) -> None:
    with new_folder(output, **options) as folder:  # type: ignore[arg-type]
        assert folder != output
        (folder / "sub").mkdir()
        (folder / "sub" / name).write_text(name)
        (folder / "app.py").touch()


@pytest.mark.parametrize("empty", [False, True], ids=["missing", "empty"])
def test_a_folder_appears_when_it_is_whole(tmp_path: Path, empty: bool) -> None:
    output = tmp_path / "a" / "out"
    if empty:
        output.mkdir(parents=True)
    write(output)
    assert [path.name for path in output.parent.iterdir()] == ["out"]
    assert files_of(output).keys() == {"sub/new", "app.py"}


def fail(output: Path, **options: object) -> None:
    with new_folder(output, **options) as folder:  # type: ignore[arg-type]
        (folder / "file").touch()
        raise RuntimeError


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail(tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("output", ["file", "file/a/b", "link"])
def test_a_file_is_not_replaced(tmp_path: Path, output: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(UserError, match=r"file is a file, not a folder: name a new folder"):
        write(tmp_path / output)
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


@pytest.mark.parametrize("target", ["missing", "empty"])
@pytest.mark.parametrize("fill", [None, "app.py"])
def test_the_target_of_a_link_is_made(tmp_path: Path, target: str, fill: str | None) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(target)
    write(tmp_path / "link", fill=fill)
    assert (tmp_path / "link").is_symlink()
    assert files_of(tmp_path / target).keys() == {"sub/new", "app.py"}
    assert sorted(os.listdir(tmp_path)) == sorted({"empty", "link", target})


def test_a_mount_point_is_refused_but_can_be_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "volume"
    output.mkdir()
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path) == output)
    with pytest.raises(UserError, match=r"FOLDER .*volume is a mount point.*: name a folder in it, such as .*volume/"):
        write(output, argument="FOLDER")
    assert os.listdir(output) == []
    write(output / "rocov2")
    (output / "rocov2").rename(tmp_path / "elsewhere")
    write(output, fill="app.py")
    assert sorted(os.listdir(output)) == ["app.py", "sub"]


@pytest.mark.parametrize("fill", [None, "app.py"])
@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_a_folder_of_somebody_else_is_not_emptied(tmp_path: Path, kind: str, fill: str | None) -> None:
    output = tmp_path / "out"
    if fill:
        output.mkdir()
    unfinished = output / ".exporting" if fill else tmp_path / "out.exporting"
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis").touch()
    if kind == "folder":
        (tmp_path / "own").rename(unfinished)
    elif kind == "file":
        unfinished.touch()
    else:
        unfinished.symlink_to(tmp_path / "own")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"exporting is needed for unfinished work, but this program did not make it"):
        write(output, fill=fill)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_a_killed_process_left_is_removed(tmp_path: Path, locks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not locks:
        pytest.skip("the folder has another name each time")
    with monkeypatch.context() as patch:
        patch.setattr(folders, "remove_claimed", lambda folder: None)
        with pytest.raises(RuntimeError):
            fail(tmp_path / "out")
    assert files_of(tmp_path / "out.exporting").keys() == {MARK, "content/file"}
    write(tmp_path / "out")
    assert os.listdir(tmp_path) == ["out"]
    assert files_of(tmp_path / "out").keys() == {"sub/new", "app.py"}


def test_a_folder_that_cannot_be_filled_loses_only_what_was_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_but_one(path: Path, target: Path) -> Path:
        if path.name == "app.py":
            (tmp_path / "notes").touch()  # of somebody else, meanwhile
            raise OSError("disk full")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_but_one)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, fill="app.py")
    assert os.listdir(tmp_path) == ["notes"]


def test_a_folder_with_content_is_replaced_only_where_that_is_allowed(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "other").touch()
    for options in ({}, {"replaces": is_old}, {"fill": "app.py"}):
        with pytest.raises(UserError, match="out is not empty: name a new folder, or remove it first"):
            write(output, **options)
    (output / "old").touch()
    with pytest.raises(RuntimeError):
        fail(output, replaces=is_old)
    assert files_of(output).keys() == {"old", "other"}
    write(output, replaces=is_old)
    assert files_of(output).keys() == {"sub/new", "app.py"}
    assert os.listdir(tmp_path) == ["out"]


def test_a_folder_that_cannot_be_put_in_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def rename_but_one(path: Path, target: Path) -> Path:
        if ".exporting" in path.parent.name:
            raise OSError("disk full")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_but_one)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").touch()
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "out", replaces=is_old)
    assert files_of(tmp_path).keys() == {"out/old"}


def write_while_another_does(output: Path) -> None:
    with new_folder(output):
        output.mkdir()
        (output / "other").touch()


def test_what_another_has_written_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not empty"):
        write_while_another_does(tmp_path / "out")
    assert files_of(tmp_path).keys() == {"out/other"}


def test_an_empty_folder_is_filled_in_its_place(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    place = output.stat().st_ino
    write(output, fill="app.py")
    assert output.stat().st_ino == place
    assert sorted(os.listdir(output)) == ["app.py", "sub"]
    write(tmp_path / "new", fill="app.py")
    assert files_of(tmp_path / "new") == files_of(output)


def write_twice(output: Path) -> None:
    with new_folder(output) as folder:
        (folder / "slow").touch()
        write(output)


def test_two_processes_never_write_into_one_folder(tmp_path: Path, locks: bool) -> None:
    """With locks, the second one is refused at once; without, the first one to end wins."""
    expected = "another process is writing .*out: wait for it, or name another folder" if locks else "out is not empty"
    with pytest.raises(UserError, match=expected):
        write_twice(tmp_path / "out")
    assert files_of(tmp_path).keys() == (set() if locks else {"out/sub/new", "out/app.py"})
