"""The folder that is published: links are refused by name, and every change since the check is found."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rocov2_build.hub.uploads import find_uploads
from rocov2_build.hub.watched_folder import WatchedFolder
from rocov2_shared.errors import UserError
from tests.support.raw import make_raw

ID = "org/rocov2"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(6, 2, 2).build(tmp_path_factory.mktemp("built") / "rocov2")


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    root = Path(shutil.copytree(built, tmp_path / "rocov2"))
    (root / "assets").mkdir(exist_ok=True)
    return root


def _link_elsewhere(path: Path) -> None:
    if path.exists():
        path.rename(path.parent.parent / f"moved-{path.name}")
    path.symlink_to(path.parent.parent / f"moved-{path.name}")


@pytest.mark.parametrize(
    "name", ["README.md", "data", "text/test.parquet", "assets", "assets/plan.png", "assets/sub", "notes.txt"]
)
def test_links_are_refused_by_name(root: Path, name: str) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "own").symlink_to("elsewhere")  # of a tool, never published
    WatchedFolder(root)
    _link_elsewhere(root / name)
    with pytest.raises(UserError, match=f"{root} contains links, which may lead anywhere: {name}\\. Put the files"):
        WatchedFolder(root)


def test_a_folder_that_is_itself_named_by_a_link_can_be_published(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    WatchedFolder(tmp_path / "link")


def _overwrite(path: Path) -> None:
    """Change a byte, and restore size and time."""
    stat, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


CHANGES: dict[str, Callable[[Path], object]] = {
    "README.md": _overwrite,
    "LICENSE.md": lambda path: path.write_text("another licence"),
    "conversion.json": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    ".gitattributes": lambda path: path.write_text(""),
    "text/test.parquet": Path.unlink,
    "vocabulary/vocabulary.parquet": _overwrite,
    "assets/new.png": lambda path: path.write_bytes(b"new"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_is_found(root: Path, name: str) -> None:
    conversion = json.loads((root / "conversion.json").read_bytes())
    folder = WatchedFolder(root)
    uploads, _ = find_uploads(root, ID)
    folder.require_recorded(uploads, conversion)
    (root / "notes.txt").write_text("never published")
    folder.require_unchanged(uploads)
    CHANGES[name](root / name)
    with pytest.raises(UserError, match=f"changed since it was checked, and no file of it became visible: {name}\\."):
        folder.require_unchanged(uploads)


@pytest.mark.parametrize("name", ["README.md", "LICENSE.md", "text/test.parquet"])
def test_what_is_uploaded_is_what_conversion_json_records(root: Path, name: str) -> None:
    conversion = json.loads((root / "conversion.json").read_bytes())
    _overwrite(root / name)
    folder = WatchedFolder(root)
    with pytest.raises(UserError, match=f"became visible: {name}\\."):
        folder.require_recorded(find_uploads(root, ID)[0], conversion)


def test_small_documents_are_held_from_their_hash_to_the_commit(root: Path) -> None:
    uploads = {upload.path: upload for upload in find_uploads(root, ID)[0]}
    content = (root / "LICENSE.md").read_bytes()
    (root / "LICENSE.md").write_text("another licence")
    assert uploads["LICENSE.md"].source == content
    assert all(isinstance(upload.source, Path) for path, upload in uploads.items() if path.endswith(".parquet"))
