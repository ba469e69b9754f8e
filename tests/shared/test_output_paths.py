"""Where a command may write: links, mount points, and folders inside each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rocov2_shared import output_paths
from rocov2_shared.errors import UserError
from rocov2_shared.output_paths import is_mount_point, require_apart, resolve_output


def test_a_link_is_its_target_and_everything_else_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, target in (("to-folder", "folder"), ("to-nothing", "a/b"), ("to-link", "to-folder"), ("up", ".")):
        (tmp_path / name).symlink_to(target)
    real = Path(os.path.realpath(tmp_path))
    assert resolve_output(tmp_path / "to-folder") == resolve_output(tmp_path / "to-link") == real / "folder"
    assert resolve_output(tmp_path / "to-nothing") == real / "a" / "b"
    assert resolve_output(tmp_path / "folder" / "..") == real
    for same in (Path("rocov2"), tmp_path / "folder", tmp_path / "up" / "new", tmp_path / "missing" / "x"):
        assert resolve_output(same) == same


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UserError, match=r"PREVIEW .*a is a link that leads back to itself"):
        resolve_output(tmp_path / "a", "PREVIEW")


@pytest.mark.parametrize("name", [".", "absolute", "link", "sub/.."])
def test_the_current_folder_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    path = tmp_path if name == "absolute" else Path(name)
    with pytest.raises(
        UserError, match=rf"OUTPUT must be a new folder, not the current one \({re.escape(str(path))}\): "
    ):
        resolve_output(path)


def test_a_mount_point_is_refused_also_behind_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (tmp_path / "link").symlink_to(volume)
    monkeypatch.setattr("os.path.ismount", lambda path: Path(path).name == "volume")
    remedy = f"name a folder in it, such as {volume / 'rocov2'}"
    for path, shown in ((volume, f"{volume}"), (tmp_path / "link", f"{tmp_path / 'link'} ({volume})")):
        with pytest.raises(UserError) as caught:
            resolve_output(path)
        assert str(caught.value) == f"OUTPUT {shown} is a mount point, onto which no folder can be renamed: {remedy}"
    assert resolve_output(volume / "rocov2") == volume / "rocov2"


def test_a_folder_that_is_mounted_from_the_same_disk_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "with blank"
    folder.mkdir()
    shown = os.path.realpath(folder).replace(" ", "\\040")
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"22 1 8:1 / / rw - ext4 /dev/a rw\nshort\n36 22 8:1 /x {shown} rw,relatime - ext4 /dev/a rw\n")
    assert not is_mount_point(folder)
    monkeypatch.setattr(output_paths, "_MOUNTS", mounts)
    assert is_mount_point(folder)
    assert not is_mount_point(tmp_path)
    monkeypatch.setattr(output_paths, "_MOUNTS", tmp_path / "missing")
    assert not is_mount_point(folder)


@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_real_mounts(tmp_path: Path, kind: str) -> None:
    """In a namespace of its own, where the machine lets an ordinary user have one."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    mount = "mount --bind a b" if kind == "bind" else "mount -t tmpfs none b"
    program = "from rocov2_shared.output_paths import is_mount_point as m; from pathlib import Path as P"
    script = f'{mount} || exit 77; exec $0 -c \'{program}; print(m(P("a")), m(P("b")), m(P("b/x")))\''
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, sys.executable]
    try:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("unshare is missing")
    if done.returncode:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert done.stdout.split() == ["False", "True", "False"]


@pytest.mark.parametrize(
    ("output", "source", "found"),
    [
        ("a", "a", "OUTPUT ({0}) is the same as RAW ({1})"),
        ("a/../a", "a", "OUTPUT ({0}) is the same as RAW ({1})"),
        ("missing", "missing", "OUTPUT ({0}) is the same as RAW ({1})"),
        ("a/b", "a", "OUTPUT ({0}) is inside RAW ({1})"),
        ("a/new/deep", "a", "OUTPUT ({0}) is inside RAW ({1})"),
        ("link/new", "a", "OUTPUT ({0}) is inside RAW ({1})"),
        ("a", "a/b", "RAW ({1}) is inside OUTPUT ({0})"),
        ("a", "deep-link", "RAW ({1}) is inside OUTPUT ({0})"),
        ("link", "a/b", "RAW ({1}) is inside OUTPUT ({0})"),
        ("missing", "missing/x", "RAW ({1}) is inside OUTPUT ({0})"),
        ("a", "ab", None),
        ("a/b", "a/c", None),
        ("new", "a", None),
    ],
)
def test_what_is_written_and_what_is_read_are_apart(
    tmp_path: Path, output: str, source: str, found: str | None
) -> None:
    for folder in ("a/b", "a/c", "ab"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "deep-link").symlink_to("a/b")
    one, other = tmp_path / output, tmp_path / source
    if found is None:
        require_apart(one, other, ("OUTPUT", "RAW"))
        return
    with pytest.raises(UserError) as caught:
        require_apart(one, other, ("OUTPUT", "RAW"))
    remedy = "name a folder outside for OUTPUT, so that nothing that is read is overwritten"
    assert str(caught.value) == f"{found.format(one, other)}: {remedy}"
