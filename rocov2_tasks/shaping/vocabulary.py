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
"""Columns of concepts: all, and only those that were assigned by hand."""


def read_vocabulary(
    path: str | os.PathLike[str] = "rocov2", column: str = "cuis", minimum: int = 1, **options: Any
) -> list[str]:
    """Read the concepts to tell apart; the place of a CUI in the list is the index of its label.

    Args:
        path: folder, `ORG/NAME` on the Hub, or `hf://datasets/ORG/NAME[@REVISION]`.
        column: `cuis` for all concepts; `manual_cuis` for the codes of modality, body region and direction alone.
        minimum: least number of images of train that have the concept among their `cuis`.
        **options: of `rocov2.load`, such as `revision`.

    Returns:
        CUIs; those of the most images of all splits first, equal ones by CUI.

    Raises:
        ValueError: an unknown column, a `minimum` below 0, or no concept left.
        FileNotFoundError: no repository at `path`.
    """
    require_choice("column", column, CONCEPT_COLUMNS)
    require_integer("minimum", minimum, 0)
    rows = _read(path, **options)
    cuis = [row["cui"] for row in rows if row["train"] >= minimum and (column == "cuis" or row["kind"] != "concept")]
    if not cuis:
        raise ValueError(
            f"no concept of {os.fspath(path)} has {minimum} images in train; the commonest has "
            f"{max(row['train'] for row in rows)}: lower minimum"
        )
    return cuis


def find_concepts(
    concepts: str | Iterable[str], path: str | os.PathLike[str] = "rocov2", **options: Any
) -> dict[str, frozenset[str]]:
    """CUIs of concepts that are given as CUIs or by name, whatever the case; a name that several have stands for all.

    Returns:
        CUIs by concept as given.

    Raises:
        ValueError: none are given, or one is not in the vocabulary; says what is like it.
        FileNotFoundError: no repository at `path`.
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
            raise ValueError(f"no concept {concept!r} in the vocabulary of {os.fspath(path)}{_suggest(concept, rows)}")
        found[concept] = frozenset(cuis)
    return found


def _suggest(concept: str, rows: list[dict[str, Any]]) -> str:
    names = {str(row["name"] or row["cui"]).casefold(): f"{row['name']} ({row['cui']})" for row in rows}
    near = difflib.get_close_matches(str(concept).casefold(), names, n=3)
    return f"; did you mean {', '.join(names[name] for name in near)}?" if near else ""


def check_vocabulary(vocabulary: Sequence[str]) -> tuple[str, ...]:
    """CUIs in the order of their labels.

    Raises:
        ValueError: none, one twice, or one that is no CUI.
    """
    cuis = strings_of(
        "vocabulary",
        vocabulary,
        "a list of CUIs in the order of their labels, as read_vocabulary() gives",
        ordered=True,
    )
    for cui in cuis:
        if not is_cui(cui):
            raise ValueError(f"vocabulary: {cui!r} is no CUI such as C0040405; read_vocabulary() gives a list of them")
    twice = sorted({cui for cui in cuis if cuis.count(cui) > 1}) if len(set(cuis)) < len(cuis) else []
    if twice:
        raise ValueError(f"vocabulary: {', '.join(twice)} stands in it twice")
    return cuis


def _read(path: str | os.PathLike[str], **options: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = rocov2.load(path, "vocabulary", split=rocov2.VOCABULARY_SPLIT, **options).to_list()
    return rows
