"""`rocov2 score`: a submission file against a split."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from rocov2_commands.choices import SPLITS, TASKS
from rocov2_commands.command import command
from rocov2_shared.errors import UserError
from rocov2_shared.sizes import format_count
from rocov2_shared.terminal import echo

if TYPE_CHECKING:
    from rocov2_tasks.scoring.submission import Submission


def _fail(submission: Submission, name: str, as_json: bool) -> None:
    """Print all faults, then raise UserError."""
    from rocov2_tasks.scoring.submission import fault_lines

    if as_json:
        echo(json.dumps({"faults": [asdict(fault) for fault in submission.faults]}, indent=1))
    for line in fault_lines(submission.faults):
        echo(line, err=True)
    count = format_count(len(submission.faults), "fault")
    raise UserError(f"{name} is not a valid submission for this split: {count}, nothing was scored")


@command(
    "score",
    "SUBMISSION is a CSV file with the header ID,CUIs (codes joined by ;) or ID,Caption and a row for each image of the "
    "split; - reads standard input. REPOSITORY is a folder, or ORG/NAME on the Hub (default: rocov2).",
    ["submission.csv rocov2 --split test"],
)
@click.argument("submission", type=click.Path(allow_dash=True))
@click.argument("repository", default="rocov2")
@click.option("--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Split to score against.")
@click.option("--task", type=click.Choice(TASKS), help="What the file predicts (default: what its header says).")
@click.option("--bertscore", "bert", is_flag=True, help="Captions: also compute BERTScore. Needs the extra metrics.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores, or the faults, as JSON on standard output.")
def main(submission: str, repository: str, split: str, task: str | None, bert: bool, as_json: bool) -> None:
    """Parse, call, report."""
    if bert and task == "concepts":
        raise click.UsageError("--bertscore scores captions: leave it out, or give --task captions")
    from rocov2_tasks.scoring.measures import MEASURES, REFERENCE_COLUMNS, score_predictions
    from rocov2_tasks.scoring.references import load_texts, read_provenance
    from rocov2_tasks.scoring.submission import read_submission

    with click.open_file(submission, "rb") as file:  # before anything is downloaded
        data = file.read()
    name = "standard input" if submission == "-" else submission
    provenance = read_provenance(repository)
    texts = load_texts(provenance.root, split, REFERENCE_COLUMNS)
    read = read_submission(data, texts["image_id"], task)
    if read.faults:
        _fail(read, name, as_json)
    if bert and read.task == "concepts":
        raise click.UsageError(f"--bertscore scores captions, but {name} contains concepts: leave it out")
    predictions = read.concepts() if read.task == "concepts" else read.texts
    scores = score_predictions(str(read.task), predictions, texts, bert)
    images = len(texts["image_id"])
    if as_json:
        report = {"repository": repository, **asdict(provenance), "split": split, "task": read.task, "images": images}
        report["scores"] = scores
        echo(json.dumps(report, indent=1))
        return
    echo(f"{name}: {read.task} of {images:,} images, {split} of {repository} ({provenance})")
    for measure, score in scores.items():
        shown = "no score: no image has a concept that counts" if score is None else f"{score:.4f}"
        echo(f"  {MEASURES[measure].name:<14}{shown}")
