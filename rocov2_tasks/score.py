"""Score a submission file of ImageCLEFmedical Caption against a split of a built repository."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from rocov2 import SPLITS
from rocov2_shared.errors import UserError
from rocov2_shared.terminal import run
from rocov2_tasks.metrics import SECONDARY_CUIS, bertscore, concept_f1, concept_f1_secondary, rouge1
from rocov2_tasks.scoring.references import load_texts, read_provenance
from rocov2_tasks.scoring.submission import COLUMNS, Submission, fault_lines, read_submission


def score_concepts(predictions: dict[str, list[str]], texts: dict[str, list[Any]]) -> dict[str, float | None]:
    """Both measures; the secondary one is None where no image has a reference for it."""
    manual = dict(zip(texts["image_id"], texts["manual_cuis"], strict=True))
    counts = any(SECONDARY_CUIS.intersection(codes) for codes in manual.values())
    return {
        "concept_f1": concept_f1(predictions, dict(zip(texts["image_id"], texts["cuis"], strict=True))),
        "concept_f1_secondary": concept_f1_secondary(predictions, manual) if counts else None,
    }


def score_captions(predictions: dict[str, str], texts: dict[str, list[Any]], bert: bool) -> dict[str, float | None]:
    """ROUGE-1, and BERTScore where it is asked for."""
    captions = dict(zip(texts["image_id"], texts["caption"], strict=True))
    scores: dict[str, float | None] = {"rouge1": rouge1(predictions, captions)}
    if bert:
        try:
            scores["bertscore"] = bertscore(predictions, captions)
        except ModuleNotFoundError as error:
            raise UserError(str(error)) from error
    return scores


_NAMES = {
    "concept_f1": "F1",
    "concept_f1_secondary": "F1 secondary",
    "rouge1": "ROUGE-1",
    "bertscore": "BERTScore",
}


def _fail(submission: Submission, name: str, as_json: bool) -> None:
    """Tell all faults."""
    if as_json:
        click.echo(json.dumps({"faults": [asdict(fault) for fault in submission.faults]}, indent=1))
    for line in fault_lines(submission.faults):
        click.echo(line, err=True)
    count = len(submission.faults)
    raise UserError(
        f"{name} is no submission for this split: {count:,} {'fault' if count == 1 else 'faults'}, nothing was scored"
    )


@click.command(
    help=f"{__doc__}\n\nSUBMISSION is a CSV file with the header ID,CUIs (codes joined by ;) or ID,Caption and a row for "
    "each image of the split. REPOSITORY is a folder or ORG/NAME on the Hub (default: rocov2).\n\n"
    "Example: python -m rocov2_tasks.score submission.csv rocov2 --split test"
)
@click.argument("submission", type=click.Path(allow_dash=True))
@click.argument("repository", default="rocov2")
@click.option("--split", type=click.Choice(list(SPLITS)), default="test", show_default=True, help="The split.")
@click.option(
    "--task", type=click.Choice(list(COLUMNS)), help="What the file predicts; unless given, its header says it."
)
@click.option("--bertscore", "bert", is_flag=True, help="Captions: also BERTScore, which needs the extra metrics.")
@click.option("--json", "as_json", is_flag=True, help="Print scores, or faults, as JSON on standard output.")
def main(submission: str, repository: str, split: str, task: str | None, bert: bool, as_json: bool) -> None:
    """Parse, call, tell."""
    if bert and task == "concepts":
        raise click.UsageError("--bertscore is a measure of captions: leave it out, or give --task captions")
    with click.open_file(submission, "rb") as file:  # before anything is downloaded
        data = file.read()
    name = "standard input" if submission == "-" else submission
    provenance = read_provenance(repository)
    texts = load_texts(provenance.root, split, ["image_id", "caption", "cuis", "manual_cuis"])
    read = read_submission(data, texts["image_id"], task)
    if read.faults:
        _fail(read, name, as_json)
    if bert and read.task == "concepts":
        raise click.UsageError(f"--bertscore is a measure of captions, {name} holds concepts")
    scores = (
        score_concepts(read.concepts(), texts) if read.task == "concepts" else score_captions(read.texts, texts, bert)
    )
    images = len(texts["image_id"])
    if as_json:
        report = {"repository": repository, **asdict(provenance), "split": split, "task": read.task, "images": images}
        report["scores"] = scores
        click.echo(json.dumps(report, indent=1))
        return
    click.echo(f"{name}: {read.task} of {images:,} images, {split} of {repository} ({provenance})")
    for measure, score in scores.items():
        shown = "none: no image has a concept that counts" if score is None else f"{score:.4f}"
        click.echo(f"  {_NAMES[measure]:<14}{shown}")


if __name__ == "__main__":
    run(main)
