"""`rocov2 download`: the raw release from Zenodo."""

from __future__ import annotations

from pathlib import Path

import click

from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath
from rocov2_shared.locks import require_locks


@command(
    "download",
    "RAW is the folder to fill (default: raw). Files that are already there are verified and kept. "
    "The same command resumes an interrupted download.",
    ["raw", "raw --csv-only"],
)
@click.argument("raw", type=FolderPath(file_okay=False), default="raw")
@click.option(
    "--record", metavar="N", type=click.IntRange(min=1), help="Zenodo record (default: that of the latest release)."
)
@click.option("--csv-only", is_flag=True, help="Leave out the zips of images; the tables are about 15 MB.")
@click.option(
    "--base-url", metavar="URL", default="https://zenodo.org", show_default=True, help="Server that has the record."
)
@click.option("--quiet", is_flag=True, help="Print only errors.")
def main(raw: Path, record: int | None, csv_only: bool, base_url: str, quiet: bool) -> None:
    """Parse, call, report."""
    require_locks("downloading a release")
    from rocov2_build.download import download_release

    download_release(raw, record, csv_only=csv_only, base_url=base_url, quiet=quiet)
