"""The whole way: a raw release in one folder -> a repository in another, or a full account of why not."""

from __future__ import annotations

import hashlib
import importlib.metadata
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pyarrow as pa

from rocov2 import CONFIGS
from rocov2_build import FORMAT_VERSION
from rocov2_build.account import NOTES, VERIFIED, describe_plan, describe_release, describe_tables, fail
from rocov2_build.card.blocks import Contents, Picture
from rocov2_build.card.croissant import croissant
from rocov2_build.card.describe import can_draw, draw_pictures
from rocov2_build.card.readme import measure, write_card
from rocov2_build.engine.building import (
    Building,
    built_plan,
    damaged_files,
    describe_differences,
    locked,
    problems_path,
)
from rocov2_build.engine.cluster import require_scheduler
from rocov2_build.engine.local import run_tasks
from rocov2_build.facts.compute import compute_facts
from rocov2_build.raw.problems import Report, write_problems
from rocov2_build.raw.release import RawRelease, read_release
from rocov2_build.raw.releases import LATEST
from rocov2_build.shards.plan import Layout, plan_shards
from rocov2_build.shards.tasks import check_tasks, shard_tasks, table_tasks
from rocov2_build.worker.task import FileFacts, ImageFault, Task
from rocov2_shared.errors import UserError
from rocov2_shared.files import write_json
from rocov2_shared.processors import usable_processors
from rocov2_shared.sizes import format_size
from rocov2_shared.terminal import Progress, format_seconds, say

_PROJECT = "rocov2-hub"
_TOOLS = ("datasets", "pyarrow", "pandas", "Pillow", "simplejpeg")
_SPARE = 1.05
"""Space to have free, relative to the images: the tables and footers beside them are small."""


@dataclass(frozen=True)
class Conversion:
    """What one conversion is asked to do; see `scripts/convert_to_parquet.py --help`."""

    raw: Path
    output: Path = Path("rocov2")
    release: str = LATEST
    workers: int = field(default_factory=usable_processors)
    scheduler: str | None = None
    limit: int | None = None
    splits: tuple[str, ...] = ()
    layout: Layout = field(default_factory=Layout)
    verify: str = "strict"
    skip_problems: bool = False
    overwrite: bool = False
    dry_run: bool = False
    pictures: bool = False
    quiet: bool = False

    @property
    def part(self) -> str | None:
        """The options that make the result a part of the release, None for the whole."""
        chosen = [f"--limit {self.limit}"] if self.limit else []
        return " ".join([*chosen, *(f"--split {split}" for split in sorted(set(self.splits)))]) or None


def convert(options: Conversion) -> None:
    """Convert a raw release.

    Raises:
        UserError: with the full account of what is wrong; nothing is then under OUTPUT.
        OSError: the disk is full, a folder cannot be written, ...
    """
    begin = time.monotonic()
    tell = (lambda *_: None) if options.quiet else say
    report = Report()
    if not options.output.name:
        raise UserError(f"{options.output} is the folder that you are in: name one that can be made, such as rocov2")
    if options.scheduler and not options.dry_run:
        require_scheduler(options.scheduler)
    raw = read_release(options.raw, options.release, report, options.output)
    tell(*describe_release(raw, options.raw))
    tell("Tables", describe_tables(report))
    if report.problems and (report.faulty_files or not options.skip_problems):
        _check_images(raw, options, report)
        _fail(report, options)
    rows = _select(raw.rows, options, report)
    if rows.empty and report.problems:
        _fail(report, options)
    if rows.empty:
        raise UserError(f"no image is left to convert in {options.raw}")
    plan = _plan(raw, options)
    if options.dry_run:
        describe_plan(plan_shards(rows, options.layout), rows)
        return
    with locked(options.output):
        existing = built_plan(options.output)
        building = Building(options.output, plan)
        damaged = damaged_files(options.output)
        if existing == plan and not damaged:
            building.remove()
            tell("Done", f"{options.output}/ is built already, from the same release with the same options.")
            return
        if damaged and not options.overwrite:
            raise UserError(f"{options.output} is damaged ({', '.join(damaged)}): add --overwrite to build it again")
        if existing is not None and not options.overwrite:
            differences = "; ".join(describe_differences(existing, plan))
            raise UserError(
                f"{options.output} is built from something else ({differences}): add --overwrite to replace it"
            )
        building.start(discard=options.overwrite)
        told = set(report.warnings)
        files, rows = _build(raw, rows, options, building, report)
        for code in sorted(set(report.warnings) - told):
            tell("Noted", f"{report.warnings[code]:,} {NOTES[code]}.")
        _finish(raw, options, plan, building, files, report)
    shards = sum(bool(file.modes) for file in files)
    left = (
        f" {len(report.problems):,} problems left out, see {problems_path(options.output)}." if report.problems else ""
    )
    tell(
        "Done",
        f"{options.output}/ in {format_seconds(time.monotonic() - begin)}: {len(rows):,} images in {shards} shards, "
        f"{format_size(sum(file.bytes for file in files))}, {VERIFIED[options.verify]}.{left} "
        f'Use: load_dataset("{options.output}")',
    )


def _select(rows: pd.DataFrame, options: Conversion, report: Report) -> pd.DataFrame:
    """The rows to build: those not at fault, of the wanted splits, up to the limit of each."""
    rows = rows[~rows["image_id"].isin(report.faulty_ids)]
    if options.splits:
        rows = rows[rows["split"].isin(options.splits)]
    if options.limit:
        rows = rows.groupby("split", sort=False).head(options.limit)
    return rows.reset_index(drop=True)


def _plan(raw: RawRelease, options: Conversion) -> dict[str, Any]:
    """All that decides which bytes a build writes: versions, inputs and parameters, but not how the work is done."""
    return {
        "format": FORMAT_VERSION,
        "pyarrow": pa.__version__,
        "release": raw.name,
        "inputs": raw.files,
        "limit": options.limit,
        "splits": sorted(set(options.splits)),
        "verify": options.verify,
        **asdict(options.layout),
    }


def _fail(report: Report, options: Conversion) -> NoReturn:
    fail(report, options.output, skip_problems=options.skip_problems, dry_run=options.dry_run)


def _check_images(raw: RawRelease, options: Conversion, report: Report) -> None:
    """Look at every image of a release that cannot be built, so that all its problems are told at once."""
    tasks = check_tasks(raw, options.verify)
    with Progress(
        "Checking", sum(len(task.ids) for task in tasks), len(tasks), "images", "parts", options.quiet
    ) as progress:
        for task, faults in run_tasks(tasks, options.raw, options.workers, options.scheduler):
            if isinstance(faults, list):
                _add_faults(faults, report)
            progress.add(len(task.ids))


def _add_faults(faults: list[ImageFault], report: Report) -> None:
    for fault in faults:
        report.add(fault.code, fault.source, fault.image_id, expected=fault.expected, found=fault.found)


def _build(
    raw: RawRelease, rows: pd.DataFrame, options: Conversion, building: Building, report: Report
) -> tuple[list[FileFacts], pd.DataFrame]:
    """Write all data files; with faulty images, fail, or plan anew without them until there are none.

    Returns:
        Facts of the files, and the rows that they hold.
    """
    while True:
        shards = plan_shards(rows, options.layout)
        _require_space(rows, building, options.output)
        sizes = {shard.path: len(shard.rows) for shard in shards}
        # The largest first: then no worker is left alone with one at the end.
        largest_first = sorted(shards, key=lambda shard: sizes[shard.path], reverse=True)
        images, faults = _run(shard_tasks(raw, rows, largest_first, options.verify), sizes, "Images", options, building)
        if not faults:
            break
        _add_faults(faults, report)
        rows = _select(raw.rows, options, report)
        if rows.empty or not options.skip_problems:
            building.remove()
            _fail(report, options)
    raw.forget_members()
    in_order = [images[shard.path] for shard in shards]
    tasks = table_tasks(raw, rows, in_order)
    tables, _ = _run(tasks, dict.fromkeys((task.path for task in tasks), 1), "Tables", options, building)
    files = [*in_order, *(tables[task.path] for task in tasks)]
    building.remove_others({file.path for file in files})
    report.warn("benign-jpeg", sum(file.benign for file in files))
    seen = Counter(digest for file in files for digest in file.images)
    report.warn("duplicate-image", sum(count for count in seen.values() if count > 1))
    return files, rows


def _run(
    tasks: Iterable[Task], sizes: dict[str, int], step: str, options: Conversion, building: Building
) -> tuple[dict[str, FileFacts], list[ImageFault]]:
    """Run the tasks that are not done yet; facts by path, and the faults of images.

    `sizes` says by path how many images (or files) the progress bar counts for a task.
    """
    done: dict[str, FileFacts] = {}
    faulty: list[ImageFault] = []
    unit, part = ("images", "shards") if step == "Images" else ("files", "files")
    with Progress(step, sum(sizes.values()), len(sizes), unit, part, options.quiet) as progress:

        def unfinished() -> Iterator[Task]:
            for task in tasks:
                facts = building.finished(task)
                if facts is None:
                    yield task
                else:
                    done[task.path] = facts
                    progress.add(sizes[task.path], skipped=True)

        for task, result in run_tasks(unfinished(), building.repository, options.workers, options.scheduler):
            if isinstance(result, FileFacts):
                building.record(task, result)
                done[task.path] = result
            else:
                faulty += result
            progress.add(sizes[task.path])
    return done, faulty


def _require_space(rows: pd.DataFrame, building: Building, output: Path) -> None:
    written = sum(file.stat().st_size for file in building.repository.rglob("*.parquet"))
    needed = int(rows["size"].sum() * _SPARE) - written
    free = shutil.disk_usage(building.repository).free
    if needed > free:
        raise UserError(
            f"{output} needs {format_size(needed)} more, but {format_size(free)} are free there: make room, or choose an "
            "OUTPUT on another disk"
        )


def _finish(
    raw: RawRelease,
    options: Conversion,
    plan: dict[str, Any],
    building: Building,
    files: list[FileFacts],
    report: Report,
) -> None:
    """Add what the repository says of itself, and put it in its place."""
    sizes = measure(files)
    identity = {
        config: _combine([file.rows_sha256 for file in files if CONFIGS[config].split_of(file.path)])
        for config in sizes
    }
    facts = compute_facts(building.repository, files)
    write_json(building.repository / "facts.json", facts)
    examples: Picture | None = None
    charts: list[Picture] = []
    if options.pictures and can_draw():
        examples, charts = draw_pictures(building.repository, facts)
    elif options.pictures and not options.quiet:
        say("Noted", "The card has no pictures: they need matplotlib, pip install -e '.[card]' in this project.")
    contents = Contents(sizes, raw.name, options.part, identity, facts, raw.files, examples, charts)
    write_card(building.repository, contents)
    write_json(building.repository / "croissant.json", croissant(contents, files))
    conversion = {
        "project": {"name": _PROJECT, "version": importlib.metadata.version(_PROJECT)},
        "release": raw.name,
        "partial": contents.partial,
        "part": options.part,
        "rows_sha256": identity,
        "files": {
            file.path: {
                "rows": file.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
                "rows_sha256": file.rows_sha256,
                **file.layout,
            }
            for file in files
        },
        "image_modes": dict(sorted(sum((Counter(file.modes) for file in files), Counter()).items())),
        "warnings": dict(sorted(report.warnings.items())),
        "left_out": [
            {"image_id": problem.id, "code": problem.code, "file": problem.file, "found": problem.found}
            for problem in sorted(report.problems)
        ],
        "versions": {name: importlib.metadata.version(name) for name in _TOOLS},
        "plan": plan,
    }
    write_json(building.repository / "conversion.json", conversion)
    building.publish(files)
    if report.problems:
        write_problems(problems_path(options.output), report.problems)
    else:
        problems_path(options.output).unlink(missing_ok=True)


def _combine(hashes: list[str]) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()
