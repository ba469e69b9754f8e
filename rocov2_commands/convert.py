"""`rocov2 convert`: from the raw release to a Parquet repository."""

from __future__ import annotations

import re
from pathlib import Path

import click
from click.core import ParameterSource

from rocov2_build.raw.releases import LATEST, RELEASES
from rocov2_build.worker.verification import Verification
from rocov2_commands.choices import SPLITS
from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath
from rocov2_shared.gc_pause import collector_paused
from rocov2_shared.locks import require_locks
from rocov2_shared.processors import usable_processors
from rocov2_shared.sizes import format_size
from rocov2_shared.terminal import Size


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"(tcp|tls)://[^/\s]+:[0-9]+", value):
        raise click.BadParameter(f"{value!r} is not an address such as tcp://10.0.0.1:8786", context, parameter)
    return value


_SIDES = (32, 2_048)
"""Smallest and largest shorter side of scaled pictures, in pixels: smaller ones show nothing, larger ones are hardly any."""


class _Side(click.ParamType[int | None]):
    """A number of pixels, or none."""

    name = "N|none"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        text = str(value)
        if text == "none":
            return None
        least, most = _SIDES
        if not re.fullmatch("[0-9]{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            self.fail(f"{text!r} is not a number of pixels from {least} to {most:,}, nor none", param, ctx)
        return int(text)


def _is_given(parameter: str) -> bool:
    return click.get_current_context().get_parameter_source(parameter) is not ParameterSource.DEFAULT


@command(
    "convert",
    "RAW is the folder with the release's 14 files. OUTPUT is the repository to make, for "
    "load_dataset and the Hugging Face Hub (default: rocov2). The same command resumes an interrupted build.",
    ["raw", "raw rocov2 --limit 1000 --split train", "raw --scheduler tcp://10.0.0.1:8786"],
)
@click.argument("raw", type=FolderPath())
@click.argument("output", type=FolderPath(), default="rocov2")
@click.option(
    "--release",
    type=click.Choice([*RELEASES, "any"]),
    default=LATEST,
    show_default=True,
    help="Release that RAW contains: its published numbers are checked. 'any' checks none.",
)
@click.option(
    "--workers", metavar="N", type=click.IntRange(min=1), help="Number of worker processes (default: one per CPU)."
)
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    callback=_address,
    help="Use the workers of this Dask scheduler instead. All of them must see RAW and OUTPUT under the same paths.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Convert only the first N images of each split.")
@click.option(
    "--split", "splits", type=click.Choice(SPLITS), multiple=True, help="Convert only this split. May be repeated."
)
@click.option(
    "--small",
    type=_Side(),
    metavar="N|none",
    default="256",
    show_default=True,
    help=f"Shorter side, in pixels, of the pictures of the configurations small and mini, {_SIDES[0]} to {_SIDES[1]:,}; none "
    "makes neither of them.",
)
@click.option(
    "--max-shard-size",
    type=Size("1KB", "50GB"),
    default="300MB",
    show_default=True,
    help="Approximate number of image bytes in one file, 1KB to 50GB.",
)
@click.option(
    "--row-group-size",
    type=Size("1KB", "64MB"),
    default="8MB",
    show_default=True,
    help="Approximate number of image bytes in one row group, 1KB to 64MB.",
)
@click.option(
    "--verify",
    type=click.Choice([choice.value for choice in Verification]),
    default=Verification.STRICT.value,
    show_default=True,
    help="Decode every image strictly, or follow its markers to the end, or read only its header.",
)
@click.option(
    "--on-problem",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="If an image is faulty: build nothing, or leave it out and list it in conversion.json.",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace an OUTPUT, or an unfinished build, of another release or other options. Files that no build made are "
    "never replaced.",
)
@click.option("--dry-run", is_flag=True, help="Read the tables, print the planned shards and stop.")
@click.option(
    "--no-pictures", is_flag=True, help="Make a card without pictures. They need the extra card (matplotlib)."
)
@click.option("--quiet", is_flag=True, help="Print only errors.")
def main(
    raw: Path,
    output: Path,
    release: str,
    workers: int | None,
    scheduler: str | None,
    limit: int | None,
    splits: tuple[str, ...],
    small: int | None,
    max_shard_size: int,
    row_group_size: int,
    verify: str,
    on_problem: str,
    overwrite: bool,
    dry_run: bool,
    no_pictures: bool,
    quiet: bool,
) -> None:
    """Parse, call, report."""
    if row_group_size > max_shard_size and _is_given("row_group_size"):
        raise click.UsageError(
            f"--row-group-size is {format_size(row_group_size)}, but --max-shard-size only {format_size(max_shard_size)}: "
            "a shard contains whole row groups, so use at most the size of a shard"
        )
    require_locks("converting a release")
    # Imported here: --help and a wrong option answer at once, and the workers' imports run beside the slow ones below.
    from rocov2_build.engine.processes import prepare_workers

    if not dry_run and scheduler is None:
        prepare_workers()
    with collector_paused():
        from rocov2_build.convert import Conversion, convert
        from rocov2_build.shards.plan import Layout

    convert(
        Conversion(
            raw=raw,
            output=output,
            release=release,
            workers=workers or usable_processors(),
            scheduler=scheduler,
            limit=limit,
            splits=splits,
            layout=Layout(max_shard_size, row_group_size, small),
            verify=verify,
            skip_problems=on_problem == "skip",
            overwrite=overwrite,
            dry_run=dry_run,
            pictures=not no_pictures,
            quiet=quiet,
        )
    )
