"""The Space: whole or not at all, and it runs from its own folder alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rocov2_shared.errors import UserError
from rocov2_tasks.explorer import PORT, space
from tests.conftest import PROJECT
from tests.support.repositories import files_of
from tests.tasks.test_explore import explore, with_duckdb

pytestmark = pytest.mark.slow


@with_duckdb
def test_a_space_is_whole_and_runs_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    from huggingface_hub import RepoCard

    done = explore(tmp_path, environment, "--space", "space", "org/rocov2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "space: put it up with  hf upload ORG/SPACE space . --repo-type space\n"
    folder = tmp_path / "space"
    assert (folder / "LICENSE").read_bytes() == (PROJECT / "LICENSE").read_bytes()
    card = RepoCard.load(folder / "README.md").data
    assert (card["sdk"], card["app_port"], card["datasets"]) == ("docker", PORT, ["org/rocov2"])
    assert (folder / "Dockerfile").read_text().splitlines()[-1] == 'CMD ["python", "app.py"]'
    pins = dict(line.split("==") for line in (folder / "requirements.txt").read_text().split())
    assert {"datasets", "duckdb", "pyarrow", "huggingface_hub"} <= set(pins)
    # From its own folder alone, and in the end it asks for the dataset.
    alone = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    program = (
        "import runpy, sys, json; sys.path = [p for p in sys.path if not p or 'site-packages' in p or 'lib/python' in p];"
        "sys.path.insert(0, '.'); import rocov2, rocov2_tasks.explore as page; print(rocov2.__file__);"
        "page.serve = lambda *arguments: print(page.__file__, json.dumps(arguments), sep='\\n'); runpy.run_path('app.py')"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *places, asked = done.stdout.splitlines()
    assert all(Path(place).resolve().is_relative_to(folder.resolve()) for place in places)
    assert json.loads(asked) == ["org/rocov2", "0.0.0.0"]  # noqa: S104


@with_duckdb
def test_a_space_never_takes_the_place_of_a_folder(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "note").touch()
    done = explore(tmp_path, environment, "--space", "space", "org/rocov2")
    assert done.returncode == 1
    assert f"Error: {tmp_path / 'space'} is not empty: name a new folder, or remove it first" in done.stderr
    assert [path.name for path in (tmp_path / "space").iterdir()] == ["note"]

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(shutil, "copytree", fail)
    with pytest.raises(OSError, match="disk full"):
        space.write_space(tmp_path / "other", "org/rocov2")
    assert [path.name for path in tmp_path.iterdir() if path.name != "hf_home"] == ["space"]


@with_duckdb
def test_an_empty_folder_is_filled_where_one_is(tmp_path: Path, environment: dict[str, str]) -> None:
    new, here = tmp_path / "new", tmp_path / "it's here"
    here.mkdir()
    place = here.stat().st_ino
    done = explore(here, environment, "--space", ".", "org/rocov2")
    assert done.returncode == 0, done.stderr
    assert here.stat().st_ino == place
    done = explore(tmp_path, environment, "--space", new, "org/rocov2")
    assert done.returncode == 0, done.stderr
    assert files_of(here) == files_of(new)
    (tmp_path / "a b").mkdir()
    done = explore(tmp_path, environment, "--space", "a b", "org/rocov2")
    assert "hf upload ORG/SPACE 'a b' . --repo-type space" in done.stdout


@with_duckdb
@pytest.mark.parametrize("folder", ["file", "file/space", "file/a/b"])
def test_a_file_is_no_place_for_a_space(tmp_path: Path, environment: dict[str, str], folder: str) -> None:
    (tmp_path / "file").touch()
    done = explore(tmp_path, environment, "--space", folder, "org/rocov2")
    assert done.returncode == 1
    assert done.stderr == f"Error: {tmp_path / 'file'} is a file, not a folder: name a new folder\n"


def test_a_folder_that_was_empty_is_so_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("duckdb")
    rename = Path.rename

    def fail_at_last(path: Path, target: Path) -> Path:
        if path.name == "app.py":
            raise OSError("disk full")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_at_last)
    (tmp_path / "space").mkdir()
    with pytest.raises(OSError, match="disk full"):
        space.write_space(tmp_path / "space", "org/rocov2")
    assert list((tmp_path / "space").iterdir()) == []


def test_a_space_is_not_made_inside_the_code_that_it_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "require", lambda *packages: None)
    inside = PROJECT / "rocov2_tasks" / "explorer" / "a-space"
    with pytest.raises(UserError, match="name a folder outside for FOLDER"):
        space.write_space(inside, "org/rocov2")
    assert not inside.exists()
