"""`rocov2 check`: every rule of a servable repository."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from rocov2_commands.command import command
from rocov2_commands.paths import FolderPath
from rocov2_shared.errors import UserError
from rocov2_shared.gc_pause import collector_paused
from rocov2_shared.terminal import echo


@command(
    "check",
    "REPOSITORY is a folder that `rocov2 convert` has built (default: rocov2). Warnings do not fail the check.",
    ["rocov2", "rocov2 --fast --json"],
)
@click.argument("repository", type=FolderPath(), default="rocov2")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON on standard output.")
@click.option("--fast", is_flag=True, help="Check only names, sizes, footers and the card, not the rows.")
@click.option("--decode", is_flag=True, help="Decode every image, even if its hash shows that it was verified before.")
def main(repository: Path, as_json: bool, fast: bool, decode: bool) -> None:
    """Parse, call, report."""
    if fast and decode:
        raise click.UsageError("--fast decodes no image: leave out --fast or --decode")
    with collector_paused():
        from rocov2_build.check import check_repository
        from rocov2_build.checks.caches import find_stale_caches
        from rocov2_build.checks.rules import RULES
        from rocov2_build.checks.violations import blocking, describe_result, describe_violations

    violations = check_repository(repository, fast, decode)
    stale = [] if blocking(violations) else find_stale_caches(repository, fast)
    if as_json:
        report = {
            "rules": {code: asdict(rule) for code, rule in RULES.items()},
            "violations": [
                asdict(violation) | {"severity": violation.severity, "affects": violation.affects}
                for violation in violations
            ],
            "stale_caches": [asdict(cache) for cache in stale],
        }
        echo(json.dumps(report, indent=1))
    else:
        for line in describe_violations(violations):
            echo(line, err=True)
    result = describe_result(repository, violations, fast)
    if blocking(violations):
        raise UserError(result)
    if not as_json:
        echo(result)
        for cache in stale:
            echo(cache.describe(repository), err=True)
