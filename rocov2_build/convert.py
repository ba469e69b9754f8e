"""Convert a raw release in one folder to a repository in another, or report everything that prevents it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from rocov2_build import FORMAT_VERSION
from rocov2_build.card.describe import can_draw, describe_passed_over, describe_repository
from rocov2_build.engine.build import build_files, check_images
from rocov2_build.engine.building import Building, locked
from rocov2_build.engine.cluster import require_scheduler
from rocov2_build.engine.local import run_tasks
from rocov2_build.engine.output import problems_path, require_output
from rocov2_build.engine.resume import is_built
from rocov2_build.raw.problems import Report, describe_count, describe_missing_list, is_list, refusal, write_problems
from rocov2_build.raw.release import RawRelease, describe_release, describe_tables, read_release
from rocov2_build.raw.releases import LATEST, describe_part
from rocov2_build.shards.plan import Layout, Shard, describe_plan, plan_shards
from rocov2_build.worker.scale import scaler_versions
from rocov2_build.worker.task import AnyTask, FileFacts, ImageFault
from rocov2_build.worker.verification import Verification
from rocov2_shared.errors import UserError, how_to_install
from rocov2_shared.locks import require_locks
from rocov2_shared.printable import is_utf8
from rocov2_shared.processors import usable_processors
from rocov2_shared.resuming import resumable
from rocov2_shared.sizes import format_count, format_size
from rocov2_shared.system_errors import describe_name
from rocov2_shared.terminal import Console, format_seconds, say


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
        return describe_part(self.limit, self.splits)

    def run(self, tasks: Iterable[AnyTask], root: Path) -> Iterator[tuple[AnyTask, FileFacts | list[ImageFault]]]:
        """Run tasks with the chosen workers, and yield each with its result."""
        return run_tasks(tasks, root, self.workers, self.scheduler)

    def select(self, rows: pd.DataFrame, faulty_ids: set[str]) -> pd.DataFrame:
        """Return the rows to build: intact, of the wanted splits, up to the limit of each."""
        selected = rows  # not a copy of them, if none is left out
        if faulty_ids:
            selected = selected[~selected["image_id"].isin(faulty_ids)]
        if self.splits:
            selected = selected[selected["split"].isin(self.splits)]
        if self.limit:
            selected = selected.groupby("split", sort=False).head(self.limit)
        return rows if selected is rows else selected.reset_index(drop=True)

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
            "scalers": scaler_versions() if self.layout.small else None,
        }


def convert(conversion: Conversion) -> None:
    """Convert a raw release.

    Raises:
        UserError: with every problem found; nothing is then under OUTPUT.
        OSError: the disk is full, a folder cannot be written, ...
    """
    require_locks("converting a release")
    begin = time.monotonic()
    report, console = Report(), Console(conversion.quiet)
    output = require_output(conversion.output, conversion.raw, conversion.overwrite)
    if not is_utf8(str(output)):
        raise UserError(describe_name(str(output)))
    if conversion.scheduler and not conversion.dry_run:
        require_scheduler(conversion.scheduler)
    raw = read_release(conversion.raw, conversion.release, report)
    refuse = partial(
        refusal,
        report,
        problems_path(output),
        found=raw.name,
        skip_problems=conversion.skip_problems,
        dry_run=conversion.dry_run,
    )
    is_refused = report.problems and (report.faulty_files or not conversion.skip_problems)
    rows = conversion.select(raw.rows, report.faulty_ids)
    shards = [] if is_refused else plan_shards(rows, conversion.layout)
    console.report(*describe_release(raw, conversion.raw, len(shards)))
    console.report("Tables", f"{describe_tables(report)} Read in {format_seconds(time.monotonic() - begin)}.")
    if is_refused:
        faults = check_images(raw, conversion.raw, conversion.verify, run=conversion.run, console=console)
        _add_faults(faults, report)
        raise refuse()
    if rows.empty and report.problems:
        raise refuse()
    if rows.empty:
        raise UserError(f"no image is left to convert in {conversion.raw}")
    if conversion.dry_run:
        for step, text in describe_plan(shards, rows):
            say(step, text)
        return
    plan = conversion.plan(raw)
    building = Building(output, plan)
    with locked(output), resumable(lambda: building.has_finished_files):
        if is_built(output, plan, conversion.overwrite):
            building.remove()
            console.report("Done", f"{output}/ was already built, from the same release with the same options.")
            return
        building.start(discard=conversion.overwrite)
        if there := building.count_finished_files():
            files_there = format_count(there, "file")
            console.report("Resumed", f"an earlier run has written {files_there}: those with the right hash are kept.")

        def leave_out(faults: list[ImageFault]) -> tuple[pd.DataFrame, list[Shard]]:
            _add_faults(faults, report)
            rows = conversion.select(raw.rows, report.faulty_ids)
            if rows.empty or not conversion.skip_problems:
                building.remove()
                raise refuse()
            return rows, plan_shards(rows, conversion.layout)

        files = build_files(
            raw,
            rows,
            shards,
            conversion.verify,
            conversion.layout,
            building,
            run=conversion.run,
            leave_out=leave_out,
            console=console,
        )
        for code, count in _count_warnings(files).items():
            report.warn(code, count)
            console.report("Noted", f"{describe_count(code, count)}.")
        scaled = [file.scaled for file in files if file.scaled]
        if scaled and all(file.kept == file.rows for file in scaled):
            same = f"every picture is already as small as --small {conversion.layout.small}: small repeats default"
            console.report("Noted", f"{same}, and --small none would leave it out.")
        pictures = conversion.pictures and can_draw()
        if conversion.pictures and not pictures:
            missing = f"the card has no pictures, since matplotlib is missing: {how_to_install('card')}"
            console.report("Noted", missing)
        passed_over = describe_repository(
            building.repository,
            files,
            plan,
            part=conversion.part,
            warnings=report.warnings,
            left_out=report.problems,
            pictures=pictures,
            console=console,
        )
        if passed_over:
            console.report("Noted", describe_passed_over(passed_over))
        building.publish(files, conversion.overwrite)
        left_out = _list_left_out(report, problems_path(output))
    built = [file for file in files if file.modes]
    images = format_count(sum(file.rows for file in built), "image")
    console.report(
        "Done",
        f"{output}/ in {format_seconds(time.monotonic() - begin)}: {images} in {format_count(len(built), 'shard')}, "
        f"{format_size(sum(file.bytes for file in files))}, {Verification(conversion.verify).result}.{left_out} "
        f'Use: load_dataset("{output}")',
    )


def _add_faults(faults: list[ImageFault], report: Report) -> None:
    for fault in faults:
        report.add(fault.code, fault.source, fault.image_id, expected=fault.expected, found=fault.found)


def _count_warnings(files: list[FileFacts]) -> dict[str, int]:
    """Return by code, sorted, what only the images themselves show."""
    seen = Counter(digest for file in files for digest in file.image_hashes)
    counts = {
        "benign-jpeg": sum(len(file.benign) for file in files),
        "duplicate-image": sum(count for count in seen.values() if count > 1),
        "turned-jpeg": sum(len(file.turned) for file in files),
    }
    return {code: count for code, count in counts.items() if count}


def _list_left_out(report: Report, path: Path) -> str:
    """List the problems whose rows were left out at `path`, or remove an older list; return the sentence about them."""
    if not report.problems:
        if is_list(path):
            with suppress(OSError):  # its folder cannot be changed
                path.unlink()
        return ""
    left_out = f" {format_count(len(report.problems), 'problem')} left out"
    try:
        write_problems(path, report.problems)
    except OSError as error:
        for line in report.lines():
            say("", line)
        return f"{left_out}, see conversion.json. {describe_missing_list(path, error)}"
    return f"{left_out}, see {path}."
