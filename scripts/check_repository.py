"""Check every rule that a servable repository obeys, and tell all violations at once."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_build.collector import collector_paused
from rocov2_build.problems import UserError
from rocov2_build.terminal import run


@click.command(help=f"{__doc__}\n\nREPOSITORY is a folder that convert_to_parquet.py has built (default: rocov2).")
@click.argument("repository", type=click.Path(path_type=Path), default="rocov2")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on standard output.")
@click.option("--fast", is_flag=True, help="Look at names, sizes, footers and the card alone, not at the rows.")
@click.option(
    "--decode", is_flag=True, help="Decode every image, also where its hash says that it was verified before."
)
def main(repository: Path, as_json: bool, fast: bool, decode: bool) -> None:
    """Parse, call, tell."""
    if fast and decode:
        raise click.UsageError("--fast looks at no image: leave out --fast or --decode")
    with collector_paused():
        from rocov2_build.check import check_repository
        from rocov2_build.violations import RULES

    violations = check_repository(repository, fast, decode)
    if as_json:
        click.echo(
            json.dumps({"rules": RULES, "violations": [asdict(violation) for violation in violations]}, indent=1)
        )
    else:
        for violation in violations:
            click.echo(
                f"{violation.rule}: {violation.file}: expected {violation.expected}, found {violation.found}", err=True
            )
    if violations:
        rules = len({violation.rule for violation in violations})
        raise UserError(f"{repository} breaks {rules} of {len(RULES)} rules; violations: {len(violations)}")
    if not as_json:
        click.echo(
            f"{repository} breaks no rule as far as names, sizes, footers and the card tell; its rows were not read."
            if fast
            else f"{repository} obeys all {len(RULES)} rules."
        )


if __name__ == "__main__":
    run(main)
