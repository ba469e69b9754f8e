"""The folder of an unfinished repository, and the steps that make it OUTPUT: safe against a kill at any moment.

OUTPUT.lock                      held while a command works on OUTPUT; never removed
OUTPUT.building/<plan id>/       plan.json first, then
    repository/...                   the finished files
    attempts/                        files of a cluster's workers, before each is renamed to its path
    facts/<file>.json                written after its file: marks it as finished
    complete.json                    marks the repository as finished
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
from rocov2_build.worker.task import FileFacts, Task
from rocov2_shared.conversion import ConversionRecord, DamagedConversionError, read_conversion
from rocov2_shared.errors import UserError
from rocov2_shared.files import file_sha256, sync_path, write_json
from rocov2_shared.locks import locked_file


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(output.name + suffix)


def problems_path(output: Path) -> Path:
    """Return the path of the list of problems of a build of `output`."""
    return _beside(output, ".problems.csv")


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold the lock of `output`, after repairing what a killed command left between two renames.

    Raises:
        UserError: another command is at work on it.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    busy = f"another command is at work on {output}: wait for it, or choose another OUTPUT"
    with locked_file(_beside(output, ".lock"), busy):
        _repair(output)
        yield


def _repair(output: Path) -> None:
    """Undo or finish an overwriting that was killed between its steps. An OUTPUT.old that no build left stays."""
    marks = list(_beside(output, ".building").glob("*/complete.json"))
    old = _beside(output, ".old")
    if marks and old.is_dir():
        if output.exists():
            _discard(old, _beside(output, ".building"))
        else:
            old.rename(output)
            sync_path(output.parent)
    for mark in marks:
        mark.unlink()


def _discard(folder: Path, building: Path) -> None:
    """Remove a repository. It is renamed first, so that no reader finds half of it under its name."""
    building.mkdir(exist_ok=True)
    replaced = building / "replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    folder.rename(replaced)
    shutil.rmtree(replaced)


def _read_conversion(root: Path) -> ConversionRecord | None:
    """Return the `conversion.json` of a repository that this program built; None for any other folder."""
    try:
        return read_conversion(str(root), _require_plan, "build it again")
    except (OSError, DamagedConversionError):
        return None


def _require_plan(conversion: ConversionRecord) -> ConversionRecord:
    if not isinstance(conversion["plan"], dict) or not isinstance(conversion["files"], dict):
        raise TypeError
    return conversion


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


def built_plan(output: Path) -> dict[str, Any] | None:
    """Return the plan of the repository in `output`, None if `output` is missing or empty.

    Raises:
        UserError: `output` is something that no conversion made, and must not be replaced.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return None
    conversion = _read_conversion(output)
    if conversion is None:
        raise UserError(f"{output} exists and was not built by this program: choose another OUTPUT, or move it")
    return conversion["plan"]


def damaged_files(output: Path) -> list[str]:
    """Return the files of a built repository that are missing, or whose size differs from its `conversion.json`."""
    conversion = _read_conversion(output)
    files = conversion["files"] if conversion else {}
    return [
        path
        for path, recorded in files.items()
        if not (output / path).is_file() or (output / path).stat().st_size != recorded["bytes"]
    ]


class Building:
    """The unfinished repository of one plan.

    Attributes:
        output: the folder that it becomes.
        repository: folder of its files.
    """

    def __init__(self, output: Path, plan: dict[str, Any]) -> None:
        self.output = output
        self._plan = plan
        self._all = _beside(output, ".building")
        self._folder = self._all / plan_id(plan)
        self._facts = self._folder / "facts"
        self._seen: dict[str, tuple[int, int]] = {}
        self.repository = self._folder / "repository"

    def start(self, discard: bool) -> None:
        """Make the folders, or find them as an earlier command left them.

        Args:
            discard: remove unfinished work of other plans instead of refusing to build beside it.

        Raises:
            UserError: there is unfinished work of another plan.
        """
        others = [folder for folder in self._all.iterdir() if folder != self._folder] if self._all.is_dir() else []
        for other in others:
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
        """Return the facts of the file of `task` if it is finished and unchanged since; None if it must be written."""
        record = self._facts_path(task.path)
        if not record.is_file():
            return None
        content = json.loads(record.read_text(encoding="utf-8"))
        facts = FileFacts(**content["facts"])
        file = self.repository / task.path
        same = (
            content["task"] == _task_id(task)
            and file.is_file()
            and file.stat().st_size == facts.bytes
            and file_sha256(file) == facts.sha256
        )
        if not same:
            return None
        self._seen[task.path] = self._state(task.path)
        return facts

    def _state(self, path: str) -> tuple[int, int]:
        stat = (self.repository / path).stat()
        return stat.st_size, stat.st_mtime_ns

    def record(self, task: Task, facts: FileFacts) -> None:
        """Record that the file of `task` is finished."""
        self._seen[task.path] = self._state(task.path)
        write_json(self._facts_path(task.path), {"task": _task_id(task), "facts": dataclasses.asdict(facts)})

    def remove_others(self, paths: set[str]) -> None:
        """Remove data files that are not in `paths`: those of an earlier plan, made before images were left out."""
        for folder in FOLDERS:
            for file in (self.repository / folder).iterdir():
                if f"{folder}/{file.name}" not in paths:
                    self._facts_path(f"{folder}/{file.name}").unlink(missing_ok=True)
                    file.unlink()

    def publish(self, files: list[FileFacts]) -> None:
        """Compare the files with their facts once more, and rename the folder to OUTPUT.

        Raises:
            UserError: a file has changed, or OUTPUT.old exists.
        """
        for facts in files:
            # By size and time: each was hashed when it was written or found, and reading all again would take a while.
            if self._state(facts.path) != self._seen.get(facts.path) or self._state(facts.path)[0] != facts.bytes:
                raise UserError(
                    f"{self.repository / facts.path} changed while the build ran: run the same command again to "
                    "write that file again"
                )
        old = _beside(self.output, ".old")
        if old.exists():
            raise UserError(f"{old} exists, but its name is needed: move it, and run the same command again")
        write_json(self._folder / "complete.json", {"plan": plan_id(self._plan)})
        if self.output.is_dir() and any(self.output.iterdir()):  # a rename onto a full folder fails
            self.output.rename(old)
        self.repository.rename(self.output)
        sync_path(self.output.parent)
        if old.exists():
            _discard(old, self._all)
        self.remove()

    def remove(self) -> None:
        """Remove all unfinished builds of OUTPUT."""
        shutil.rmtree(self._all, ignore_errors=True)


def _task_id(task: Task) -> str:
    # Field by field: the representation of a task as a whole would be several times as large as the task.
    digest = hashlib.sha256(type(task).__name__.encode())
    for field in dataclasses.fields(task):
        value = getattr(task, field.name)
        digest.update(f"\n{field.name}=".encode())
        for part in value if isinstance(value, tuple) else (value,):
            digest.update(part if isinstance(part, bytes) else f"{part!r},".encode())
    return digest.hexdigest()
