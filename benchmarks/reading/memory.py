"""Memory that the stream needs, with and without torch in the same program, and what torch needs by itself.

    python benchmarks/reading/memory.py rocov2 --torch PYTHON

Each line is a program of its own, which imports the stream, then torch or not, and reads a shuffled epoch or not; the largest
resident memory (VmHWM) of the process, the median of three. PYTHON is an environment that has torch, too.
"""

from __future__ import annotations

import os
import statistics
import subprocess
from pathlib import Path

import click

PROJECT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
repository, torch, decode = sys.argv[1:4]
from rocov2_tasks.pretraining import PretrainingStream
if torch:
    import torch.utils.data
if decode:
    options = {"columns": ["image", "image_id"], "image_size": 224, "batch_size": 64, "threads": 2}
    stream = PretrainingStream(repository, decode=decode, **options)
    loader = torch.utils.data.DataLoader(stream, batch_size=None) if torch else stream
    assert sum(len(batch["image_id"]) for batch in loader) > 0
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak(python: str, repository: str, with_torch: bool, decode: str) -> float:
    """Return the largest resident memory in MB."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "HF_HUB_OFFLINE": "1"}
    command = [python, "-c", PROGRAM, repository, "torch" if with_torch else "", decode]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024 / 1e6


@click.command(help=__doc__)
@click.argument("repository", type=click.Path(exists=True))
@click.option("--torch", "python", required=True, help="Python of an environment with torch.")
@click.option("--rounds", default=3, show_default=True, help="Programs of each kind.")
def main(repository: str, python: str, rounds: int) -> None:
    """Measure, and print a table in Markdown."""

    def median(with_torch: bool, decode: str) -> float:
        return statistics.median(peak(python, repository, with_torch, decode) for _ in range(rounds))

    own = median(with_torch=True, decode="") - median(with_torch=False, decode="")
    click.echo("| | MB without torch | MB that torch needs by itself | MB with torch | with / (without + torch) |")
    click.echo("| --- | --- | --- | --- | --- |")
    for decode in ("exact", "fast"):
        without, together = median(False, decode), median(True, decode)
        ratio = together / (without + own)
        click.echo(f"| `{decode}`, shuffled | {without:.0f} | {own:.0f} | {together:.0f} | **{ratio:.2f}** |")


if __name__ == "__main__":
    main()
