"""`rocov2 show`: what load_dataset returns."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import click

from rocov2_commands.command import command
from rocov2_shared.errors import UserError
from rocov2_shared.system_errors import describe
from rocov2_shared.terminal import echo, say


@command(
    "show",
    "Prints the splits, the features, one row and one streamed row. "
    "REPOSITORY is a folder, or ORG/NAME on the Hub (default: rocov2).",
    ["rocov2"],
)
@click.argument("repository", default="rocov2")
def main(repository: str) -> None:
    """Parse, call, report."""
    import datasets

    import rocov2

    load: Callable[..., Any] = rocov2.load
    if rocov2.is_of_hub(repository):
        limit = f"it gets {rocov2.HUB_SECONDS:g} s to answer"
        say("Hub", f"{repository} is not a folder here, so {datasets.config.HF_ENDPOINT} is asked: {limit}.")
    if os.path.isdir(repository):
        load = datasets.load_dataset  # shows whatever Parquet files there are, so ask first
        try:
            rocov2.Repository.open(repository).check("default")
        except ValueError as error:
            raise UserError(str(error)) from error
    datasets.disable_progress_bars()
    logging.getLogger("datasets.packaged_modules").setLevel(logging.CRITICAL)  # they log what they raise
    try:
        _show(repository, load)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and not os.path.isdir(repository):  # the network, or no such dataset
            raise
        if describe(error) and getattr(error, "errno", 0) is not None:  # the machine, such as a cache; Arrow sets none
            raise
        from rocov2_commands.showing import explain

        raise UserError(explain(repository, error)) from error


def _show(repository: str, load: Callable[..., Any]) -> None:
    from rocov2_commands.showing import describe_row

    loaded = load(repository)
    echo(f'load_dataset("{repository}")\n')
    for split, rows in loaded.items():
        echo(f"  {split}: {len(rows):,} rows")
    split, rows = next(iter(loaded.items()))
    echo("\n  features:")
    for name, feature in rows.features.items():
        echo(f"    {name:<23}{feature}")
    # As Arrow, which decodes nothing: a damaged image must not hide the other columns.
    echo(f"\n  the first row of {split}:\n{describe_row(rows.with_format('arrow')[:1], rows.features)}")
    stream = load(repository, split=split, streaming=True)
    for row in stream.with_format("arrow").skip(1).take(1).iter(1):
        echo(f'\nload_dataset("{repository}", split="{split}", streaming=True)\n')
        echo(f"  the second row of the stream:\n{describe_row(row, stream.features)}")
