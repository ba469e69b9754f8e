"""Where a worker's time goes: one shard written in this process, its stages timed. Prints Markdown.

    python benchmarks/conversion/stages.py --images 4000

The times are those of the processor, so waiting for the disk or for other programs is not in them. The columns take turns.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
import deflate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.conversion.make_release import write_release
from benchmarks.conversion.measure import machine
from rocov2_build.raw.problems import Report
from rocov2_build.raw.release import read_release
from rocov2_build.shards.plan import Layout, plan_shards
from rocov2_build.shards.tasks import shard_tasks
from rocov2_build.worker import jpeg, member, parquet, shard_file, write
from rocov2_build.worker.scale import SIDE
from rocov2_build.worker.verification import Verification

STAGES = {
    "header": (jpeg, "_read_header"),
    "opened by Pillow": (jpeg, "_open"),
    "strict decode, grey, 1/8": (jpeg, "_decode"),
    "perceptual hash": (jpeg, "perceptual_hash"),
    "markers": (jpeg, "walk_markers"),
    "small picture: decode, resize, encode": (jpeg, "_make_small"),
    "inflate (libdeflate)": (member, "_inflate"),
    "read from the zip": (member.MemberReader, "_read_compressed"),
    "CRC-32": (deflate, "crc32"),
    "SHA-256 of the image": (hashlib, "sha256"),
    "columns to Arrow": (shard_file, "_assemble"),
    "Parquet: pages, chunking": (parquet, "write_row_group"),
    "SHA-256 of the file, writing": (parquet._HashedFile, "write"),
    "rows to JSON": (write, "rows_to_json"),
    "hash of the rows": (shard_file.RowsHash, "add_pictures"),
    "fsync": (os, "fsync"),
}
"""What is timed, by what the table calls it: an owner and the name of its function. One that calls another does not count the
other's time."""

COLUMNS = {
    "strict, with `small`": (Verification.STRICT, SIDE),
    "strict": (Verification.STRICT, None),
    "markers": (Verification.MARKERS, None),
    "none": (Verification.NONE, None),
}
"""How a shard is verified, and the shorter side of its small pictures; the last three are with `--small none`."""


class Clock:
    """Seconds by stage, over all calls."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner = threading.local()
        for stage, (owner, name) in STAGES.items():
            setattr(owner, name, self._timed(stage, getattr(owner, name)))

    def _timed(self, stage: str, function: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            outer = getattr(self._inner, "seconds", 0.0)
            self._inner.seconds = 0.0
            begin = time.thread_time()
            try:
                return function(*arguments, **options)
            finally:
                seconds = time.thread_time() - begin
                self.spent[stage] += seconds - self._inner.seconds
                self._inner.seconds = outer + seconds

        return run


@click.command(help=__doc__)
@click.option("--images", default=4_000, show_default=True, help="Images of the release; its largest shard is taken.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--raw", type=click.Path(exists=True, path_type=Path), help="A release to take instead of making one.")
def main(images: int, rounds: int, raw: Path | None) -> None:
    """Write a shard again and again."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as name:
        output = Path(name, "output")
        if raw is None:
            raw = Path(name, "raw")
            write_release(raw, images, seed=0)
        for config in ("data", "small"):
            (output / config).mkdir(parents=True)
        release = read_release(raw, "any", Report())
        largest = max(plan_shards(release.rows, Layout()), key=lambda shard: len(shard.rows))
        tasks = {
            column: next(shard_tasks(release, release.rows, [largest], verify, side))
            for column, (verify, side) in COLUMNS.items()
        }
        runs: dict[str, list[dict[str, float]]] = {column: [] for column in COLUMNS}
        for _ in range(rounds + 1):
            for column, task in tasks.items():
                clock.spent.clear()
                begin = time.process_time()
                write.run_task(task, str(output))
                total = time.process_time() - begin
                spent = {stage: clock.spent[stage] for stage in STAGES}
                runs[column].append(spent | {"the rest: Python": total - sum(spent.values()), "all": total})
    each = 1e6 / len(largest.rows)
    medians = {
        column: {stage: statistics.median(run[stage] for run in done[1:]) * each for stage in done[0]}
        for column, done in runs.items()
    }
    click.echo(
        f"{machine()}; {len(largest.rows):,} images, microseconds of processor time per image, medians of {rounds} runs.\n"
    )
    click.echo(f"| stage | {' | '.join(COLUMNS)} |")
    click.echo("| --- " * (len(COLUMNS) + 1) + "|")
    for stage in next(iter(medians.values())):
        click.echo(f"| {stage} | {' | '.join(f'{medians[column][stage]:,.0f}' for column in COLUMNS)} |")


if __name__ == "__main__":
    main()
