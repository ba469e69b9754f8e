"""Folders of unfinished work: reused and removed only with the mark; and files that nothing of the project made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rocov2_shared.errors import UserError
from rocov2_shared.marks import (
    MARK,
    claim_folder,
    clear_claimed,
    find_strangers,
    is_marked,
    remove_claimed,
    require_claimable,
    require_no_strangers,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "x.building"


@pytest.mark.parametrize("before", ["missing", "empty", "marked"])
def test_a_folder_is_claimed_and_removed(folder: Path, before: str) -> None:
    if before == "empty":
        folder.mkdir()
    elif before == "marked":
        claim_folder(folder)
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "file").touch()
    claim_folder(folder)
    assert is_marked(folder)
    assert (folder / "deep").exists() == (before == "marked")
    (folder / "link").symlink_to(folder.parent)
    clear_claimed(folder)
    assert os.listdir(folder) == [MARK]
    remove_claimed(folder)
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["content", "file", "link", "dangling link"])
def test_what_is_somebody_elses_is_named_and_stays(folder: Path, kind: str) -> None:
    if kind == "content":
        folder.mkdir()
        (folder / "thesis").touch()
    elif kind == "file":
        folder.touch()
    else:
        claim_folder(folder.with_name("own"))
        folder.symlink_to("own" if kind == "link" else "nothing")
    before = sorted(folder.parent.rglob("*"))
    expected = (
        f"{folder} is needed for unfinished work, but this program did not make it: move it, or name another folder"
    )
    for require in (require_claimable, claim_folder):
        with pytest.raises(UserError) as caught:
            require(folder)
        assert str(caught.value) == expected
    remove_claimed(folder)
    assert not is_marked(folder)
    assert sorted(folder.parent.rglob("*")) == before


def test_the_mark_goes_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim_folder(folder)
    (folder / "a").mkdir()
    (folder / "a" / "busy").touch()

    def refuse(*_: object, **__: object) -> None:
        raise OSError("busy")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda path, ignore_errors=False: None if ignore_errors else refuse())
        remove_claimed(folder)
    assert is_marked(folder)
    remove_claimed(folder)
    assert not folder.exists()


def test_strangers_are_named_folders_as_a_whole(tmp_path: Path) -> None:
    for path in ("README.md", "data/a.parquet", "data/notes.txt", ".git/HEAD", ".git/objects/ab/cd", ".DS_Store"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "empty" / "folders").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "link").symlink_to("nowhere")
    known = {"README.md", "data/a.parquet", "data/missing.parquet"}
    assert find_strangers(tmp_path, known) == [".git/", "data/notes.txt", "deep/", "link"]
    assert find_strangers(tmp_path / "empty", set()) == []
    with pytest.raises(UserError) as caught:
        require_no_strangers(tmp_path, known, "build")
    assert str(caught.value) == (
        f"{tmp_path} contains 4 files and folders that no build made (.git/, data/notes.txt, deep/, link): "
        "move them, or name another folder"
    )
    require_no_strangers(tmp_path / "data", {"a.parquet", "notes.txt"}, "build")


def test_many_strangers_are_counted(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"{number}").touch()
    with pytest.raises(
        UserError, match=r"contains 7 files and folders that no preview made \(0, 1, 2, 3, 4 and 2 more\)"
    ):
        require_no_strangers(tmp_path, {}, "preview")


def test_a_name_of_two_lines_is_shown_on_one(tmp_path: Path) -> None:
    (tmp_path / "a\nb").touch()
    with pytest.raises(UserError, match=r"\(a\\nb\)"):
        require_no_strangers(tmp_path, {}, "preview")


def test_a_protected_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`os.access` stands in for it, since root may write everywhere."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.parquet").touch()
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != tmp_path / "data")
    with pytest.raises(UserError, match=r"data is write-protected, so it cannot be replaced: allow writing \(chmod"):
        require_no_strangers(tmp_path, {"data/a.parquet"}, "build")
