"""The columns that views make from a batch of rows: texts, labels and conversations.

The shapes are classes of plain values, so that `datasets` can hash them for its cache.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rocov2 import COLUMNS, LABELS
from rocov2_tasks.arguments import require_choice
from rocov2_tasks.shaping.mapping import ID, Batch
from rocov2_tasks.shaping.markers import RAISE, describe_marked, escape_markers, find_marked, warn_of_escapes
from rocov2_tasks.shaping.prompts import choose_prompt
from rocov2_tasks.shaping.values import read_labels, read_lists, read_texts, row_names

MASKED = tuple(column for column in LABELS if COLUMNS[column].nullable)
"""Columns of labels that a row may not have."""

MARKER_REMEDY = (
    'pass on_marker="escape", which puts a blank after the first character of a marker, or leave the rows out with '
    "rocov2_tasks.subsets.drop_images"
)

IGNORED = -100
"""Label of a row without a label: the losses of torch and transformers ignore it."""

_CONCEPT_SEPARATOR = "; "  # names contain commas


def clean_caption(text: str) -> str:
    r"""Return a caption on one line: Unicode NFC, single blanks, no control or invisible characters.

    >>> clean_caption("Axial CT\n of the  chest.")
    'Axial CT of the chest.'
    """
    visible = (
        " " if character.isspace() else "" if unicodedata.category(character) in ("Cc", "Cf") else character
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(visible).split())


def label_names(column: str) -> list[str]:
    """Return the names of the labels of `modality`, `region` or `direction`, in label order.

        >>> label_names("modality")[:2]
        ['CT', 'X-ray']

    Raises:
        ValueError: another column.
    """
    require_choice("column", column, tuple(LABELS))
    return list(LABELS[column])


@dataclass(frozen=True)
class Texts:
    """Texts of a column.

    Attributes:
        column: column to read.
        output: column to make.
        clean: whether texts go through `clean_caption`.
        names: label names, if the column contains labels; empty if it contains texts or lists of names.
        listed: whether the column contains lists of names.
    """

    column: str
    output: str
    clean: bool = False
    names: tuple[str, ...] = ()
    listed: bool = False

    def read(self, batch: Batch) -> list[str]:
        """Return the text of each row."""
        if self.names:
            return [self.names[label] for label in read_labels(batch, self.column) if label is not None]
        if self.listed:
            # The release lists some concepts twice: an answer names them once.
            texts = [_CONCEPT_SEPARATOR.join(dict.fromkeys(names)) for names in read_lists(batch, self.column)]
        else:
            texts = read_texts(batch, self.column)
        return [clean_caption(text) for text in texts] if self.clean else texts

    def check(self, batch: Batch) -> None:
        """Raise ValueError for a row without a text."""
        self.read(batch)

    def __call__(self, batch: Batch) -> Batch:
        return {self.output: self.read(batch)}


@dataclass(frozen=True)
class LabelColumn:
    """Labels of a column, `IGNORED` for a row without one."""

    column: str

    def __call__(self, batch: Batch) -> Batch:
        return {"label": _labels_or_ignored(read_labels(batch, self.column))}


@dataclass(frozen=True)
class MultiHot:
    """`labels` of the concepts in a column: float32 [rows, concepts of the vocabulary]."""

    column: str
    vocabulary: tuple[str, ...]

    def read(self, batch: Batch) -> pa.Array:
        """Return a 1 for each concept that a row has."""
        index = {cui: number for number, cui in enumerate(self.vocabulary)}
        lists = read_lists(batch, self.column)
        labels = np.zeros((len(lists), len(index)), dtype=np.float32)
        for row, cuis in enumerate(lists):
            labels[row, [index[cui] for cui in cuis if cui in index]] = 1
        return pa.FixedSizeListArray.from_arrays(pa.array(labels.ravel()), len(index))

    def __call__(self, batch: Batch) -> dict[str, pa.Array]:
        return {"labels": self.read(batch)}


@dataclass(frozen=True)
class MultiTask:
    """Caption, concepts, the labels of all columns, and masks of those that a row may not have."""

    captions: Texts
    concepts: MultiHot

    def __call__(self, batch: Batch) -> dict[str, Any]:
        labels = {column: read_labels(batch, column) for column in LABELS}
        return {
            "caption": self.captions.read(batch),
            "concepts": self.concepts.read(batch),
            **{column: _labels_or_ignored(values) for column, values in labels.items()},
            **{mask_name(column): [label is not None for label in labels[column]] for column in MASKED},
        }


def mask_name(column: str) -> str:
    """Return the column that says which rows have a label in a column of labels."""
    return f"{column}_mask"


def _labels_or_ignored(labels: Sequence[int | None]) -> list[int]:
    return [IGNORED if label is None else label for label in labels]


@dataclass(frozen=True)
class Turns:
    """Returns the prompt and the answer of each row of a batch.

    Attributes:
        prompts: each row gets one of them by its image id and `seed`.
        seed: seed of that choice.
        texts: what the answers are.
        on_marker: one of `ON_MARKER`.
        warns: whether a batch in which markers were escaped warns of it.
    """

    prompts: tuple[str, ...]
    seed: int
    texts: Texts
    on_marker: str
    warns: bool

    def find_marked(self, batch: Batch) -> list[tuple[str, str]]:
        """Return the name and the marker of the answers that contain one."""
        answers = self.texts.read(batch)
        return find_marked(answers, row_names(batch, answers))

    def __call__(self, batch: Batch) -> list[tuple[str, str]]:
        answers = self.texts.read(batch)
        marked = find_marked(answers, row_names(batch, answers))
        if marked and self.on_marker == RAISE:
            raise ValueError(f"{describe_marked(marked)}; {MARKER_REMEDY}")
        if marked and self.warns:
            warn_of_escapes(marked, len(answers))
        ids = read_texts(batch, ID) if len(self.prompts) > 1 else [""] * len(answers)
        return [
            (choose_prompt(self.prompts, image_id, self.seed), escape_markers(answer))
            for image_id, answer in zip(ids, answers, strict=True)
        ]


@dataclass(frozen=True)
class Messages:
    """`messages`, in which every content is a list of blocks; the first block is the image."""

    turns: Turns

    def __call__(self, batch: Batch) -> Batch:
        return {
            "messages": [
                [
                    {"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": prompt}]},
                    {"role": "assistant", "content": [{"type": "text", "text": answer}]},
                ]
                for prompt, answer in self.turns(batch)
            ],
        }


@dataclass(frozen=True)
class PromptCompletion:
    """`prompt` and `completion`: one message each, with a text as content."""

    turns: Turns

    def __call__(self, batch: Batch) -> Batch:
        turns = self.turns(batch)
        return {
            "prompt": [[{"role": "user", "content": prompt}] for prompt, _ in turns],
            "completion": [[{"role": "assistant", "content": answer}] for _, answer in turns],
        }


@dataclass(frozen=True)
class ShareGpt:
    """`conversations` with `<image>` before the prompt."""

    turns: Turns

    def __call__(self, batch: Batch) -> Batch:
        return {
            "conversations": [sharegpt_turns(prompt, answer) for prompt, answer in self.turns(batch)],
        }


def sharegpt_turns(prompt: str, answer: str) -> list[dict[str, str]]:
    """Return one question about one image and its answer, in which markers are escaped."""
    return [{"from": "human", "value": f"<image>{prompt}"}, {"from": "gpt", "value": answer}]
