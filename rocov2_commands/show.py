"""`rocov2 show`: what load_dataset returns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from rocov2_commands.command import command
from rocov2_shared.errors import UserError
from rocov2_shared.terminal import echo


def _describe(row: dict[str, Any], features: dict[str, Any]) -> str:
    def describe(name: str, value: Any) -> str:
        if name == "image":
            return f"{value.format} {value.mode} {value.width} x {value.height}"
        if hasattr(features[name], "int2str") and value is not None:
            return f"{value} ({features[name].int2str(value)})"
        return repr(value)

    return "\n".join(f"    {name:<23}{describe(name, value)}" for name, value in row.items())


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

    # Of the Hub: says what is wrong, and does not wait for long if it is out of reach.
    load: Callable[..., Any] = rocov2.load
    if Path(repository).is_dir():  # datasets ends in a traceback where dataset_infos.json is damaged
        load = datasets.load_dataset
        try:
            rocov2.Repository.open(repository)
        except ValueError as error:
            raise UserError(str(error)) from error
    datasets.disable_progress_bars()
    loaded = load(repository)
    echo(f'load_dataset("{repository}")\n')
    for split, rows in loaded.items():
        echo(f"  {split}: {len(rows):,} rows")
    split, rows = next(iter(loaded.items()))
    echo("\n  features:")
    for name, feature in rows.features.items():
        echo(f"    {name:<23}{feature}")
    echo(f"\n  the first row of {split}:\n{_describe(rows[0], rows.features)}")
    stream = load(repository, split=split, streaming=True)
    for row in stream.skip(1).take(1):
        echo(f'\nload_dataset("{repository}", split="{split}", streaming=True)\n')
        echo(f"  the second row of the stream:\n{_describe(row, stream.features)}")
