"""`rocov2 baseline`: small models, fitted and scored."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rocov2_commands.command import command
from rocov2_shared.terminal import echo, say

if TYPE_CHECKING:
    from rocov2_tasks.baseline import Split


@command(
    "baseline",
    "The methods are fitted on train, their settings are chosen on validation, and test is scored with the measures of "
    "ImageCLEFmedical Caption. REPOSITORY is a folder, or ORG/NAME on the Hub (default: rocov2).",
    ["rocov2 --limit 4000"],
)
@click.argument("repository", default="rocov2")
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Use only the first N images of each split.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as JSON on standard output.")
def main(repository: str, limit: int | None, as_json: bool) -> None:
    """Parse, call, report."""
    from rocov2 import SPLITS
    from rocov2_tasks.baseline import Data, evaluate, read_split, table
    from rocov2_tasks.scoring.references import read_provenance

    provenance = read_provenance(repository)
    splits: dict[str, Split] = {}
    for split in SPLITS:
        splits[split] = read_split(provenance.root, split, limit)
        say("Read", f"{split}, {len(splits[split].features):,} images")
    results = evaluate(Data(**splits))
    images = {split: len(read.features) for split, read in splits.items()}
    if as_json:
        report = {"repository": repository, **asdict(provenance), "limit": limit, "images": images, "scores": results}
        echo(json.dumps(report, indent=1))
        return
    part = f", the first {limit:,} of each split at most" if limit else ""
    echo(
        f"\n{repository} ({provenance}){part}: fitted on train ({images['train']:,} images), chosen on validation "
        f"({images['validation']:,}), scored on test ({images['test']:,})\n\n{table(results)}"
    )
