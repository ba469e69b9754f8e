"""Views: the dataset in the shape that a trainer expects, map-style or streaming, with every JPEG byte for byte.

    from datasets import load_dataset
    from rocov2_tasks.views import to_messages

    train = to_messages(load_dataset("rocov2", split="train"))     # images and messages, for TRL and others

A view takes a `Dataset`, an `IterableDataset`, or a dictionary of splits of either, and returns the same kind. It decodes no
image. docs/views.md lists which trainer takes which view.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from datasets import Features, List, Value

from rocov2 import LABELS
from rocov2_tasks.arguments import require_choice, strings_of
from rocov2_tasks.shaping.answers import make_turns, read_answers, require_labels
from rocov2_tasks.shaping.mapping import add_columns, check_rows, of_every_split, require_columns
from rocov2_tasks.shaping.markers import RAISE
from rocov2_tasks.shaping.prompts import check_prompts
from rocov2_tasks.shaping.shapes import (
    IGNORED,
    MASKED,
    LabelColumn,
    Messages,
    MultiHot,
    MultiTask,
    PromptCompletion,
    ShareGpt,
    Turns,
    clean_caption,
    label_names,
    mask_name,
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
    "multi_task",
    "read_vocabulary",
    "to_messages",
    "to_prompt_completion",
    "to_sharegpt",
]

_TEXT = Value("string")


@of_every_split
def captioning(dataset: Any, clean: bool = False, keep: Sequence[str] = ()) -> Any:
    """Return columns `image` and `caption`.

        train = captioning(load_dataset("rocov2", split="train"), clean=True)

    Args:
        dataset: has `image` and `caption`.
        clean: put captions through `clean_caption` (default: as released).
        keep: columns to keep beside these, such as `image_id`, `license` and `attribution`.

    Raises:
        ValueError: a column is missing.
    """
    require_columns(dataset, "image")
    texts, inputs = read_answers(dataset, "caption", clean, "caption")
    made = Features(caption=_TEXT)
    kept = _kept(dataset, keep, "image", *made)
    if not clean:  # the column as it is: nothing to write into a cache
        return check_rows(dataset, texts.check, inputs).with_format(None).select_columns([*kept, *made])
    return add_columns(dataset, texts, inputs, made, kept)


@of_every_split
def image_text(dataset: Any, target: str = "caption", clean: bool = False, keep: Sequence[str] = ()) -> Any:
    """Return pairs for contrastive training: columns `image` and `text`.

        train = image_text(load_dataset("rocov2", split="train"), target="concepts")

    Args:
        dataset: has `image`, and the column that `target` needs.
        target: what the text is: `caption`; `concepts`, their names separated by semicolons; or `modality`, its name.
        clean: put captions through `clean_caption`.
        keep: columns to keep beside these.

    Raises:
        ValueError: a column is missing, or the target is unknown.
    """
    check_prompts(None, target)
    require_columns(dataset, "image")
    texts, inputs = read_answers(dataset, target, clean, "text")
    made = Features(text=_TEXT)
    return add_columns(dataset, texts, inputs, made, _kept(dataset, keep, "image", *made))


@of_every_split
def classification(dataset: Any, column: str = "modality", keep: Sequence[str] = ()) -> Any:
    """Return columns `image` and `label`: int64, -100 (`IGNORED`) for a row without label, so that batches stay integers.

        train = classification(load_dataset("rocov2", split="train"), "region")

    Args:
        dataset: has `image` and `column`.
        column: `modality`, `region` or `direction`; `label_names(column)` returns the names of the labels.
        keep: columns to keep beside these.

    Raises:
        ValueError: the column is unknown or missing, or its labels are not those of ROCOv2.
    """
    label_names(column)  # refuses another column
    require_labels(require_columns(dataset, "image", column), column)
    made = Features(label=Value("int64"))
    return add_columns(dataset, LabelColumn(column), [column], made, _kept(dataset, keep, "image", *made))


@of_every_split
def multi_hot(dataset: Any, vocabulary: Sequence[str], column: str = "cuis") -> Any:
    """Return all columns, and `labels`: float32 [len(vocabulary)], 1 for each concept that the row has, else 0.

        train = multi_hot(load_dataset("rocov2", split="train"), read_vocabulary("rocov2"))

    Concepts outside the vocabulary are left out; a row with none of its concepts is all 0.

    Args:
        dataset: has `column`.
        vocabulary: CUIs in the order of their labels, as `read_vocabulary` returns them.
        column: `cuis` or `manual_cuis`.

    Raises:
        ValueError: the column is unknown or missing, or the vocabulary is empty, repeats a CUI, or contains anything else.
    """
    require_choice("column", column, CONCEPT_COLUMNS)
    cuis = check_vocabulary(vocabulary)
    features = require_columns(dataset, column)
    if "labels" in features:
        raise ValueError("the dataset already has a column labels: remove or rename it first")
    made = Features(labels=List(Value("float32"), length=len(cuis)))
    return add_columns(dataset, MultiHot(column, cuis), [column], made, list(features))


@of_every_split
def multi_task(
    dataset: Any, vocabulary: Sequence[str], column: str = "cuis", clean: bool = False, keep: Sequence[str] = ()
) -> Any:
    """Return all targets of an image, for a model with a head for each of them.

        train = multi_task(load_dataset("rocov2", split="train"), read_vocabulary("rocov2", minimum=10))

    Columns: `image`; `caption`; `concepts`, float32 [len(vocabulary)], as `labels` of `multi_hot`; `modality`, `region` and
    `direction`, int64, -100 (`IGNORED`) for a row without such a label; `region_mask` and `direction_mask`, bool, whether it
    has one.

    Args:
        dataset: has `image`, `caption`, `column` and the three columns of labels.
        vocabulary: CUIs in the order of `concepts`, as `read_vocabulary` returns them.
        column: `cuis` or `manual_cuis`.
        clean: put captions through `clean_caption` (default: as released).
        keep: columns to keep beside these.

    Raises:
        ValueError: as in `captioning`, `classification` and `multi_hot`.
    """
    require_choice("column", column, CONCEPT_COLUMNS)
    cuis = check_vocabulary(vocabulary)
    features = require_columns(dataset, "image", column, *LABELS)
    for labels in LABELS:
        require_labels(features, labels)
    captions, inputs = read_answers(dataset, "caption", clean, "caption")
    made = Features(
        caption=_TEXT,
        concepts=List(Value("float32"), length=len(cuis)),
        **{labels: Value("int64") for labels in LABELS},
        **{mask_name(labels): Value("bool") for labels in MASKED},
    )
    kept = _kept(dataset, keep, "image", *made)
    return add_columns(dataset, MultiTask(captions, MultiHot(column, cuis)), [*inputs, column, *LABELS], made, kept)


def _of_turns(shape: Callable[[Any], tuple[Callable[[Turns], Any], Features]]) -> Callable[..., Any]:
    """Make a view of prompts and answers, with the name and docstring of `shape`.

    The options of all these views are defined here, once.

    Args:
        shape: takes the feature of the dataset's images; returns the class that makes the new columns, and their features.
    """

    def view(
        dataset: Any,
        prompt: str | Sequence[str] | None = None,
        target: str = "caption",
        seed: int = 0,
        clean: bool = False,
        keep: Sequence[str] = (),
        on_marker: str = RAISE,
    ) -> Any:
        columns, made = shape(require_columns(dataset, "image")["image"])
        turns, inputs = make_turns(dataset, prompt, target, seed, clean, on_marker)
        own = tuple(made) if "images" in made else ("image", *made)
        return add_columns(dataset, columns(turns), inputs, made, _kept(dataset, keep, *own))

    view.__name__, view.__qualname__, view.__doc__ = shape.__name__, shape.__qualname__, shape.__doc__
    return of_every_split(view)


@_of_turns
def to_messages(image: Any) -> tuple[type[Messages], Features]:
    """Return columns `images` and `messages`, every content a list of blocks: for TRL, axolotl, ms-swift and Unsloth.

        train = to_messages(load_dataset("rocov2", split="train"), prompt="Describe this image.", keep=["image_id"])

    Args:
        dataset: has `image`, what `target` needs, and for several prompts `image_id`.
        prompt: text of the user; of several, each row gets one by its `image_id` and `seed` (default: built-in ones).
        target: what the assistant answers: `caption`, `concepts` (names, separated by semicolons) or `modality` (name).
        seed: seed of the choice of prompts.
        clean: put captions through `clean_caption`.
        keep: columns to keep beside these, such as `image_id`, `license` and `attribution`.
        on_marker: for an answer with a text that trainers do not read as text, such as `<image>` or `<|im_end|>`: `raise`, or
            `escape`, which puts a blank after its first character and warns with the number of such answers.

    Raises:
        ValueError: a column is missing, the target is unknown, or a prompt is not usable; an answer is null or contains a
            marker (of a stream: when that row comes).
    """
    block = {"type": _TEXT, "text": _TEXT}
    return Messages, Features(images=List(image), messages=List({"role": _TEXT, "content": List(block)}))


@_of_turns
def to_prompt_completion(image: Any) -> tuple[type[PromptCompletion], Features]:
    """Return columns `image`, `prompt` and `completion`, for TRL, which then computes the loss only on the completion.

        train = to_prompt_completion(load_dataset("rocov2", split="train"), target="modality")

    Arguments and errors are those of `to_messages`.
    """
    turn = List({"role": _TEXT, "content": _TEXT})
    return PromptCompletion, Features(prompt=turn, completion=turn)


@_of_turns
def to_sharegpt(image: Any) -> tuple[type[ShareGpt], Features]:
    """Return columns `images` and `conversations`, with `<image>` before the prompt: for LLaMA-Factory and ms-swift.

        train = to_sharegpt(load_dataset("rocov2", split="train"), clean=True)

    Arguments and errors are those of `to_messages`.
    """
    return ShareGpt, Features(images=List(image), conversations=List({"from": _TEXT, "value": _TEXT}))


def _kept(dataset: Any, keep: Sequence[str], *own: str) -> list[str]:
    """Return the columns to keep: `image` if it is one of the view's `own`, and those of the caller."""
    none = isinstance(keep, Collection) and not isinstance(keep, (str, bytes)) and not len(keep)
    wanted = () if none else strings_of("keep", keep, "names of columns", ordered=True)
    require_columns(dataset, *wanted)
    for column in wanted:
        if column in own:
            raise ValueError(f"keep: the view itself has a column {column!r}: leave it out")
    return [*(column for column in own if column == "image"), *dict.fromkeys(wanted)]
