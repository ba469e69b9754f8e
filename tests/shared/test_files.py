"""Files that are whole or not there: the order of writing, syncing and renaming, and what an exception leaves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pytest

from rocov2_build.engine.building import Building, plan_id
from rocov2_build.worker.task import FileFacts, TableTask, serialize
from rocov2_build.worker.write import run_task
from rocov2_shared.files import file_sha256, remove_unfinished, write_json, write_text, write_whole


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that decide what survives a loss of power, in their order, by the names of the files concerned."""
    made: list[str] = []
    fsync, rename = os.fsync, os.rename

    def record_fsync(handle: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{handle}")).name
        made.append(f"fsync {'temporary' if name.endswith('.tmp') else name}")
        fsync(handle)

    def record_rename(source: Path, target: Path) -> None:
        made.append(f"rename {'temporary' if source.name.endswith('.tmp') else source.name} to {target.name}")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "rename", record_rename)
    return made


def test_a_file_is_synced_renamed_and_its_folder_synced(tmp_path: Path, calls: list[str]) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_text(folder / "a.txt", "text\n")
    assert calls == ["fsync temporary", "rename temporary to a.txt", "fsync folder"]
    assert (folder / "a.txt").read_text() == "text\n"
    assert [path.name for path in folder.iterdir()] == ["a.txt"]


def test_a_shard_is_safe_before_its_facts_say_so_and_the_folder_becomes_output_last(
    tmp_path: Path, calls: list[str]
) -> None:
    schema = pa.schema([("number", pa.int32())])
    rows = serialize(pa.table({"number": [1]}, schema=schema))
    task = TableTask("data/a.parquet", schema.serialize().to_pybytes(), rows)
    building = Building(tmp_path / "rocov2", {"format": 1})
    building.start(discard=False)
    calls.clear()
    facts = run_task(task, str(building.repository))
    assert isinstance(facts, FileFacts)
    building.record(task, facts)
    building.publish([facts])
    assert calls == [
        "fsync temporary",
        "rename temporary to a.parquet",
        "fsync data",
        "fsync temporary",
        "rename temporary to data--a.parquet.json",
        "fsync facts",
        "fsync temporary",
        "rename temporary to complete.json",
        f"fsync {plan_id({'format': 1})}",
        "rename repository to rocov2",
        f"fsync {tmp_path.name}",
    ]


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail_in_the_middle() -> None:
        with write_whole(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with write_whole(path) as one, write_whole(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_text() == "one"  # the outer one was renamed last
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_killed_process_left_is_removed_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a[1].txt"
    with write_whole(path) as mine:
        mine.write(b"mine")
        of_killed = tmp_path / f".a[1].txt.{os.getpid()}0-0123abcd.tmp"
        of_killed.touch()
        of_another_file = of_killed.with_name(of_killed.name.replace("a[1]", "b"))
        of_another_file.touch()
        remove_unfinished(path, int(f"{os.getpid()}0"))
        assert not of_killed.exists()
    assert sorted(tmp_path.iterdir()) == [of_another_file, path]


def test_json_is_the_same_for_the_same_value_and_keeps_its_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": "“ü”", "a": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n "b": "“ü”",\n "a": [\n  1\n ]\n}\n'
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": "“ü”", "a": [1]}


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
