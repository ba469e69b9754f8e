"""What the answers of a view are read from, and how a dataset is asked for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Dataset, Features

from rocov2_tasks.arguments import require_choice, require_flag, require_integer
from rocov2_tasks.shaping.mapping import ID, read_batches, require_columns, require_strings
from rocov2_tasks.shaping.markers import ESCAPE, ON_MARKER, RAISE, describe_marked, warn_of_escapes
from rocov2_tasks.shaping.prompts import check_prompts
from rocov2_tasks.shaping.shapes import MARKER_REMEDY, Texts, Turns, label_names


def require_labels(features: Features, column: str) -> None:
    """Raise ValueError unless a column has the labels of ROCOv2."""
    names = label_names(column)
    if not isinstance(features[column], ClassLabel) or features[column].names != names:
        raise ValueError(f"column {column!r} must have the labels {', '.join(names)}, got {features[column]}")


def read_answers(dataset: Any, target: str, clean: bool, output: str) -> tuple[Texts, list[str]]:
    """Return what makes the column `output` of the texts of a target, and the columns that it needs."""
    clean = require_flag("clean", clean)
    if target == "caption":
        require_strings(dataset, "caption")
        return Texts("caption", output, clean), ["caption"]
    if target == "modality":
        require_labels(require_columns(dataset, target), target)
        return Texts(target, output, names=tuple(label_names(target))), [target]
    require_columns(dataset, "concept_names")
    return Texts("concept_names", output, listed=True), ["concept_names"]


def make_turns(
    dataset: Any, prompt: str | Sequence[str] | None, target: str, seed: int, clean: bool, on_marker: str
) -> tuple[Turns, list[str]]:
    """Return what makes the turns of a dataset, and the columns that it needs.

    A map-style dataset is read for markers here: all of them are told in one message, also where the cache of `datasets`
    already has the view. A stream meets them row by row.
    """
    seed = require_integer("seed", seed, 0)
    require_choice("on_marker", on_marker, ON_MARKER)
    prompts = check_prompts(prompt, target)
    texts, inputs = read_answers(dataset, target, clean, "answer")
    if len(prompts) > 1 and ID not in require_columns(dataset):
        raise ValueError(
            "missing column image_id, which chooses one of several prompts: keep it, or pass a single prompt"
        )
    turns = Turns(prompts, seed, texts, on_marker, warns=not isinstance(dataset, Dataset))
    if isinstance(dataset, Dataset):
        marked = [found for batch in read_batches(dataset, inputs) for found in turns.find_marked(batch)]
        if marked and on_marker == RAISE:
            raise ValueError(f"{describe_marked(marked)}; {MARKER_REMEDY}")
        if on_marker == ESCAPE:
            warn_of_escapes(marked, len(dataset))
    return turns, inputs
