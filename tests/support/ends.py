"""Programs that end in the middle of a stream of `datasets`, and how they end."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.processes import HANG_SECONDS

HANGS = "hangs"
"""What a program gives that does not end, instead of an exit code."""
OPEN = """
import sys, datasets
{first}
rows = iter(datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", streaming=True))
next(rows)
"""
"""The stream is still open as the interpreter ends; `first` is a line of the program."""
LEFT = """
import sys, datasets
{first}
for row in datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", streaming=True).take(3):
    pass
"""
"""The stream is closed, but pyarrow still reads."""


def write_shard(path: Path, row_groups: int = 20) -> Path:
    """Write a shard of 4 MB a row group: reading it takes longer than the end of an interpreter."""
    schema = pa.schema({"image_id": pa.string(), "image": pa.struct({"bytes": pa.binary(), "path": pa.string()})})
    images = [{"bytes": os.urandom(200_000), "path": "image.jpg"} for _ in range(20)]
    table = pa.table({"image_id": [str(number) for number in range(20)], "image": images}, schema=schema)
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(row_groups):
            writer.write_table(table)
    return path


def count_ends(
    command: Sequence[str], runs: int, environment: Mapping[str, str], cwd: Path, patience: float = HANG_SECONDS
) -> Counter[int | str]:
    """Run a command `runs` times, and count its exit codes; `hangs` if it does not end within `patience` seconds."""
    ends: Counter[int | str] = Counter()
    for _ in range(runs):
        try:
            done = subprocess.run(
                command, env=environment, cwd=cwd, timeout=patience, capture_output=True, stdin=subprocess.DEVNULL
            )
            ends[done.returncode] += 1
        except subprocess.TimeoutExpired:
            ends[HANGS] += 1
    return ends
