"""What a conversion says: of the release, of its plan, of the end, and the full account when it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pandas as pd

from rocov2_build.engine.building import problems_path
from rocov2_build.raw.problems import Report, write_problems
from rocov2_build.raw.release import RawRelease
from rocov2_build.raw.releases import FILES
from rocov2_build.shards.plan import Shard
from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_size
from rocov2_shared.terminal import say

VERIFIED = {
    "strict": "every image verified",
    "markers": "every image complete up to its end marker",
    "none": "images not verified",
}


def describe_release(raw: RawRelease, folder: Path) -> tuple[str, str]:
    """The release and its images, as step and text of a line."""
    counts = {split: len(part.members) for split, part in raw.images.items()}
    size = format_size(sum(part.bytes for part in raw.images.values()))
    by_split = ", ".join(f"{count:,} {split}" for split, count in counts.items())
    return (
        f"ROCOv2 {raw.name or '(unknown release)'}:",
        f" {sum(counts.values()):,} images ({by_split}), {size} in {folder}/",
    )


NOTES = {
    "cui-without-name": "concepts without a name in cui_mapping.csv",
    "article-in-two-splits": "images that share an article with another split",
    "duplicate-image": "images whose bytes occur more than once",
    "repeated-cui": "lists with a concept twice",
    "two-regions": "images with two body regions",
    "two-directions": "images with two directions",
    "region-without-xray": "images with a body region or direction that are no X-rays",
    "manual-not-first": "images whose curated concepts do not stand first",
    "benign-jpeg": "complete JPEGs that the strict decoder complains about or does not know",
}
"""What is counted under each warning."""


def describe_tables(report: Report) -> str:
    """Whether the release's files agree, and what was noted."""
    if report.problems:
        return f"{len(report.problems):,} problems."
    notes = ", ".join(f"{count:,} {NOTES[code]}" for code, count in sorted(report.warnings.items()))
    return f"{len(FILES)} files agree." + (f" Noted: {notes}." if notes else "")


def describe_plan(shards: list[Shard], rows: pd.DataFrame) -> None:
    """Say which shards would be written."""
    for shard in shards:
        part = rows.iloc[shard.rows]
        say(
            "",
            f"{shard.path}  {len(part):,} images, {len(shard.row_groups)} row groups, {format_size(int(part['size'].sum()))}",
        )
    say("Dry run", f"{len(shards)} shards, {format_size(int(rows['size'].sum()))}; nothing was written.")


def fail(report: Report, output: Path, *, skip_problems: bool, dry_run: bool) -> NoReturn:
    """Tell all problems, and list them beside `output` unless nothing is to be written.

    Raises:
        UserError: always.
    """
    path = problems_path(output)
    rows = {problem.id for problem in report.problems if problem.id}
    hint = ""
    if any(problem.code == "wrong-count" for problem in report.problems):
        hint = " If it is meant to be another release, a part of one or the sample, add --release any."
    elif skip_problems and not report.faulty_files:
        hint = " With all of them left out, no image is left to convert."
    elif not report.faulty_files:
        hint = f" Correct the release, or leave out the {len(rows):,} images with --on-problem skip."
    listed = f"All of them are in {path}."
    if dry_run:
        listed = f"Without --dry-run all of them are listed in {path}."
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_problems(path, report.problems)
    raise UserError(
        "\n".join([f"{len(report.problems):,} problems; nothing was built.", *report.lines(), f"{listed}{hint}"])
    )
