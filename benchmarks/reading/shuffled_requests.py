"""Count the least requests that a shuffled epoch from the Hub takes, by the memory for row groups. Prints Markdown.

    python benchmarks/reading/shuffled_requests.py rocov2

The order of an epoch is fixed, and each row group is needed at a known time. A program that knew all of it could fetch a row
group together with its neighbours in the file if these are needed soon, and keep them until then. This counts the requests of
such a program: what is left is the limit for this order, whatever reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rocov2 import Repository
from rocov2_tasks.stream.layout import SplitLayout, read_layout
from rocov2_tasks.stream.order import Order
from rocov2_tasks.stream.prefetch import plan_reading

WINDOW = 64_000_000
MEMORIES = (96, 192, 278)
"""MB for row groups: what the stream takes by default, twice as much, and all that 450 MB leave beside the program itself."""


def count_requests(layout: SplitLayout, groups: Sequence[int], memory: int) -> int:
    """Return the requests for row groups in the order of their need, neighbours joined where `memory` bytes hold them."""
    requests = 0
    held: set[int] = set()
    for time, group in enumerate(groups):
        if group in held:
            held.discard(group)
            continue
        requests += 1
        room, soon = memory, set[int]()
        for other in groups[time:]:
            room -= layout.groups[other].bytes
            if room < 0:
                break
            soon.add(other)
        for step in (1, -1):
            other = group + step
            while other in soon - held and layout.groups[other].shard == layout.groups[group].shard:
                held.add(other)
                other += step
    return requests


@click.command(help=__doc__)
@click.argument("repository")
@click.option("--split", default="train", show_default=True)
@click.option("--epochs", default=3, show_default=True, help="Orders to count, of which the mean is printed.")
def main(repository: str, split: str, epochs: int) -> None:
    """Count, and print the table."""
    layout = read_layout(Repository.open(repository), "default", split)
    rows, sizes = (tuple(getattr(group, name) for group in layout.groups) for name in ("rows", "bytes"))
    click.echo("| memory for row groups, MB | row groups | least requests per 1,000 images |\n| --- | --- | --- |")
    for memory in MEMORIES:
        counts = []
        for epoch in range(epochs):
            order = Order(rows, sizes, True, 0, epoch, 8, WINDOW)
            pieces = plan_reading(order, np.arange(layout.rows), layout, images=True).pieces
            counts.append(count_requests(layout, [piece.group for piece in pieces], memory * 1_000_000))
        click.echo(f"| {memory} | {len(layout.groups):,} | {1000 * sum(counts) / epochs / layout.rows:.1f} |")


if __name__ == "__main__":
    main()
