"""The folder of an unfinished repository, and the steps that make it OUTPUT: safe against a kill at any moment.

OUTPUT.lock                      held while a command works on OUTPUT, and removed at its end
OUTPUT.building/                 has the mark of unfinished work; without it, the folder is somebody else's
OUTPUT.building/<plan id>/       plan.json first, then
    repository/...                   the finished files
    attempts/                        files of a cluster's workers, before each is renamed to its path
    facts/<file>.json                written after its file: marks it as finished
    complete.json                    marks the repository as finished, and names the one that it replaces
OUTPUT.old                       the repository that --overwrite replaces, between two renames
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rocov2 import FOLDERS
from rocov2_build.engine.output import (
    building_path,
    built_plan,
    has_content,
    is_replaceable,
    lock_path,
    old_path,
    require_free_old,
    require_replaceable,
)
from rocov2_build.worker.task import FileFacts, Task
from rocov2_shared.conversion import NAME as CONVERSION
from rocov2_shared.errors import UserError
from rocov2_shared.files import file_sha256, sync_path, write_json
from rocov2_shared.locks import locked_file
from rocov2_shared.marks import claim_folder, is_marked, remove_claimed


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold the lock of `output`, after repairing what a killed command left between two renames.

    Raises:
        UserError: another command is at work on it.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    busy = f"another command is at work on {output}: wait for it, or choose another OUTPUT"
    with locked_file(lock_path(output), busy):
        _repair(output)
        yield


def _repair(output: Path) -> None:
    """Undo or finish an overwriting that was killed between its steps. An OUTPUT.old that no build left stays."""
    building, old = building_path(output), old_path(output)
    if not is_marked(building):
        return
    for mark in building.glob("*/complete.json"):
        complete = _read_complete(mark)
        if complete["replaces"] and complete["replaces"] == _identify(old):
            if not has_content(output):
                old.rename(output)
                sync_path(output.parent)
            elif (plan := built_plan(output)) and plan_id(plan) == complete["plan"] and is_replaceable(old):
                _discard(old, building)
        mark.unlink()


def _read_complete(mark: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        content = {}
    return {"plan": None, "replaces": None} | content


def _identify(root: Path) -> dict[str, int | str] | None:
    """Return what a repository keeps when it is renamed, and no copy of it has; None if there is none."""
    record = root / CONVERSION
    if root.is_symlink() or not record.is_file():
        return None
    return {"folder": root.stat().st_ino, "conversion": file_sha256(record)}


def _discard(folder: Path, building: Path) -> None:
    """Remove a repository that was replaced. It is renamed first, so that no reader finds half of it under its name."""
    replaced = building / "replaced"
    try:
        shutil.rmtree(replaced, ignore_errors=True)
        folder.rename(replaced)
        shutil.rmtree(replaced)
    except OSError as error:
        left = folder if folder.exists() else replaced
        raise UserError(
            f"{left}, the repository that was replaced, cannot be removed ({error.strerror}): remove it yourself, and run "
            "the same command again"
        ) from error


def plan_id(plan: dict[str, Any]) -> str:
    """Return a short hash of everything that decides which bytes a build writes."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def describe_differences(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the differences between two plans, each as `name: old -> new`."""
    differences = []
    for key in sorted(one.keys() | other.keys()):
        before, after = one.get(key), other.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            differences += describe_differences(before, after, f"{prefix}{key}.")
        elif before != after:
            differences.append(f"{prefix}{key}: {json.dumps(before)} -> {json.dumps(after)}")
    return differences


class Building:
    """The unfinished repository of one plan.

    Attributes:
        output: the folder that it becomes.
        repository: folder of its files.
    """

    def __init__(self, output: Path, plan: dict[str, Any]) -> None:
        self.output = output
        self._plan = plan
        self._all = building_path(output)
        self._folder = self._all / plan_id(plan)
        self._facts = self._folder / "facts"
        self._seen: dict[str, tuple[int, int]] = {}
        self.repository = self._folder / "repository"

    def start(self, discard: bool) -> None:
        """Make the folders, or find them as an earlier command left them.

        Args:
            discard: remove unfinished work of other plans instead of refusing to build beside it.

        Raises:
            UserError: there is unfinished work of another plan, or a folder of that name that no build made.
        """
        claim_folder(self._all)
        for other in {path for path in self._all.iterdir() if path.is_dir()} - {self._folder}:
            if not discard and any(other.glob("facts/*")):
                plan = json.loads((other / "plan.json").read_text(encoding="utf-8"))
                differences = "; ".join(describe_differences(plan, self._plan))
                raise UserError(
                    f"{self._all} contains an unfinished build of another plan ({differences}): run the command that "
                    "began it to finish it, or add --overwrite to remove it"
                )
            shutil.rmtree(other)
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / "plan.json").is_file():
            write_json(self._folder / "plan.json", self._plan)
        self._facts.mkdir(exist_ok=True)
        for folder in FOLDERS:
            (self.repository / folder).mkdir(parents=True, exist_ok=True)
        for stray in self._folder.rglob(".*.tmp"):
            stray.unlink()

    def _facts_path(self, path: str) -> Path:
        return self._facts / (path.replace("/", "--") + ".json")

    def finished(self, task: Task) -> FileFacts | None:
        """Return the facts of the files of `task` if they are finished and unchanged since; None if they must be written."""
        record = self._facts_path(task.path)
        if not record.is_file():
            return None
        content = json.loads(record.read_text(encoding="utf-8"))
        facts = FileFacts.parse(content["facts"])
        if content["task"] != _task_id(task) or not all(map(self._is_unchanged, facts.written)):
            return None
        for written in facts.written:
            self._seen[written.path] = self._state(written.path)
        return facts

    def _is_unchanged(self, facts: FileFacts) -> bool:
        file = self.repository / facts.path
        return file.is_file() and file.stat().st_size == facts.bytes and file_sha256(file) == facts.sha256

    def _state(self, path: str) -> tuple[int, int]:
        stat = (self.repository / path).stat()
        return stat.st_size, stat.st_mtime_ns

    def record(self, task: Task, facts: FileFacts) -> None:
        """Record that the files of `task` are finished."""
        for written in facts.written:
            self._seen[written.path] = self._state(written.path)
        write_json(self._facts_path(task.path), {"task": _task_id(task), "facts": dataclasses.asdict(facts)})

    def remove_others(self, paths: set[str]) -> None:
        """Remove data files that are not in `paths`, made before images were left out; and folders that have none."""
        for folder in FOLDERS:
            for file in (self.repository / folder).iterdir():
                if f"{folder}/{file.name}" not in paths:
                    self._facts_path(f"{folder}/{file.name}").unlink(missing_ok=True)
                    file.unlink()
            if not any((self.repository / folder).iterdir()):
                (self.repository / folder).rmdir()

    @property
    def has_finished_files(self) -> bool:
        """Return whether there is something to resume."""
        return any(self._facts.glob("*.json"))

    def count_finished_files(self) -> int:
        """Return the number of files that an earlier command has recorded as finished; reads all records."""
        records = (json.loads(record.read_text(encoding="utf-8")) for record in self._facts.glob("*.json"))
        return sum(len(FileFacts.parse(record["facts"]).written) for record in records)

    def publish(self, files: list[FileFacts], overwrite: bool = False) -> None:
        """Compare the files with their facts once more, and rename the folder to OUTPUT.

        Args:
            files: all that the repository has.
            overwrite: whether a repository at OUTPUT may be replaced.

        Raises:
            UserError: a file has changed; or OUTPUT must not or cannot be replaced; or OUTPUT.old, whose name is then needed,
                exists.
        """
        for facts in files:
            # By size and time: each was hashed when it was written or found, and reading all again would take a while.
            if self._state(facts.path) != self._seen.get(facts.path) or self._state(facts.path)[0] != facts.bytes:
                raise UserError(
                    f"{self.repository / facts.path} changed while the build ran: run the same command again to "
                    "write that file again"
                )
        replaces = has_content(self.output)
        if replaces:
            self._require_replaceable(overwrite)
        complete = {"plan": plan_id(self._plan), "replaces": _identify(self.output) if replaces else None}
        write_json(self._folder / "complete.json", complete)
        self._put(replaces)
        self.remove()

    def _require_replaceable(self, overwrite: bool) -> None:
        require_replaceable(self.output)  # also what was put there while the build ran
        if not overwrite:
            raise UserError(f"{self.output} was made while the build ran: add --overwrite to replace it")
        require_free_old(self.output)

    def _put(self, replaces: bool) -> None:
        """Rename the repository to OUTPUT, and what is there to OUTPUT.old: a rename onto a full folder fails."""
        old = old_path(self.output)
        if replaces:
            try:
                self.output.rename(old)
            except OSError as error:  # such as a folder of a container's image
                raise UserError(
                    f"{self.output} cannot be renamed to {old} ({error.strerror}): remove it yourself, and run the same "
                    "command again, which finds everything built"
                ) from error
        try:
            self.repository.rename(self.output)
        except OSError as error:
            if replaces:
                old.rename(self.output)
            raise UserError(
                f"the finished repository cannot be renamed from {self.repository} to {self.output} ({error.strerror}): "
                "move it yourself, or choose another OUTPUT"
            ) from error
        sync_path(self.output.parent)
        if replaces:
            _discard(old, self._all)

    def remove(self) -> None:
        """Remove all unfinished builds of OUTPUT."""
        remove_claimed(self._all)


def _task_id(task: Task) -> str:
    # Field by field: the representation of a task as a whole would be several times as large as the task.
    digest = hashlib.sha256(type(task).__name__.encode())
    for field in dataclasses.fields(task):
        value = getattr(task, field.name)
        digest.update(f"\n{field.name}=".encode())
        for part in value if isinstance(value, tuple) else (value,):
            digest.update(part if isinstance(part, bytes) else f"{part!r},".encode())
    return digest.hexdigest()
