"""Convert the raw release to a Parquet repository that `load_dataset` and the Hugging Face Hub serve."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_shared.gc_pause import collector_paused
from rocov2_shared.terminal import Size, run


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"(tcp|tls)://[^/\s]+:[0-9]+", value):
        raise click.BadParameter(f"{value!r} is no address such as tcp://10.0.0.1:8786", context, parameter)
    return value


@click.command(help=f"{__doc__}\n\nRAW is the folder with the release's 14 files; OUTPUT is made (default: rocov2).")
@click.argument("raw", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path), default="rocov2")
@click.option(
    "--release",
    type=click.Choice(["2.0.1", "1", "any"]),
    default="2.0.1",
    show_default=True,
    help="The release that RAW has to be; its published numbers are checked. 'any' checks none.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes to use [default: one for each processor].")
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    callback=_address,
    help="Use the workers of this Dask scheduler instead; RAW and OUTPUT are on a file system that all share.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Convert only the first N images of each split.")
@click.option(
    "--split",
    "splits",
    type=click.Choice(["train", "validation", "test"]),
    multiple=True,
    help="Convert only this split; may be given several times.",
)
@click.option("--max-shard-size", type=Size(), default="300MB", show_default=True, help="Images in one file, about.")
@click.option("--row-group-size", type=Size(), default="8MB", show_default=True, help="Images in one row group, about.")
@click.option(
    "--verify",
    type=click.Choice(["strict", "markers", "none"]),
    default="strict",
    show_default=True,
    help="Decode every image strictly; or only follow its markers to the end; or read only its header.",
)
@click.option(
    "--on-problem",
    type=click.Choice(["fail", "skip"]),
    default="fail",
    show_default=True,
    help="Build nothing when an image is at fault, or leave it out and list it in conversion.json.",
)
@click.option(
    "--overwrite", is_flag=True, help="Replace OUTPUT, or unfinished work, of another release or other options."
)
@click.option("--dry-run", is_flag=True, help="Read the tables, tell the shards that would be written, and stop.")
@click.option("--no-pictures", is_flag=True, help="Leave out the pictures of the card.")
@click.option("--quiet", is_flag=True, help="Tell nothing but errors.")
def main(
    raw: Path,
    output: Path,
    release: str,
    workers: int | None,
    scheduler: str | None,
    limit: int | None,
    splits: tuple[str, ...],
    max_shard_size: int,
    row_group_size: int,
    verify: str,
    on_problem: str,
    overwrite: bool,
    dry_run: bool,
    no_pictures: bool,
    quiet: bool,
) -> None:
    """Parse, call, tell."""
    # Imported here: --help and a wrong flag answer at once; and the workers' imports run beside the slow ones below.
    from rocov2_build.engine.local import default_workers
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
            workers=workers or default_workers(),
            scheduler=scheduler,
            limit=limit,
            splits=splits,
            layout=Layout(max_shard_size, row_group_size),
            verify=verify,
            skip_problems=on_problem == "skip",
            overwrite=overwrite,
            dry_run=dry_run,
            pictures=not no_pictures,
            quiet=quiet,
        )
    )


if __name__ == "__main__":
    run(main, resumes=True)
