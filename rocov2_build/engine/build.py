"""Writes all Parquet files of a repository, or checks all images of a release that cannot be built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import pandas as pd

from rocov2_build.engine.building import Building
from rocov2_build.engine.resume import require_space, run_unfinished
from rocov2_build.raw.release import RawRelease
from rocov2_build.shards.plan import Layout, Shard
from rocov2_build.shards.tasks import check_tasks, mini_tasks, shard_tasks, table_tasks
from rocov2_build.worker.task import AnyTask, FileFacts, ImageFault
from rocov2_shared.terminal import Console


class Run(Protocol):
    """Runs tasks under a folder, and yields each with its result."""

    def __call__(
        self, tasks: Iterable[AnyTask], root: Path, /
    ) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]: ...


def build_files(
    raw: RawRelease,
    rows: pd.DataFrame,
    shards: list[Shard],
    verify: str,
    layout: Layout,
    building: Building,
    *,
    run: Run,
    leave_out: Callable[[list[ImageFault]], tuple[pd.DataFrame, list[Shard]]],
    console: Console,
) -> list[FileFacts]:
    """Write the files that are not finished yet: first the shards of images, then the files made of them.

    Args:
        raw: the release.
        rows: the rows to build.
        shards: their plan.
        verify: how images are checked, a value of `Verification`.
        layout: sizes to aim at, and those of the scaled pictures.
        building: the unfinished repository.
        run: runs the tasks.
        leave_out: takes the faults of images and returns the rows without them, and their plan; or raises.
        console: shows the progress.

    Returns:
        Facts of the files, in the order of the rows.
    """
    while True:
        require_space(rows["size"], layout.small, building)
        images = {shard.path: len(shard.rows) for shard in shards}
        # The largest first: then no worker is left alone with one at the end.
        largest_first = sorted(shards, key=lambda shard: images[shard.path], reverse=True)
        tasks = shard_tasks(raw, rows, largest_first, verify, layout.small)
        with console.progress("Images", len(rows), len(shards), "images", "shards") as progress:
            done, faults = run_unfinished(tasks, images, building, run, progress)
        if not faults:
            break
        rows, shards = leave_out(faults)
    raw.forget_members()
    in_order = [done[shard.path] for shard in shards]
    others = [*table_tasks(raw, rows, in_order), *mini_tasks(rows, shards, layout, in_order)]
    with console.progress("Text", len(others), len(others), "files", "files") as progress:
        done, _ = run_unfinished(others, dict.fromkeys((task.path for task in others), 1), building, run, progress)
    files = [
        *in_order,
        *(file.scaled for file in in_order if file.scaled),
        *(done[task.path] for task in others),
    ]
    building.remove_others({file.path for file in files})
    return files


def check_images(raw: RawRelease, root: Path, verify: str, *, run: Run, console: Console) -> list[ImageFault]:
    """Check every image of a release that cannot be built, so that all its problems are reported at once.

    Args:
        raw: the release.
        root: its folder.
        verify: how images are checked, a value of `Verification`.
        run: runs the tasks.
        console: shows the progress.
    """
    tasks = check_tasks(raw, verify)
    found: list[ImageFault] = []
    images = sum(len(task.ids) for task in tasks)
    with console.progress("Checking", images, len(tasks), "images", "parts") as progress:
        for task, faults in run(tasks, root):
            if isinstance(faults, list):
                found += faults
            progress.add(len(task.ids))
    return found
