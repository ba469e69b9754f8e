"""The folder in which a repository grows: the lock, what a kill leaves at each step, and what is found again."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from rocov2_build.engine.building import Building, describe_differences, locked, plan_id
from rocov2_build.engine.output import built_plan, problems_path
from rocov2_build.worker.task import FileFacts, TableTask, serialize
from rocov2_build.worker.write import run_task
from rocov2_shared.errors import UserError
from rocov2_shared.marks import MARK, claim_folder

PLAN = {"format": 1, "limit": None, "inputs": {"a.csv": {"sha256": "00"}}}
OTHER = {"format": 1, "limit": 5, "inputs": {"a.csv": {"sha256": "11"}}}
SCHEMA = pa.schema([("number", pa.int32())])


def task(number: int = 1, path: str = "text/train.parquet") -> TableTask:
    """A small task."""
    table = pa.table({"number": [number]}, schema=SCHEMA)
    return TableTask(path, SCHEMA.serialize().to_pybytes(), serialize(table))


def build(building: Building, what: TableTask) -> FileFacts:
    """Do a task and say so."""
    facts = run_task(what, str(building.repository))
    assert isinstance(facts, FileFacts)
    building.record(what, facts)
    return facts


def repository(folder: Path, mark: str, plan: dict[str, Any] = PLAN) -> None:
    """A folder that looks like a finished repository."""
    folder.mkdir(parents=True)
    (folder / "mark").write_text(mark)
    (folder / "conversion.json").write_text(json.dumps({"plan": plan, "files": {}, "documents": {}}))


def tree(folder: Path) -> dict[str, str]:
    """Content of the files below a folder, but for the lock and the mark."""
    return {
        str(path.relative_to(folder)): path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock" and path.name != MARK
    }


def plans_of(output: Path) -> list[str]:
    """Names of the unfinished builds."""
    return [path.name for path in output.with_name("rocov2.building").iterdir() if path.name != MARK]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "rocov2"


@pytest.fixture
def building(output: Path) -> Iterator[Building]:
    """A building that has been started."""
    building = Building(output, PLAN)
    with locked(output):
        building.start(discard=False)
        yield building


def test_names_beside_the_output(output: Path) -> None:
    assert problems_path(output) == output.parent / "rocov2.problems.csv"


def try_lock(output: Path) -> subprocess.CompletedProcess[str]:
    """Take the lock in another process."""
    program = (
        "import sys; from pathlib import Path; from rocov2_build.engine.building import locked\n"
        "with locked(Path(sys.argv[1])): print('got it')"
    )
    return subprocess.run([sys.executable, "-c", program, str(output)], capture_output=True, text=True, check=False)


def test_lock_keeps_another_process_out_and_is_removed(output: Path) -> None:
    with locked(output):
        second = try_lock(output)
        assert second.returncode == 1
        expected = f"another command is at work on {output}: wait for it, or choose another OUTPUT"
        assert second.stderr.splitlines()[-1] == f"rocov2_shared.errors.UserError: {expected}"
        assert (output.parent / "rocov2.lock").is_file()
    assert try_lock(output).stdout == "got it\n"
    assert list(output.parent.iterdir()) == []


def test_lock_is_not_inherited(output: Path) -> None:
    with locked(output):
        program = "print('begun', flush=True); input()"
        child = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
        )
        assert child.stdout
        assert child.stdout.readline() == b"begun\n"
    try:
        with locked(output):
            pass
    finally:
        child.communicate(b"\n")


def test_lock_is_let_go_after_an_error(output: Path) -> None:
    with pytest.raises(RuntimeError), locked(output):
        raise RuntimeError
    assert list(output.parent.iterdir()) == []
    with locked(output):
        assert list(output.parent.iterdir()) == [output.parent / "rocov2.lock"]


def test_lock_makes_the_folder_above(tmp_path: Path) -> None:
    with locked(tmp_path / "a" / "b" / "rocov2"):
        assert (tmp_path / "a" / "b").is_dir()


def test_a_refused_command_repairs_nothing(output: Path) -> None:
    with locked(output):
        repository(output.with_name("rocov2.old"), "old")
        with pytest.raises(UserError, match="another command is at work"), locked(output):
            pass
        assert output.with_name("rocov2.old").is_dir()


def test_a_kill_before_the_first_rename_changes_nothing(output: Path) -> None:
    repository(output, "old")
    repository(output.with_name("rocov2.building") / "id" / "repository", "new")
    before = tree(output.parent)
    with locked(output):
        assert tree(output.parent) == before


def unfinished(output: Path, replaced: Path | None = None, plan: dict[str, Any] = OTHER) -> Path:
    """Make what a command has left that was killed while it put a new repository in place; return its mark.

    `replaced` is the repository that it replaces, wherever the kill left it.
    """
    claim_folder(output.with_name("rocov2.building"))
    mark = output.with_name("rocov2.building") / plan_id(plan) / "complete.json"
    mark.parent.mkdir(parents=True)
    replaces = None
    if replaced is not None:
        conversion = hashlib.sha256((replaced / "conversion.json").read_bytes()).hexdigest()
        replaces = {"folder": replaced.stat().st_ino, "conversion": conversion}
    mark.write_text(json.dumps({"plan": plan_id(plan), "replaces": replaces}))
    return mark


@pytest.mark.parametrize("empty", [False, True])
def test_a_kill_between_the_renames_gives_the_old_one_back(output: Path, empty: bool) -> None:
    old = output.with_name("rocov2.old")
    repository(old, "old")
    mark = unfinished(output, old)
    if empty:  # made by somebody since
        output.mkdir()
    with locked(output):
        assert (output / "mark").read_text() == "old"
        assert not old.exists()
        assert built_plan(output) == PLAN
        assert not mark.exists()


def test_a_kill_after_the_second_rename_removes_the_old_one(output: Path) -> None:
    repository(output, "new", OTHER)
    old = output.with_name("rocov2.old")
    replaced(old)
    mark = unfinished(output, old)
    with locked(output):
        assert (output / "mark").read_text() == "new"
        assert not old.exists()
        assert not mark.exists()


def replaced(folder: Path) -> None:
    """A repository that contains nothing but what a build made."""
    repository(folder, "old")
    (folder / "mark").unlink()


@pytest.mark.parametrize("step", ["rename", "rmtree"])
def test_an_old_one_that_cannot_be_removed_is_named(output: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    repository(output, "new", OTHER)
    old = output.with_name("rocov2.old")
    replaced(old)
    unfinished(output, old)

    def refuse(*_: object, **options: object) -> None:
        if not options:  # such as ignore_errors
            raise PermissionError(errno.EACCES, "Permission denied")

    left = {"rename": r"rocov2\.old", "rmtree": r"rocov2\.building/replaced"}[step]
    with monkeypatch.context() as patch:
        patch.setattr({"rename": "pathlib.Path.rename", "rmtree": "shutil.rmtree"}[step], refuse)
        with (
            pytest.raises(
                UserError, match=rf"{left}, the repository that was replaced, cannot be removed \(Permission"
            ),
            locked(output),
        ):
            pass
    with locked(output):
        assert (output / "mark").read_text() == "new"
        assert not old.exists()


def test_notes_in_the_old_one_keep_it(output: Path) -> None:
    repository(output, "new", OTHER)
    old = output.with_name("rocov2.old")
    repository(old, "notes")
    unfinished(output, old)
    with locked(output):
        assert (old / "mark").read_text() == "notes"


def test_a_kill_while_the_old_one_is_removed(output: Path) -> None:
    repository(output, "new", OTHER)
    unfinished(output)
    repository(output.with_name("rocov2.building") / "replaced", "old")
    (output.with_name("rocov2.building") / "replaced" / "conversion.json").unlink()
    with locked(output):
        assert tree(output.parent)["rocov2/mark"] == "new"


@pytest.mark.parametrize("output_exists", [False, True])
@pytest.mark.parametrize("killed", ["never", "while building", "before the first rename", "by something else"])
def test_an_old_one_that_no_command_left_stays(output: Path, output_exists: bool, killed: str) -> None:
    """A backup of the repository has the same files, but is another folder."""
    if output_exists:
        replaced(output)
    if killed == "while building":
        unfinished(output).unlink()
    elif killed == "before the first rename":
        unfinished(output, output if output_exists else None)
    elif killed == "by something else":  # a folder without the mark is somebody's own
        mark = unfinished(output)
        (mark.parent.parent / MARK).unlink()
    old = output.with_name("rocov2.old")
    repository(old, "a backup")
    (old / "mark").unlink()
    (old / "README.md").touch()
    before = tree(output.with_name("rocov2.building")) if killed == "by something else" else {}
    with locked(output):
        assert tree(old).keys() == {"README.md", "conversion.json"}
        assert output.exists() == output_exists
        if before:
            assert tree(output.with_name("rocov2.building")) == before


def test_a_building_of_somebody_else_is_named_and_stays(output: Path) -> None:
    (output.with_name("rocov2.building") / "site").mkdir(parents=True)
    (output.with_name("rocov2.building") / "site" / "plan.dwg").touch()
    building = Building(output, PLAN)
    for discard in (False, True):
        with locked(output), pytest.raises(UserError, match=r"rocov2\.building is needed for unfinished work, but"):
            building.start(discard)
    building.remove()
    assert tree(output.parent).keys() == {"rocov2.building/site/plan.dwg"}


def test_publish_replaces(output: Path, building: Building) -> None:
    facts = build(building, task())
    replaced(output)
    building.publish([facts], overwrite=True)
    assert [path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()] == [facts.path]
    assert sorted(path.name for path in output.parent.iterdir()) == ["rocov2", "rocov2.lock"]  # still held here


def test_publish_never_replaces_a_folder_of_somebody_else(output: Path, building: Building) -> None:
    facts = build(building, task())
    replaced(output)
    old = output.with_name("rocov2.old")
    old.mkdir()
    (old / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match=r"rocov2\.old exists, but its name is needed: move it, and run"):
        building.publish([facts], overwrite=True)
    assert tree(old) == {"thesis.txt": "years of work"}
    assert tree(output).keys() == {"conversion.json"}
    old.rename(output.with_name("thesis"))
    building.publish([facts], overwrite=True)
    assert (output / facts.path).is_file()


def test_an_old_folder_is_in_nobodys_way_if_nothing_is_replaced(output: Path, building: Building) -> None:
    facts = build(building, task())
    output.with_name("rocov2.old").mkdir()
    building.publish([facts])
    assert output.with_name("rocov2.old").is_dir()


@pytest.mark.parametrize(
    ("made", "overwrite", "message"),
    [
        ("notes", True, "contains 1 file or folder that no build made (notes.txt): move them, or name another folder"),
        ("notes", False, "contains 1 file or folder that no build made (notes.txt): move them, or name another folder"),
        ("repository", False, "was made while the build ran: add --overwrite to replace it"),
        ("folder", True, "exists and was not built by this program: choose another OUTPUT, or move it"),
    ],
)
def test_what_appeared_while_the_build_ran_stays(
    output: Path, building: Building, made: str, overwrite: bool, message: str
) -> None:
    facts = build(building, task())
    replaced(output)
    if made == "notes":
        (output / "notes.txt").touch()
    elif made == "folder":
        (output / "conversion.json").rename(output / "mine.json")
    before = tree(output)
    with pytest.raises(UserError) as caught:
        building.publish([facts], overwrite)
    assert str(caught.value) == f"{output} {message}"
    assert tree(output) == before
    assert building.finished(task()) == facts


@pytest.mark.parametrize("step", ["rocov2", "repository"])
def test_a_rename_that_fails_is_told_and_loses_nothing(
    output: Path, building: Building, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = build(building, task())
    replaced(output)
    rename = Path.rename

    def rename_but_one(path: Path, target: Path) -> Path:
        if path.name == step:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename_but_one)
        with pytest.raises(UserError) as caught:
            building.publish([facts], overwrite=True)
    messages = {
        "rocov2": f"{output} cannot be renamed to {output}.old (Invalid cross-device link): remove it yourself, and run the "
        "same command again, which finds everything built",
        "repository": f"the finished repository cannot be renamed from {building.repository} to {output} (Invalid "
        "cross-device link): move it yourself, or choose another OUTPUT",
    }
    assert str(caught.value) == messages[step]
    assert tree(output).keys() == {"conversion.json"}
    assert building.finished(task()) == facts


def test_publish_into_an_empty_folder(output: Path, building: Building) -> None:
    output.mkdir()
    facts = build(building, task())
    building.publish([facts])
    assert (output / facts.path).stat().st_size == facts.bytes


@pytest.mark.parametrize("change", ["longer", "other"])
def test_publish_refuses_a_file_that_changed(output: Path, building: Building, change: str) -> None:
    facts = build(building, task())
    path = building.repository / facts.path
    content = path.read_bytes()
    path.write_bytes(content + b"x" if change == "longer" else content[:-1] + b"?")
    repository(output, "old")
    with pytest.raises(UserError, match=f"{path} changed while the build ran"):
        building.publish([facts])
    assert (output / "mark").read_text() == "old"


def test_finished_finds_what_was_done(building: Building) -> None:
    assert building.finished(task()) is None
    facts = build(building, task())
    assert building.finished(task()) == facts
    assert Building(building.repository.parent.parent.with_name("rocov2"), PLAN).finished(task()) == facts


def test_finished_asks_for_the_same_task(building: Building) -> None:
    build(building, task(1))
    assert building.finished(task(2)) is None
    assert building.finished(task(1, "text/test.parquet")) is None


@pytest.mark.parametrize("change", ["longer", "shorter", "other bytes", "gone", "without facts"])
def test_a_changed_file_is_to_be_redone(building: Building, change: str) -> None:
    facts = build(building, task())
    path = building.repository / facts.path
    content = path.read_bytes()
    if change == "gone":
        path.unlink()
    elif change == "without facts":
        next(building.repository.parent.glob("facts/*")).unlink()
    else:
        path.write_bytes(
            {"longer": content + b"x", "shorter": content[:-1], "other bytes": content[:9] + b"?" + content[10:]}[
                change
            ]
        )
    assert building.finished(task()) is None
    assert build(building, task()) == facts == building.finished(task())


def test_facts_of_two_folders_do_not_meet(building: Building) -> None:
    one = build(building, task(1, "text/train.parquet"))
    two = build(building, task(2, "data/train.parquet"))
    assert (building.finished(task(1, one.path)), building.finished(task(2, two.path))) == (one, two)


def test_remove_others(building: Building) -> None:
    kept = build(building, task(1))
    build(building, task(2, "data/train-00000-of-00002-commercial-apart.parquet"))
    building.remove_others({kept.path})
    assert [path.name for path in building.repository.rglob("*.parquet")] == ["train.parquet"]
    assert [path.name for path in building.repository.parent.glob("facts/*")] == ["text--train.parquet.json"]


def test_start_writes_the_plan_first_and_keeps_what_is_there(output: Path, building: Building) -> None:
    folder = output.with_name("rocov2.building") / plan_id(PLAN)
    assert json.loads((folder / "plan.json").read_text()) == PLAN
    facts = build(building, task())
    stray = building.repository / "data" / ".train.parquet.1-ab.tmp"
    stray.write_bytes(b"half")
    before = {name: text for name, text in tree(folder).items() if not name.endswith(".tmp")}
    again = Building(output, PLAN)
    again.start(discard=False)
    assert tree(folder) == before
    assert again.finished(task()) == facts


def test_unfinished_work_of_another_plan_is_refused_and_thrown_away_when_asked(
    output: Path, building: Building
) -> None:
    build(building, task())
    before = tree(output.parent)
    other = Building(output, OTHER)
    with pytest.raises(UserError) as caught:
        other.start(discard=False)
    assert str(caught.value) == (
        f"{output.with_name('rocov2.building')} contains an unfinished build of another plan "
        '(inputs.a.csv.sha256: "00" -> "11"; limit: null -> 5): '
        "run the command that began it to finish it, or add --overwrite to remove it"
    )
    assert tree(output.parent) == before
    other.start(discard=True)
    assert plans_of(output) == [plan_id(OTHER)]
    assert other.finished(task()) is None


def test_another_plan_that_did_nothing_yet_is_no_work(output: Path, building: Building) -> None:
    Building(output, OTHER).start(discard=False)
    assert plans_of(output) == [plan_id(OTHER)]


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
def test_no_repository_yet(output: Path, left: str) -> None:
    if left == "an empty folder":
        output.mkdir()
    assert built_plan(output) is None


def test_built_plan(output: Path) -> None:
    repository(output, "x", OTHER)
    assert built_plan(output) == OTHER


@pytest.mark.parametrize(
    "content", [None, "", "{", "{}", "[]", "3", '"plan"', '{"plan": null}', '{"plan": "x"}', "\udcff"]
)
def test_a_foreign_folder_is_refused(output: Path, content: str | None) -> None:
    output.mkdir()
    (output / "notes.txt").write_text("mine")
    if content is not None:
        (output / "conversion.json").write_bytes(os.fsencode(content))
    with pytest.raises(UserError) as caught:
        built_plan(output)
    assert str(caught.value) == (
        f"{output} exists and was not built by this program: choose another OUTPUT, or move it"
    )


def test_a_file_is_refused(output: Path) -> None:
    output.write_text("mine")
    with pytest.raises(UserError, match="was not built by this program"):
        built_plan(output)


def test_plan_id() -> None:
    expected = hashlib.sha256(b'{"a": [null, "\\u00e4"], "b": 1}').hexdigest()[:16]
    assert plan_id({"b": 1, "a": [None, "ä"]}) == plan_id({"a": [None, "ä"], "b": 1}) == expected
    assert plan_id(PLAN) != plan_id(OTHER)


@pytest.mark.parametrize(
    ("one", "other", "differences"),
    [
        (PLAN, PLAN, []),
        (PLAN, OTHER, ['inputs.a.csv.sha256: "00" -> "11"', "limit: null -> 5"]),
        ({"a": {"b": 1}}, {"a": {"c": True}}, ["a.b: 1 -> null", "a.c: null -> true"]),
        ({"a": {"b": 1}}, {"a": ["b"]}, ['a: {"b": 1} -> ["b"]']),
        ({}, {"z": 1, "y": "ä"}, ['y: null -> "\\u00e4"', "z: null -> 1"]),
    ],
)
def test_describe_differences(one: dict[str, Any], other: dict[str, Any], differences: list[str]) -> None:
    assert describe_differences(one, other) == differences
