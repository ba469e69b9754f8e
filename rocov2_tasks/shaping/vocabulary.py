"""The concepts of a built repository, read from its configuration `vocabulary`."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import rocov2
from rocov2_shared.ids import is_cui
from rocov2_tasks.arguments import require_choice, require_integer, strings_of

CONCEPT_COLUMNS = ("cuis", "manual_cuis")
"""Columns of concepts: all, and only the manually assigned ones."""


def read_vocabulary(
    path: str | os.PathLike[str] = "rocov2", column: str = "cuis", minimum: int = 1, **options: Any
) -> list[str]:
    """Read the vocabulary of a model: the index of a CUI in the list is the index of its label.

        vocabulary = read_vocabulary("rocov2", minimum=10)
        train = multi_hot(train, vocabulary)

    Args:
        path: folder, `ORG/NAME` on the Hub, or `hf://datasets/ORG/NAME[@REVISION]`.
        column: `cuis` for all concepts; `manual_cuis` for the codes of modality, body region and direction alone.
        minimum: least number of train images that must have the concept among their `cuis`.
        **options: options of `rocov2.load`, such as `revision`.

    Returns:
        CUIs, ordered by the number of images in all splits (most first), then by CUI.

    Raises:
        ValueError: the column is unknown, `minimum` is below 0, or no concept is left.
        FileNotFoundError: there is no repository at `path`.
    """
    require_choice("column", column, CONCEPT_COLUMNS)
    minimum = require_integer("minimum", minimum, 0)
    rows = _read(path, **options)
    cuis = [row["cui"] for row in rows if row["train"] >= minimum and (column == "cuis" or row["kind"] != "concept")]
    if not cuis:
        raise ValueError(
            f"minimum={minimum}: no concept of {os.fspath(path)} has that many train images; the most common has "
            f"{max(row['train'] for row in rows)}"
        )
    return cuis


def find_concepts(
    concepts: str | Iterable[str], path: str | os.PathLike[str] = "rocov2", **options: Any
) -> dict[str, frozenset[str]]:
    """Return the CUIs of concepts that are given as CUIs or names, in any case; a name may belong to several CUIs.

    Returns:
        CUIs by concept as given.

    Raises:
        ValueError: there are no concepts, or one is not in the vocabulary; the message suggests similar names.
        FileNotFoundError: there is no repository at `path`.
    """
    wanted = strings_of("concepts", concepts, "a CUI or a name, or a list of them")
    rows = _read(path, **options)
    by_name: dict[str, set[str]] = {}
    for row in rows:
        by_name.setdefault((row["name"] or row["cui"]).casefold(), set()).add(row["cui"])
    known = {row["cui"] for row in rows}
    found: dict[str, frozenset[str]] = {}
    for concept in wanted:
        cuis = {concept.upper()} & known or by_name.get(concept.casefold(), set())
        if not cuis:
            raise ValueError(
                f"unknown concept {concept!r} in the vocabulary of {os.fspath(path)}{_suggest(concept, rows)}"
            )
        found[concept] = frozenset(cuis)
    return found


def _suggest(concept: str, rows: list[dict[str, Any]]) -> str:
    names = {str(row["name"] or row["cui"]).casefold(): f"{row['name']} ({row['cui']})" for row in rows}
    near = difflib.get_close_matches(str(concept).casefold(), names, n=3)
    return f"; did you mean {', '.join(names[name] for name in near)}?" if near else ""


def check_vocabulary(vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the CUIs of a vocabulary, in the order of their labels.

    Raises:
        ValueError: the vocabulary is empty, contains a CUI twice, or something that is not a CUI.
    """
    cuis = strings_of(
        "vocabulary",
        vocabulary,
        "a list of CUIs in the order of their labels, as read_vocabulary() returns",
        ordered=True,
    )
    for cui in cuis:
        if not is_cui(cui):
            raise ValueError(
                f"vocabulary: {cui!r} is not a CUI such as C0040405; read_vocabulary() returns a list of CUIs"
            )
    twice = sorted({cui for cui in cuis if cuis.count(cui) > 1}) if len(set(cuis)) < len(cuis) else []
    if twice:
        raise ValueError(f"vocabulary: {', '.join(twice)} occurs more than once")
    return cuis


def _read(path: str | os.PathLike[str], **options: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = rocov2.load(path, "vocabulary", split=rocov2.VOCABULARY_SPLIT, **options).to_list()
    return rows
