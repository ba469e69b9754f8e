"""`rocov2 explore`: a page to look through a repository."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath
from rocov2_shared.errors import UserError
from rocov2_shared.terminal import echo
from rocov2_tasks.explore import serve
from rocov2_tasks.explorer import HOST, PORT
from rocov2_tasks.explorer.packages import require

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


@command(
    "explore",
    "REPOSITORY is a folder, or ORG/NAME on the Hub (default: rocov2). Needs the extra explore (duckdb).",
    ["rocov2", "ORG/NAME --space FOLDER"],
)
@click.argument("repository", default="rocov2")
@click.option(
    "--port", metavar="N", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port to listen on."
)
@click.option(
    "--host",
    metavar="ADDRESS",
    default=HOST,
    show_default=True,
    help="Address to listen on. 0.0.0.0 means all addresses of this machine.",
)
@click.option(
    "--space",
    type=FolderPath(),
    metavar="FOLDER",
    help="Write a Space that shows the dataset ORG/NAME into FOLDER, and serve nothing.",
)
def main(repository: str, port: int, host: str, space: Path | None) -> None:
    """Parse, call, report."""
    if space is not None and not _HUB_NAME.fullmatch(repository):
        raise click.UsageError(f"--space: {repository!r} is not a dataset on the Hub, expected ORG/NAME")
    try:
        if space is None:
            serve(repository, host, port)
            return
        require("duckdb")
        from rocov2_tasks.explorer.space import write_space

        write_space(space, repository)
    except (ValueError, ModuleNotFoundError) as error:
        raise UserError(str(error)) from error
    echo(f"{space}: put it up with  hf upload ORG/SPACE {shlex.quote(str(space))} . --repo-type space")
