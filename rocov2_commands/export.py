"""`rocov2 export`: a built repository in the formats of other tools."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from rocov2_commands.choices import CONFIGS, SPLITS
from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath
from rocov2_shared.errors import UserError
from rocov2_shared.system_errors import describe_os_error
from rocov2_shared.terminal import Progress, Size, say
from rocov2_tasks.formats import FORMATS, ExportOptions
from rocov2_tasks.shaping.markers import ON_MARKER, describe_escaped

_CUTTING = ", ".join(name for name, format in FORMATS.items() if format.cuts)
_CHATTING = ", ".join(name for name, format in FORMATS.items() if format.chats)
_ASKING = ", ".join(name for name, format in FORMATS.items() if format.asks)


@command(
    "export",
    "REPOSITORY is a folder that `rocov2 convert` has built, or ORG/NAME on the Hub. OUTPUT is the folder to make. "
    "Images are copied byte for byte.",
    [
        "rocov2 tars --format webdataset",
        "rocov2 chats --format llamafactory --split train --prompt 'Describe the scan.'",
    ],
)
@click.argument("repository")
@click.argument("output", type=FolderPath())
@click.option(
    "--format",
    required=True,
    type=click.Choice(list(FORMATS)),
    help=f"{'; '.join(f'{name}: {format.help}' for name, format in FORMATS.items())}.",
)
@click.option("--split", type=click.Choice(SPLITS), help="Export only this split (default: all).")
@click.option(
    "--config",
    type=click.Choice(CONFIGS),
    default="default",
    show_default=True,
    help="Configuration whose images are exported. Those of small and mini are scaled down: say that they are adaptations.",
)
@click.option(
    "--max-shard-size",
    type=Size("1KB", "50GB"),
    help=f"{_CUTTING}: approximate number of image bytes in one tar, e.g. 100MB (default: one tar per shard).",
)
@click.option(
    "--prompt",
    "prompts",
    metavar="TEXT",
    multiple=True,
    help=f"{_ASKING}: the question. May be repeated: each image then gets one of them (default: built-in questions).",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help=f"{_ASKING}: seed that chooses the question of an image.",
)
@click.option(
    "--on-marker",
    type=click.Choice(ON_MARKER),
    default=ON_MARKER[0],
    show_default=True,
    help=f"{_CHATTING}: refuse a caption with a text that trainers do not read as text, such as <image> or <|im_end|>, or "
    "escape it: a blank after its first character.",
)
@click.option("--quiet", is_flag=True, help="Print only errors.")
def main(
    repository: str,
    output: Path,
    format: str,
    split: str | None,
    config: str,
    max_shard_size: int | None,
    prompts: tuple[str, ...],
    seed: int,
    on_marker: str,
    quiet: bool,
) -> None:
    """Parse, call, report."""
    source = click.get_current_context().get_parameter_source
    seeded, marking = (source(option) is not ParameterSource.DEFAULT for option in ("seed", "on_marker"))
    try:
        FORMATS[format].check(max_shard_size, prompts, seed if seeded else None, on_marker if marking else None)
    except ValueError as error:
        raise click.UsageError(str(error)) from error

    from rocov2_tasks.export import export, make_plan
    from rocov2_tasks.shaping.prompts import check_prompts

    try:
        check_prompts(prompts or None, "caption")
    except ValueError as error:
        raise click.UsageError(f"--{error}") from error
    options = ExportOptions(format, split, config, max_shard_size, prompts, seed, on_marker)
    try:
        plan = make_plan(repository, options)
        rows = sum(plan.rows.values())
        with Progress("Export", rows, sum(map(len, plan.shards.values())), "images", "shards", quiet) as progress:
            escaped = export(plan, output, options, progress)
    except OSError as error:
        raise UserError(f"{describe_os_error(error)}; {output} was not made") from error
    if not quiet:
        say("Done", f"{output}: {rows:,} images for {format}.")
    if escaped and not quiet:
        say("Escaped", f"the markers of {describe_escaped(escaped, rows)}.")
