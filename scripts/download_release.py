"""Fetch the raw release from Zenodo into a folder: resumed, verified, polite; and verify what is there already."""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_shared.terminal import run


@click.command(help=f"{__doc__}\n\nRAW is the folder to fill (default: raw).")
@click.argument("raw", type=click.Path(path_type=Path, file_okay=False), default="raw")
@click.option("--record", type=click.IntRange(min=1), help="Zenodo record [default: that of the latest release].")
@click.option("--csv-only", is_flag=True, help="Leave out the zips of images (all but some 15 MB).")
@click.option("--base-url", default="https://zenodo.org", show_default=True, help="The server that has the record.")
@click.option("--quiet", is_flag=True, help="Tell nothing but errors.")
def main(raw: Path, record: int | None, csv_only: bool, base_url: str, quiet: bool) -> None:
    """Parse, call, tell."""
    from rocov2_build.download import download_release

    download_release(raw, record, csv_only=csv_only, base_url=base_url, quiet=quiet)


if __name__ == "__main__":
    run(main, resumes=True)
