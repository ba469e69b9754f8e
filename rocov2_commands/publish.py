"""`rocov2 publish`: a built repository on the Hub."""

from __future__ import annotations

from pathlib import Path

import click

from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath


@command(
    "publish",
    "REPOSITORY is a folder that `rocov2 convert` has built. ORG/NAME is its name on the Hub. "
    "All files become visible in one commit or not at "
    "all. The token is that of `hf auth login`, or HF_TOKEN.",
    ["rocov2 ORG/NAME --dry-run", "rocov2 ORG/NAME"],
)
@click.argument("repository", type=FolderPath())
@click.argument("name", metavar="ORG/NAME")
@click.option(
    "--revision",
    metavar="BRANCH",
    default="main",
    show_default=True,
    help="Branch to publish to. A new branch starts at the head of main.",
)
@click.option("--tag", metavar="TAG", help="Tag name (default: release plus row hash, e.g. 2.0.1-0123456789ab).")
@click.option("--private", is_flag=True, help="If the repository does not exist yet, create it as a private one.")
@click.option(
    "--allow-partial", is_flag=True, help="Also publish a part of a release, the sample or an unknown release."
)
@click.option("--dry-run", is_flag=True, help="Print what would be uploaded and stop. Needs no token.")
def main(
    repository: Path, name: str, revision: str, tag: str | None, private: bool, allow_partial: bool, dry_run: bool
) -> None:
    """Parse, call, report."""
    from rocov2_build.publish import Publication, is_repo_id, publish

    if not is_repo_id(name):
        raise click.UsageError(f"ORG/NAME must be a name on the Hub, e.g. my-lab/rocov2, got {name!r}")
    publish(Publication(repository, name, revision, tag, private, allow_partial, dry_run))
