"""What views make of a batch of rows: columns of texts, labels and conversations.

These are classes of plain values, so that `datasets` can hash them for its cache.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from rocov2_tasks.shaping.mapping import Batch
from rocov2_tasks.shaping.prompts import TAGS, choose_prompt

IGNORED = -100
"""Label of a row that has none: what the losses of torch and transformers leave out."""

_CONCEPT_SEPARATOR = "; "  # names have commas in them


def clean_caption(text: str) -> str:
    """A caption on one line: Unicode NFC, runs of white space as one blank, no control or invisible characters."""
    visible = (
        " " if character.isspace() else "" if unicodedata.category(character) in ("Cc", "Cf") else character
        for character in unicodedata.normalize("NFC", text)
    )
    return " ".join("".join(visible).split())


@dataclass(frozen=True)
class Texts:
    """Texts of a column.

    Attributes:
        column: that is read.
        output: that is made.
        clean: whether texts go through `clean_caption`.
        names: of the labels in the column; empty where it has texts, or lists of names.
    """

    column: str
    output: str
    clean: bool
    names: tuple[str, ...] = ()

    def text(self, value: Any) -> str:
        """The text of one value."""
        if self.names:
            return self.names[int(value)]
        # A concept may stand twice in a list, as released: an answer says it once.
        text: str = value if isinstance(value, str) else _CONCEPT_SEPARATOR.join(dict.fromkeys(value))
        return clean_caption(text) if self.clean else text

    def __call__(self, batch: Batch) -> Batch:
        return {self.output: [self.text(value) for value in batch[self.column]]}


@dataclass(frozen=True)
class LabelColumn:
    """Labels of a column, `IGNORED` where there is none."""

    column: str

    def __call__(self, batch: Batch) -> Batch:
        return {"label": [IGNORED if label is None else label for label in batch[self.column]]}


@dataclass(frozen=True)
class MultiHot:
    """`labels` of the concepts in a column: float32 [rows, concepts of the vocabulary]."""

    column: str
    vocabulary: tuple[str, ...]

    def __call__(self, batch: Batch) -> dict[str, pa.Array]:
        places = {cui: place for place, cui in enumerate(self.vocabulary)}
        labels = np.zeros((len(batch[self.column]), len(places)), dtype=np.float32)
        for row, cuis in enumerate(batch[self.column]):
            labels[row, [places[cui] for cui in cuis if cui in places]] = 1
        return {"labels": pa.FixedSizeListArray.from_arrays(pa.array(labels.ravel()), len(places))}


@dataclass(frozen=True)
class Turns:
    """Prompt and answer of each row of a batch."""

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
    """`messages`, all of whose contents are lists of blocks; the picture is the first."""

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
    """`prompt` and `completion`: one message each, whose content is a text."""

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
    """One question about one image, and its answer.

    Raises:
        ValueError: the answer has a tag in it that would be counted as another medium.
    """
    for tag in TAGS:
        if tag in answer:
            raise ValueError(
                f"an answer has {tag} in it, which trainers count as a medium: {answer!r}; leave that row out"
            )
    return [{"from": "human", "value": f"<image>{prompt}"}, {"from": "gpt", "value": answer}]
