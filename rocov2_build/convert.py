"""Convert a raw release in one folder to a repository in another, or report everything that prevents it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from rocov2_build import FORMAT_VERSION
from rocov2_build.card.describe import can_draw, describe_repository
from rocov2_build.engine.building import Building, locked, problems_path
from rocov2_build.engine.cluster import require_scheduler
from rocov2_build.engine.local import run_tasks
from rocov2_build.engine.resume import is_built, require_space, run_unfinished
from rocov2_build.raw.problems import Report, describe_count, write_problems
from rocov2_build.raw.release import RawRelease, describe_release, describe_tables, read_release
from rocov2_build.raw.releases import LATEST
from rocov2_build.shards.plan import Layout, describe_plan, plan_shards
from rocov2_build.shards.tasks import check_tasks, shard_tasks, table_tasks
from rocov2_build.worker.task import AnyTask, FileFacts, ImageFault
from rocov2_build.worker.verification import Verification
from rocov2_shared.errors import UserError, how_to_install
from rocov2_shared.locks import require_locks
from rocov2_shared.processors import usable_processors
from rocov2_shared.sizes import format_count, format_size
from rocov2_shared.terminal import Progress, format_seconds, say


@dataclass(frozen=True)
class Conversion:
    """What one conversion is asked to do; see `rocov2 convert --help`."""

    raw: Path
    output: Path = Path("rocov2")
    release: str = LATEST
    workers: int = field(default_factory=usable_processors)
    scheduler: str | None = None
    limit: int | None = None
    splits: tuple[str, ...] = ()
    layout: Layout = field(default_factory=Layout)
    verify: str = Verification.STRICT.value
    skip_problems: bool = False
    overwrite: bool = False
    dry_run: bool = False
    pictures: bool = False
    quiet: bool = False

    @property
    def part(self) -> str | None:
        """Return the options that make the result a part of the release, None for the whole."""
        chosen = [f"--limit {self.limit}"] if self.limit else []
        return " ".join([*chosen, *(f"--split {split}" for split in sorted(set(self.splits)))]) or None

    def report(self, step: str, text: str) -> None:
        """Print one line about a step, unless quiet."""
        if not self.quiet:
            say(step, text)

    def run(self, tasks: Iterable[AnyTask], root: Path) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
        """Run tasks with the chosen workers, and yield each with its result."""
        return run_tasks(tasks, root, self.workers, self.scheduler)

    def select(self, rows: pd.DataFrame, faulty_ids: set[str]) -> pd.DataFrame:
        """Return the rows to build: intact, of the wanted splits, up to the limit of each."""
        rows = rows[~rows["image_id"].isin(faulty_ids)]
        if self.splits:
            rows = rows[rows["split"].isin(self.splits)]
        if self.limit:
            rows = rows.groupby("split", sort=False).head(self.limit)
        return rows.reset_index(drop=True)

    def plan(self, raw: RawRelease) -> dict[str, Any]:
        """Return everything that decides which bytes are written: versions, inputs, parameters, but not the workers."""
        return {
            "format": FORMAT_VERSION,
            "pyarrow": pa.__version__,
            "release": raw.name,
            "inputs": raw.files,
            "limit": self.limit,
            "splits": sorted(set(self.splits)),
            "verify": self.verify,
            **asdict(self.layout),
        }


def convert(conversion: Conversion) -> None:
    """Convert a raw release.

    Raises:
        UserError: with every problem found; nothing is then under OUTPUT.
        OSError: the disk is full, a folder cannot be written, ...
    """
    require_locks("converting a release")
    begin = time.monotonic()
    output, report = conversion.output, Report()
    if not output.name:
        raise UserError(f"OUTPUT must be a new folder, not the current one ({output}): name one, such as rocov2")
    if conversion.scheduler and not conversion.dry_run:
        require_scheduler(conversion.scheduler)
    raw = read_release(conversion.raw, conversion.release, report, output)
    conversion.report(*describe_release(raw, conversion.raw))
    conversion.report("Tables", describe_tables(report))
    if report.problems and (report.faulty_files or not conversion.skip_problems):
        _check_images(raw, conversion, report)
        raise _refusal(report, conversion)
    rows = conversion.select(raw.rows, report.faulty_ids)
    if rows.empty and report.problems:
        raise _refusal(report, conversion)
    if rows.empty:
        raise UserError(f"no image is left to convert in {conversion.raw}")
    if conversion.dry_run:
        for step, text in describe_plan(plan_shards(rows, conversion.layout), rows):
            say(step, text)
        return
    plan = conversion.plan(raw)
    with locked(output):
        building = Building(output, plan)
        if is_built(output, plan, conversion.overwrite):
            building.remove()
            conversion.report("Done", f"{output}/ was already built, from the same release with the same options.")
            return
        building.start(discard=conversion.overwrite)
        reported = set(report.warnings)
        files = _build(raw, rows, conversion, building, report)
        for code in sorted(set(report.warnings) - reported):
            conversion.report("Noted", f"{describe_count(code, report.warnings[code])}.")
        pictures = conversion.pictures and can_draw()
        if conversion.pictures and not pictures:
            text = f"the card has no pictures, since matplotlib is missing: {how_to_install('card')}"
            conversion.report("Noted", text)
        describe_repository(
            building.repository,
            files,
            plan,
            part=conversion.part,
            warnings=report.warnings,
            left_out=report.problems,
            pictures=pictures,
        )
        building.publish(files)
        if report.problems:
            write_problems(problems_path(output), report.problems)
        else:
            problems_path(output).unlink(missing_ok=True)
    shards = [file for file in files if file.modes]
    images = sum(file.rows for file in shards)
    conversion.report(
        "Done",
        f"{output}/ in {format_seconds(time.monotonic() - begin)}: {format_count(images, 'image')} in "
        f"{format_count(len(shards), 'shard')}, {format_size(sum(file.bytes for file in files))}, "
        f'{Verification(conversion.verify).result}.{_left_out(report, output)} Use: load_dataset("{output}")',
    )


def _left_out(report: Report, output: Path) -> str:
    if not report.problems:
        return ""
    return f" {format_count(len(report.problems), 'problem')} left out, see {problems_path(output)}."


def _check_images(raw: RawRelease, conversion: Conversion, report: Report) -> None:
    """Check every image of a release that cannot be built, so that all its problems are reported at once."""
    tasks = check_tasks(raw, conversion.verify)
    images = sum(len(task.ids) for task in tasks)
    with Progress("Checking", images, len(tasks), "images", "parts", conversion.quiet) as progress:
        for task, faults in conversion.run(tasks, conversion.raw):
            if isinstance(faults, list):
                _add_faults(faults, report)
            progress.add(len(task.ids))


def _add_faults(faults: list[ImageFault], report: Report) -> None:
    for fault in faults:
        report.add(fault.code, fault.source, fault.image_id, expected=fault.expected, found=fault.found)


def _build(
    raw: RawRelease, rows: pd.DataFrame, conversion: Conversion, building: Building, report: Report
) -> list[FileFacts]:
    """Write all data files; with faulty images, fail, or plan anew without them until there are none.

    Returns:
        Facts of the files, in the order of the rows.
    """
    while True:
        shards = plan_shards(rows, conversion.layout)
        require_space(int(rows["size"].sum()), building, conversion.output)
        images = {shard.path: len(shard.rows) for shard in shards}
        # The largest first: then no worker is left alone with one at the end.
        largest_first = sorted(shards, key=lambda shard: images[shard.path], reverse=True)
        tasks = shard_tasks(raw, rows, largest_first, conversion.verify)
        with Progress("Images", len(rows), len(shards), "images", "shards", conversion.quiet) as progress:
            done, faults = run_unfinished(tasks, images, building, conversion.run, progress)
        if not faults:
            break
        _add_faults(faults, report)
        rows = conversion.select(raw.rows, report.faulty_ids)
        if rows.empty or not conversion.skip_problems:
            building.remove()
            raise _refusal(report, conversion)
    raw.forget_members()
    in_order = [done[shard.path] for shard in shards]
    others = table_tasks(raw, rows, in_order)
    with Progress("Tables", len(others), len(others), "files", "files", conversion.quiet) as progress:
        done, _ = run_unfinished(
            others, dict.fromkeys((task.path for task in others), 1), building, conversion.run, progress
        )
    files = [*in_order, *(done[task.path] for task in others)]
    building.remove_others({file.path for file in files})
    report.warn("benign-jpeg", sum(file.benign for file in files))
    seen = Counter(digest for file in files for digest in file.images)
    report.warn("duplicate-image", sum(count for count in seen.values() if count > 1))
    return files


def _refusal(report: Report, conversion: Conversion) -> UserError:
    """List all problems beside OUTPUT, unless nothing is to be written, and return the error that reports them."""
    path = problems_path(conversion.output)
    images = {problem.id for problem in report.problems if problem.id}
    hint = ""
    if any(problem.code == "wrong-count" for problem in report.problems):
        hint = " To convert another release, a part of one or the sample, add --release any."
    elif conversion.skip_problems and not report.faulty_files:
        hint = " Without the images at fault, no image is left to convert."
    elif not report.faulty_files:
        hint = f" Correct the release, or leave out {format_count(len(images), 'image')} with --on-problem skip."
    if conversion.dry_run:
        listed = f"Without --dry-run, {path} lists all of them."
    else:
        conversion.output.parent.mkdir(parents=True, exist_ok=True)
        write_problems(path, report.problems)
        listed = f"{path} lists all of them."
    found = f"{format_count(len(report.problems), 'problem')} found; nothing was built."
    return UserError("\n".join([found, *report.lines(), f"{listed}{hint}"]))
