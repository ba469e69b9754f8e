"""Workers that died: the task runs again, or the image that ends its workers is found and left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rocov2_build.engine.processes import WorkerDiedError
from rocov2_build.worker.task import CheckTask, FileFacts, ImageFault, ShardTask, deserialize
from rocov2_shared.errors import UserError

MAX_DEATHS = 3
"""Worker deaths in one task after which it is given up: it kills its workers, or the machine has too little memory."""

Result = FileFacts | list[ImageFault]


class Deaths:
    """The deaths of workers, by the path of their task."""

    def __init__(self) -> None:
        self._deaths: dict[str, list[WorkerDiedError]] = {}
        self._originals: dict[str, Any] = {}
        self._faults: dict[str, list[ImageFault]] = {}

    def met(self, task: Any) -> bool:
        """Return whether a worker died in a task. The next one inspects image by image: then it is certain where it dies."""
        return bool(self._deaths) and task.path in self._deaths

    def record(self, task: Any, death: WorkerDiedError) -> Any:
        """Record a death, and return the task to run instead.

        It is the same one; or, once an image is known to end the workers, the check of the other ones, so that all problems
        are reported together.

        Raises:
            UserError: workers die in it again and again, and no image is known to be the cause.
        """
        deaths = self._deaths.setdefault(task.path, [])
        deaths.append(death)
        image_id = _culprit(deaths) if isinstance(task, ShardTask | CheckTask) else None
        if image_id is not None:
            self._originals.setdefault(task.path, task)
            self._faults.setdefault(task.path, []).append(_fault(task, image_id, self._deaths.pop(task.path)))
            return _without(task, image_id)
        if len(deaths) < MAX_DEATHS:
            return task
        at = f" at {' and '.join(death.images)}" if death.images else ""
        raise UserError(
            f"{MAX_DEATHS} worker processes died while writing {task.path} (the last one {death}{at}): run the same command "
            "again to resume, with fewer --workers if memory is short"
        )

    def complete(self, task: Any, result: Result) -> tuple[Any, Result]:
        """Return the task as it was given and its result, to which the images at which workers died belong."""
        faults = self._faults.pop(task.path, []) if self._faults else []
        if not faults:
            return task, result
        return self._originals.pop(task.path), [*faults, *(result if isinstance(result, list) else [])]


def _culprit(deaths: list[WorkerDiedError]) -> str | None:
    """Return the id of the image that ends the workers, None if that is not certain.

    At the last death it was the only image in work, and an earlier worker died at it, too. Two crashes are enough; whatever
    else ends a process (a user, too little memory) must have met all `MAX_DEATHS` workers there.
    """
    images = deaths[-1].images
    if len(images) != 1:
        return None
    there = [death for death in deaths if images[0] in death.images]
    crashes = sum(death.is_crash for death in there)
    return images[0] if crashes >= 2 or len(there) >= MAX_DEATHS else None


def _fault(task: ShardTask | CheckTask, image_id: str, deaths: list[WorkerDiedError]) -> ImageFault:
    there = sum(image_id in death.images for death in deaths)
    found = f"{there} worker processes that died at it (the last one {deaths[-1]})"
    return ImageFault("crashing-image", Path(task.source).name, image_id, "an image that can be decoded", found)


def _without(task: ShardTask | CheckTask, image_id: str) -> CheckTask:
    """Return the check of the other images of a task."""
    if isinstance(task, ShardTask):
        ids = tuple(deserialize(task.rows)["image_id"].to_pylist())
        task = CheckTask(task.path, task.source, ids, task.members, task.verify)
    kept = [number for number, other in enumerate(task.ids) if other != image_id]
    ids, members = tuple(task.ids[number] for number in kept), tuple(task.members[number] for number in kept)
    return replace(task, ids=ids, members=members)
