"""`rocov2 preview`: a built repository as HTML pages."""

from __future__ import annotations

from pathlib import Path

import click

from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath
from rocov2_shared.errors import UserError, how_to_install
from rocov2_shared.terminal import echo, say


@command(
    "preview",
    "REPOSITORY is a folder that `rocov2 convert` has built (default: rocov2). PREVIEW is the folder to write; "
    "an earlier preview in it is replaced (default: rocov2.preview).",
    ["rocov2 rocov2.preview"],
)
@click.argument("repository", type=FolderPath(), default="rocov2")
@click.argument("preview", type=FolderPath(), default="rocov2.preview")
def main(repository: Path, preview: Path) -> None:
    """Parse, call, report."""
    try:
        from rocov2_build.preview import write_preview
    except ModuleNotFoundError as error:
        if error.name != "markdown_it":
            raise
        raise UserError(f"the preview needs the package markdown-it-py: {how_to_install('card')}") from error

    for image_id, found in write_preview(repository, preview).items():
        say("Noted", f"{image_id} does not decode ({found}): its page shows no picture.")
    echo(f"{preview / 'index.html'}: open it in a browser.")
