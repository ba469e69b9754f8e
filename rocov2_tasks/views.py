"""Shapes that trainers ask for, of map-style datasets and streams, with every JPEG byte for byte as it was.

    from datasets import load_dataset
    from rocov2_tasks.views import to_messages

    train = to_messages(load_dataset("rocov2", split="train"))     # images and messages, for TRL and others

A view takes a `Dataset`, an `IterableDataset`, or a dictionary of splits of either, and gives the same kind. It decodes no
image. docs/views.md tells which trainer takes which view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets import ClassLabel, Features, List, Value

from rocov2 import LABELS
from rocov2_tasks.arguments import require_choice, require_integer, strings_of
from rocov2_tasks.shaping.mapping import add_columns, of_every_split, require_columns, require_strings
from rocov2_tasks.shaping.prompts import check_prompts
from rocov2_tasks.shaping.shapes import (
    IGNORED,
    LabelColumn,
    Messages,
    MultiHot,
    PromptCompletion,
    ShareGpt,
    Texts,
    Turns,
    clean_caption,
)
from rocov2_tasks.shaping.vocabulary import CONCEPT_COLUMNS, check_vocabulary, read_vocabulary

__all__ = [
    "IGNORED",
    "captioning",
    "classification",
    "clean_caption",
    "image_text",
    "label_names",
    "multi_hot",
    "read_vocabulary",
    "to_messages",
    "to_prompt_completion",
    "to_sharegpt",
]

_TEXT = Value("string")


@of_every_split
def captioning(dataset: Any, clean: bool = False, keep: Sequence[str] = ()) -> Any:
    """Columns `image` and `caption`; `clean` puts captions through `clean_caption`, else they are as released.

    Args:
        dataset: with `image` and `caption`.
        clean: put captions through `clean_caption`.
        keep: columns to keep beside these, such as `image_id`, `license` and `attribution`.

    Raises:
        ValueError: a column is missing.
    """
    require_columns(dataset, "image")
    require_strings(dataset, "caption")
    made = Features(caption=_TEXT)
    kept = _kept(dataset, keep, "image", *made)
    if not clean:
        return dataset.with_format(None).select_columns([*kept, *made])
    return add_columns(dataset, Texts("caption", "caption", True), ["caption"], made, kept)


@of_every_split
def image_text(dataset: Any, target: str = "caption", clean: bool = False, keep: Sequence[str] = ()) -> Any:
    """Pairs for contrastive training: columns `image` and `text`.

    Args:
        dataset: with `image`, and the column that `target` needs.
        target: what the text is: `caption`; `concepts`, their names separated by semicolons; or `modality`, its name.
        clean: put captions through `clean_caption`.
        keep: columns to keep beside these.

    Raises:
        ValueError: a column is missing, or an unknown target.
    """
    check_prompts(None, target)
    require_columns(dataset, "image")
    texts, inputs = _answers(dataset, target, clean, "text")
    made = Features(text=_TEXT)
    return add_columns(dataset, texts, inputs, made, _kept(dataset, keep, "image", *made))


@of_every_split
def classification(dataset: Any, column: str = "modality", keep: Sequence[str] = ()) -> Any:
    """Columns `image` and `label`: an int64, -100 (`IGNORED`) where the row has none, so that batches stay integers.

    Args:
        dataset: with `image` and `column`.
        column: `modality`, `region` or `direction`; `label_names(column)` tells what the labels stand for.
        keep: columns to keep beside these.

    Raises:
        ValueError: an unknown column, one that is missing, or one with other labels than the dataset's own.
    """
    names = label_names(column)
    features = require_columns(dataset, "image", column)
    _require_labels(features, column, names)
    made = Features(label=Value("int64"))
    return add_columns(dataset, LabelColumn(column), [column], made, _kept(dataset, keep, "image", *made))


def label_names(column: str) -> list[str]:
    """Names of the labels of `modality`, `region` or `direction`, in label order.

    Raises:
        ValueError: another column.
    """
    require_choice("column", column, tuple(LABELS))
    return list(LABELS[column])


@of_every_split
def multi_hot(dataset: Any, vocabulary: Sequence[str], column: str = "cuis") -> Any:
    """All columns, and `labels`: float32 [len(vocabulary)], 1 where the row has the concept, else 0.

    Concepts that are not in the vocabulary are left out; a row that has none of it is all 0.

    Args:
        dataset: with `column`.
        vocabulary: CUIs in the order of their labels, as `read_vocabulary` gives them.
        column: `cuis` or `manual_cuis`.

    Raises:
        ValueError: an unknown or missing column, or a vocabulary that is empty, has a CUI twice, or has what is no CUI.
    """
    require_choice("column", column, CONCEPT_COLUMNS)
    cuis = check_vocabulary(vocabulary)
    features = require_columns(dataset, column)
    if "labels" in features:
        raise ValueError("the dataset has a column labels already: remove or rename it first")
    made = Features(labels=List(Value("float32"), length=len(cuis)))
    return add_columns(dataset, MultiHot(column, cuis), [column], made, list(features))


@of_every_split
def to_messages(
    dataset: Any,
    prompt: str | Sequence[str] | None = None,
    target: str = "caption",
    seed: int = 0,
    clean: bool = False,
    keep: Sequence[str] = (),
) -> Any:
    """Columns `images` and `messages`, every content a list of blocks: for TRL, axolotl, ms-swift and Unsloth.

    Args:
        dataset: with `image`, what `target` needs, and for several prompts `image_id`.
        prompt: text of the user; of several, each row gets one by its `image_id` and `seed`; None for the built-in ones.
        target: what the assistant answers: `caption`, `concepts` (names, separated by semicolons) or `modality` (name).
        seed: of the choice of prompts.
        clean: put captions through `clean_caption`.
        keep: columns to keep beside these, such as `image_id`, `license` and `attribution`.

    Raises:
        ValueError: a column is missing, an unknown target, or no usable prompt.
    """
    block = {"type": _TEXT, "text": _TEXT}
    made = Features(images=List(_image(dataset)), messages=List({"role": _TEXT, "content": List(block)}))
    turns, inputs = _turns(dataset, prompt, target, seed, clean)
    return add_columns(dataset, Messages(turns), inputs, made, _kept(dataset, keep, *made))


@of_every_split
def to_prompt_completion(
    dataset: Any,
    prompt: str | Sequence[str] | None = None,
    target: str = "caption",
    seed: int = 0,
    clean: bool = False,
    keep: Sequence[str] = (),
) -> Any:
    """Columns `image`, `prompt` and `completion`, for TRL, whose loss is then on the completion alone.

    Arguments and errors are those of `to_messages`.
    """
    _image(dataset)
    turn = List({"role": _TEXT, "content": _TEXT})
    turns, inputs = _turns(dataset, prompt, target, seed, clean)
    made = Features(prompt=turn, completion=turn)
    return add_columns(dataset, PromptCompletion(turns), inputs, made, _kept(dataset, keep, "image", *made))


@of_every_split
def to_sharegpt(
    dataset: Any,
    prompt: str | Sequence[str] | None = None,
    target: str = "caption",
    seed: int = 0,
    clean: bool = False,
    keep: Sequence[str] = (),
) -> Any:
    """Columns `images` and `conversations`, with `<image>` before the prompt: for LLaMA-Factory and ms-swift.

    Arguments and errors are those of `to_messages`.

    Raises:
        ValueError: when it comes to a row whose answer has `<image>` or the like in it, which LLaMA-Factory would count.
    """
    made = Features(images=List(_image(dataset)), conversations=List({"from": _TEXT, "value": _TEXT}))
    turns, inputs = _turns(dataset, prompt, target, seed, clean)
    return add_columns(dataset, ShareGpt(turns), inputs, made, _kept(dataset, keep, *made))


def _kept(dataset: Any, keep: Sequence[str], *own: str) -> list[str]:
    """The column `image` where it is among the view's `own`, and those that the caller keeps."""
    wanted = strings_of("keep", keep, "names of columns", ordered=True) if len(keep) else ()
    require_columns(dataset, *wanted)
    for column in wanted:
        if column in own:
            raise ValueError(f"keep: {column} is a column of the view itself: leave it out")
    return [*(column for column in own if column == "image"), *dict.fromkeys(wanted)]


def _image(dataset: Any) -> Any:
    return require_columns(dataset, "image")["image"]


def _require_labels(features: Features, column: str, names: list[str]) -> None:
    if not isinstance(features[column], ClassLabel) or features[column].names != names:
        raise ValueError(f"column {column} is to have the labels {', '.join(names)}, and is {features[column]}")


def _answers(dataset: Any, target: str, clean: bool, output: str) -> tuple[Texts, list[str]]:
    if target == "caption":
        require_strings(dataset, "caption")
        return Texts("caption", output, clean), ["caption"]
    column = {"concepts": "concept_names"}.get(target, target)
    features = require_columns(dataset, column)
    if target == "modality":
        _require_labels(features, column, label_names(column))
        return Texts(column, output, False, tuple(label_names(column))), [column]
    return Texts(column, output, False), [column]


def _turns(
    dataset: Any, prompt: str | Sequence[str] | None, target: str, seed: int, clean: bool
) -> tuple[Turns, list[str]]:
    require_integer("seed", seed, 0)
    prompts = check_prompts(prompt, target)
    texts, inputs = _answers(dataset, target, clean, "answer")
    if len(prompts) > 1:
        if "image_id" not in require_columns(dataset):
            raise ValueError(
                "no column image_id, by which one of several prompts is chosen: keep it, or give one prompt"
            )
        inputs = [*inputs, "image_id"]
    return Turns(prompts, seed, texts), inputs
