"""Read a repository of full size with Spark and Ray Data, compare the counts with pyarrow's, and print Markdown.

python -m benchmarks.tools.scale REPOSITORY [--engine Spark] [--engine "Ray Data"]
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pyarrow.dataset as ds

from benchmarks.conversion.measure import machine
from benchmarks.tools.probes.scale import SAMPLE
from benchmarks.tools.rows import PILLOW, TOOLS
from benchmarks.tools.run import run_python
from rocov2 import CONFIGS, LABELS
from rocov2_shared.sizes import format_count

ENGINES = {"Spark": "spark", "Ray Data": "ray"}
SECONDS = 1_200


@click.command(help=__doc__.partition("\n")[0])
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--engine", "engines", multiple=True, default=list(ENGINES), type=click.Choice(list(ENGINES)))
def main(repository: Path, engines: Sequence[str]) -> None:
    """Run the engines one after the other."""
    repository = repository.resolve()
    images, modalities, concepts = _count(repository)
    click.echo(f"{format_count(images, 'image')} of train, {machine()}\n")
    click.echo("| engine | step | seconds | memory over the idle engine | memory of all its processes |")
    click.echo("| --- | --- | --- | --- | --- |")
    for name in engines:
        found = _run(name, repository)
        assert found["modalities"] == modalities, f"{name} counts other modalities"
        assert found["concepts"] == concepts, f"{name} counts other concepts"
        assert found["pixels"] == min(SAMPLE, images), f"{name} decoded {found['pixels']} images"
        for step, needed in found["needed"].items():
            words = step.replace("_", " ") + (f" {format_count(found['pixels'], 'image')}" if step == "decode" else "")
            click.echo(
                f"| {name} | {words} | {needed['seconds']:.0f} | {needed['over_mb']:,} MB | {needed['peak_mb']:,} MB |"
            )


def _count(repository: Path) -> tuple[int, dict[str, int], dict[str, int]]:
    """Number of images, and those by modality and by concept, from `text`."""
    table = ds.dataset(repository / CONFIGS["text"].files("train")).to_table(columns=["modality", "cuis"])
    modalities = Counter(map(str, table["modality"].to_pylist()))
    concepts = Counter(cui for cuis in table["cuis"].to_pylist() for cui in set(cuis))
    return table.num_rows, dict(modalities), dict(concepts)


def _run(name: str, repository: Path) -> dict[str, Any]:
    tool = TOOLS[name]
    tool = replace(
        tool, family="scale", probe=ENGINES[name], packages=(*tool.packages, PILLOW), seconds=SECONDS, gigabytes=16
    )
    place = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        case = place / "case.json"
        description = {
            "repository": str(repository),
            "heavy": str(repository),
            "tars": "",
            "patterns": {name: dict(config.patterns) for name, config in CONFIGS.items()},
            "names": {column: list(labels) for column, labels in LABELS.items()},
            "rows": {},
            "vocabulary": 0,
        }
        case.write_text(json.dumps(description))
        result = run_python(tool, case, place / "environment", tool.python)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if "failed" in result:
        raise click.ClickException(f"{name} {result['failed']}")
    found: dict[str, Any] = result["findings"]
    return found


if __name__ == "__main__":
    main()
