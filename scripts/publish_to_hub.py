"""Publish a built repository on the Hugging Face Hub: checked, in one commit or not at all, read back, tagged."""

from __future__ import annotations

import sys
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_shared.terminal import run


@click.command(
    help=f"{__doc__}\n\nREPOSITORY is a folder that convert_to_parquet.py has built; ORG/NAME its place on the Hub. The "
    "token is that of `hf auth login` or HF_TOKEN."
)
@click.argument("repository", type=click.Path(path_type=Path))
@click.argument("name", metavar="ORG/NAME")
@click.option("--revision", default="main", show_default=True, help="Branch; a new one begins at the head of main.")
@click.option("--tag", help="Name of this version [default: release and hash of the rows].")
@click.option("--private", is_flag=True, help="Make the repository private, when it is not there yet.")
@click.option("--allow-partial", is_flag=True, help="Also publish a part, the sample, or an unknown release.")
@click.option("--dry-run", is_flag=True, help="Tell what would go up, and stop.")
def main(
    repository: Path, name: str, revision: str, tag: str | None, private: bool, allow_partial: bool, dry_run: bool
) -> None:
    """Parse, call, tell."""
    from rocov2_build.publish import Options, is_repo_id, publish

    if not is_repo_id(name):
        raise click.UsageError(f"{name!r} is no ORG/NAME: write for example my-lab/rocov2")
    publish(Options(repository, name, revision, tag, private, allow_partial, dry_run))


if __name__ == "__main__":
    run(main, resumes=True)
