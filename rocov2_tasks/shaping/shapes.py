"""The columns that views make from a batch of rows: texts, labels and conversations.

The shapes are classes of plain values, so that `datasets` can hash them for its cache.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rocov2 import LABELS
from rocov2_tasks.arguments import require_choice
from rocov2_tasks.shaping.mapping import Batch
from rocov2_tasks.shaping.prompts import TAGS, choose_prompt

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
    """

    column: str
    output: str
    clean: bool
    names: tuple[str, ...] = ()

    def text(self, value: Any) -> str:
        """Return the text of one value."""
        if self.names:
            return self.names[int(value)]
        # The release lists some concepts twice: an answer names them once.
        text: str = value if isinstance(value, str) else _CONCEPT_SEPARATOR.join(dict.fromkeys(value))
        return clean_caption(text) if self.clean else text

    def __call__(self, batch: Batch) -> Batch:
        return {self.output: [self.text(value) for value in batch[self.column]]}


@dataclass(frozen=True)
class LabelColumn:
    """Labels of a column, `IGNORED` for a row without one."""

    column: str

    def __call__(self, batch: Batch) -> Batch:
        return {"label": [IGNORED if label is None else label for label in batch[self.column]]}


@dataclass(frozen=True)
class MultiHot:
    """`labels` of the concepts in a column: float32 [rows, concepts of the vocabulary]."""

    column: str
    vocabulary: tuple[str, ...]

    def __call__(self, batch: Batch) -> dict[str, pa.Array]:
        index = {cui: number for number, cui in enumerate(self.vocabulary)}
        labels = np.zeros((len(batch[self.column]), len(index)), dtype=np.float32)
        for row, cuis in enumerate(batch[self.column]):
            labels[row, [index[cui] for cui in cuis if cui in index]] = 1
        return {"labels": pa.FixedSizeListArray.from_arrays(pa.array(labels.ravel()), len(index))}


@dataclass(frozen=True)
class Turns:
    """Returns the prompt and the answer of each row of a batch."""

    prompts: tuple[str, ...]
    seed: int
    texts: Texts

    def __call__(self, batch: Batch) -> list[tuple[str, str]]:
        answers = self.texts(batch)[self.texts.output]
        ids = batch.get("image_id") or [""] * len(answers)
        return [
            (choose_prompt(self.prompts, image_id, self.seed), answer)
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
    """Return one question about one image and its answer.

    Raises:
        ValueError: the answer contains a tag that trainers would count as another medium.
    """
    for tag in TAGS:
        if tag in answer:
            raise ValueError(
                f"the answer {answer!r} contains {tag}, which trainers count as a medium: leave that row out"
            )
    return [{"from": "human", "value": f"<image>{prompt}"}, {"from": "gpt", "value": answer}]
