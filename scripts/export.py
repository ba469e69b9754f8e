"""Export a built repository for tools that do not read its Parquet; images are copied byte for byte."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click.core import ParameterSource

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_shared.terminal import Progress, Size, run, say
from rocov2_tasks.formats import FORMATS, ExportOptions


@click.command(
    help=f"{__doc__}\n\nREPOSITORY is a folder that convert_to_parquet.py has built, or ORG/NAME on the Hub; OUTPUT is made."
)
@click.argument("repository")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--format",
    required=True,
    type=click.Choice(list(FORMATS)),
    help=f"{'; '.join(f'{name}: {format.help}' for name, format in FORMATS.items())}.",
)
@click.option(
    "--split", type=click.Choice(["train", "validation", "test"]), help="Export only this split [default: all]."
)
@click.option(
    "--config",
    type=click.Choice(["default", "commercial"]),
    default="default",
    show_default=True,
    help="All images, or only those whose licence allows commercial use.",
)
@click.option(
    "--max-shard-size", type=Size(), help="Images in one tar, about, such as 100MB [default: those of one shard]."
)
@click.option(
    "--prompt", "prompts", multiple=True, help="Question; of several, each image gets one [default: built-in ones]."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the choice of questions.")
@click.option("--quiet", is_flag=True, help="Tell nothing but errors.")
def main(
    repository: str,
    output: Path,
    format: str,
    split: str | None,
    config: str,
    max_shard_size: int | None,
    prompts: tuple[str, ...],
    seed: int,
    quiet: bool,
) -> None:
    """Parse, call, tell."""
    from rocov2_tasks.export import export, make_plan
    from rocov2_tasks.shaping.prompts import check_prompts

    seeded = click.get_current_context().get_parameter_source("seed") is not ParameterSource.DEFAULT
    try:
        FORMATS[format].check(max_shard_size, prompts, seed if seeded else None)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    try:
        check_prompts(prompts or None, "caption")
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error
    options = ExportOptions(format, split, config, max_shard_size, prompts, seed)
    try:
        plan = make_plan(repository, options)
        rows = sum(plan.rows.values())
        with Progress("Export", rows, sum(map(len, plan.shards.values())), "images", "shards", quiet) as progress:
            export(plan, output, options, progress)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise click.ClickException(f"{error.strerror or error}{where}; {output} was not made") from error
    if not quiet:
        say("Done", f"{output}: {rows:,} images for {format}.")


if __name__ == "__main__":
    run(main)
