r"""The words of a search text, and each as a regular expression that finds it in a caption: of DuckDB and of Python.

A letter is a letter or digit of any script: `[\p{L}\p{N}]` in DuckDB, `[^\W_]` in Python. Both are matched with a caption in
lower case. The tests compare both over all of Unicode.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import rocov2
from rocov2_shared.ids import CUI, PMCID, image_id_pattern

_TERM = re.compile(r"""«\s*([^«»]*?)\s*(?:[«»]|$)|["“”„‟]([^"“”„‟]*)(?:["“”„‟]|$)|(\S+)""")
_IDS: dict[str, tuple[re.Pattern[str], Callable[[str], str]]] = {
    "image_id": (image_id_pattern(*rocov2.SPLITS.values()), lambda word: word.replace("roco", "ROCO")),
    "pmcid": (PMCID, str.upper),
    "cuis": (CUI, str.upper),
}
"""By column: the pattern of its ids, and how a word in small letters is spelled there."""

_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
_PART = re.compile(r"(\*+|\s+)")


@dataclass(frozen=True)
class Syntax:
    """How a regular expression says what a word needs.

    Attributes:
        begin, end: no letter is before, or after.
        letters: any letters, or none.
        spaces: white space of any kind.
    """

    begin: str
    end: str
    letters: str
    spaces: str


SQL = Syntax(r"(^|[^\p{L}\p{N}])", r"([^\p{L}\p{N}]|$)", r"[\p{L}\p{N}]*", r"[\s\x0b\x1c-\x1f\x85\p{Z}]+")
PYTHON = Syntax(r"(?<![^\W_])", r"(?![^\W_])", r"[^\W_]*", r"\s+")


def lower(text: str) -> str:
    """Return a text in lower case as DuckDB's `lower()` does it: without the Greek final sigma, and İ becomes i."""
    return "".join(map(str.lower, text.replace("İ", "i")))


def split_text(text: str) -> dict[str, list[str]]:
    """Return words and phrases by the column in which they are searched: ids in their columns, all others in the caption."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", " ")
    found: dict[str, list[str]] = {column: [] for column in (*_IDS, "caption")}
    for *phrases, word in _TERM.findall(clean):
        term = " ".join(lower("".join(phrases) or word).split())
        column, value = (_find_id(term) if word else None) or ("caption", term)
        if value.strip("* "):
            found[column].append(value)
    return {column: list(dict.fromkeys(terms)) for column, terms in found.items()}


def _find_id(term: str) -> tuple[str, str] | None:
    """Return the column that `term` is an id of, and the id as it is spelled there; None for any other word."""
    for column, (pattern, spell) in _IDS.items():
        if pattern.fullmatch(spell(term)):
            return column, spell(term)
    return None


def terms(text: str) -> list[str]:
    """Return what a caption must contain: words, and phrases in double quotes of any shape, in lower case, each once.

    A phrase without a closing quote ends with the text, and a quote within a word (5") belongs to the word. Ids of images,
    articles and concepts are searched in their own columns.

    >>> terms('Axial "Pleural  space" pneumo*')
    ['axial', 'pleural space', 'pneumo*']
    """
    return split_text(text)["caption"]


def inner_stars(term: str) -> int:
    """Return how many `*` are inside of a term: unlike those at its ends, each makes its pattern longer.

    >>> inner_stars("*hydro*sis*")
    1
    """
    return len(re.findall(r"\*+", term.strip("*")))


def pattern_of(term: str, syntax: Syntax) -> str:
    r"""Return the regular expression that finds a term of `terms` in a caption in lower case.

    A term whose first or last character is a letter begins or ends a word there, `*` stands for any letters, and a space for
    white space of any kind.

    >>> print(pattern_of("ct", PYTHON), pattern_of("pet*", PYTHON))
    (?<![^\W_])ct(?![^\W_]) (?<![^\W_])pet
    """
    inside = term.strip("*")
    parts = (
        syntax.letters if part[:1] == "*" else syntax.spaces if part.isspace() else _SPECIAL.sub(r"\\\g<0>", part)
        for part in _PART.split(inside)
    )
    begin = syntax.begin if term[:1] == inside[:1] and inside[0].isalnum() else ""
    end = syntax.end if term[-1:] == inside[-1:] and inside[-1].isalnum() else ""
    return f"{begin}{''.join(parts)}{end}"
