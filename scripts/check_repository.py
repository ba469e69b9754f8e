"""Check every rule that a servable repository obeys, and tell all violations at once; warnings block nothing."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rocov2_shared.errors import UserError
from rocov2_shared.gc_pause import collector_paused
from rocov2_shared.terminal import run


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
        from rocov2_build.checks.rules import RULES

    violations = check_repository(repository, fast, decode)
    blocking = [violation for violation in violations if violation.blocks]
    if as_json:
        report = {
            "rules": {code: asdict(rule) for code, rule in RULES.items()},
            "violations": [
                asdict(violation) | {"severity": violation.severity, "widget": violation.widget}
                for violation in violations
            ],
        }
        click.echo(json.dumps(report, indent=1))
    else:
        for violation in violations:
            click.echo(
                f"{violation.severity}: {violation.rule} ({violation.widget}): {violation.file}: "
                f"expected {violation.expected}, found {violation.found}",
                err=True,
            )
    if blocking:
        rules = len({violation.rule for violation in blocking})
        raise UserError(f"{repository} breaks {rules} of {len(RULES)} rules; violations: {len(blocking)}")
    if not as_json:
        warned = len({violation.rule for violation in violations})
        but = f", but for warnings of {warned}" if warned else ""
        click.echo(
            f"{repository} breaks no rule as far as names, sizes, footers and the card tell{but}; its rows were not read."
            if fast
            else f"{repository} obeys all {len(RULES)} rules{but}."
        )


if __name__ == "__main__":
    run(main)
