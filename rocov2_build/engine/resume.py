"""Going on where an earlier command stopped: what is built already, and what is left to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rocov2_build.engine.building import Building, describe_differences
from rocov2_build.engine.output import built_plan, damaged_files, require_free_old
from rocov2_build.shards.mini import ROWS
from rocov2_build.worker.task import FileFacts, ImageFault, Task
from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_size
from rocov2_shared.terminal import Progress

_SPARE = 1.05
"""Space to have free, relative to the images: the tables and footers beside them are small."""

_SCALED_BYTES_PER_PIXEL = 0.5
"""Upper bound of the bytes of scaled pictures, by the pixels of a square with their shorter side; real ones need about half.
None is counted with more than its own bytes before it is scaled."""


def is_built(output: Path, plan: dict[str, Any], overwrite: bool) -> bool:
    """Return whether `output` is an undamaged repository of `plan`.

    Args:
        output: folder of the repository, which may be missing.
        plan: everything that decides which bytes a build writes.
        overwrite: whether another or a damaged repository may be replaced.

    Raises:
        UserError: `output` contains something that must not be replaced, or OUTPUT.old exists, whose name is then needed.
    """
    existing = built_plan(output)
    damaged = damaged_files(output)
    if existing == plan and not damaged:
        return True
    if existing is None:
        return False
    if overwrite:
        require_free_old(output)
        return False
    if damaged:
        raise UserError(f"{output} is damaged ({', '.join(damaged)}): add --overwrite to build it again")
    differences = "; ".join(describe_differences(existing, plan))
    raise UserError(f"{output} was built from another plan ({differences}): add --overwrite to replace it")


def require_space(sizes: pd.Series, small: int | None, building: Building) -> None:
    """Check that the disk has room for the part of a repository that is not written yet.

    Args:
        sizes: bytes of each image.
        small: shorter side of the scaled pictures in pixels, None for none.
        building: the unfinished repository.

    Raises:
        UserError: it has not.
    """
    images, scaled = int(sizes.sum() * _SPARE), 0
    if small:
        most = sizes.clip(upper=small * small * _SCALED_BYTES_PER_PIXEL)
        mini = most.sort_values(ascending=False).head(sum(ROWS.values()))
        scaled = int((most.sum() + mini.sum()) * _SPARE)
    written = sum(file.stat().st_size for file in building.repository.rglob("*.parquet"))
    needed = images + scaled - written
    free = shutil.disk_usage(building.repository).free
    if needed > free:
        parts = (
            f" (up to {format_size(scaled)} of it for small and mini, which --small none leaves out)" if small else ""
        )
        raise UserError(
            f"not enough disk space for {building.output}: {format_size(needed)} needed{parts}, {format_size(free)} free. "
            "Free some space or choose an OUTPUT on another disk"
        )


def run_unfinished(
    tasks: Iterable[Task],
    items: Mapping[str, int],
    building: Building,
    run: Callable[[Iterable[Task], Path], Iterator[tuple[Task, FileFacts | list[ImageFault]]]],
    progress: Progress,
) -> tuple[dict[str, FileFacts], list[ImageFault]]:
    """Run the tasks whose files are not finished, and record each file as it is.

    Args:
        tasks: taken one by one as `run` asks for them.
        items: number of items (images or files) by path of a task, for the progress bar.
        building: the unfinished repository.
        run: runs tasks under a folder and yields each with its result.
        progress: the bar to advance.

    Returns:
        The facts of all files by path, those of an earlier command included; and the faults of images.
    """
    done: dict[str, FileFacts] = {}
    faults: list[ImageFault] = []

    def unfinished() -> Iterator[Task]:
        for task in tasks:
            facts = building.finished(task)
            if facts is None:
                yield task
            else:
                done[task.path] = facts
                progress.add(items[task.path], skipped=True)

    for task, result in run(unfinished(), building.repository):
        if isinstance(result, FileFacts):
            building.record(task, result)
            done[task.path] = result
        else:
            faults += result
        progress.add(items[task.path])
    return done, faults
