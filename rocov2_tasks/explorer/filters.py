"""Filters, and a filter as code: SQL for DuckDB and Python with `datasets`.

Every condition is defined once, as SQL and as Python side by side, so that the search and the copied code cannot differ. SQL
that is run contains only placeholders for values; SQL that is copied contains quoted values.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

import rocov2
from rocov2_shared.ids import CUI, PMCID, image_id_pattern, is_cui

MOST_TERMS, MOST_LETTERS = 64, 2_000
"""Limits of a filter: terms of a text and concepts, and letters of a text. DuckDB plans a query in the square of its
conditions: thousands of them use all memory."""

_TERM = re.compile(r"""«\s*([^«»]*?)\s*(?:[«»]|$)|["“”„‟]([^"“”„‟]*)(?:["“”„‟]|$)|(\S+)""")
_IDS: dict[str, tuple[re.Pattern[str], Callable[[str], str]]] = {
    "image_id": (image_id_pattern(*rocov2.SPLITS.values()), lambda word: word.replace("roco", "ROCO")),
    "pmcid": (PMCID, str.upper),
    "cuis": (CUI, str.upper),
}
"""By column: the pattern of its ids, and how a word in small letters is spelled there."""

_LOWER = """def lower(text):  # letter by letter, as DuckDB does
    return "".join(map(str.lower, text.replace("İ", "i")))


"""


def lower(text: str) -> str:
    """Return a text in lower case as DuckDB's `lower()` does it: without the Greek final sigma, and İ becomes i."""
    return "".join(map(str.lower, text.replace("İ", "i")))


def _terms(text: str) -> dict[str, list[str]]:
    """Return words and phrases by the column in which they are searched: ids in their columns, all others in the caption."""
    clean = text.encode("utf-8", "replace").decode().replace("\0", " ")
    found: dict[str, list[str]] = {column: [] for column in (*_IDS, "caption")}
    for *phrases, word in _TERM.findall(clean):
        term = lower("".join(phrases) or word)
        column, value = (_find_id(term) if word else None) or ("caption", term)
        if value.strip():
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
    """
    return _terms(text)["caption"]


@dataclass(frozen=True)
class Filter:
    """The rows that match all fields; an empty field matches every row.

        Filter(modalities=("CT", "MRI"), commercial=True, text='axial "contrast enhanced"')

    Attributes:
        splits: the row is in one of these.
        modalities, regions: names of labels; the image has one of them.
        licenses: the image has one of them.
        commercial: whether the licence must allow commercial use.
        cuis: concepts; the image has all of them.
        text: words, and phrases in double quotes; the caption contains all of them, in any case. A word that is an id is
            searched in its column: the row has one of the image ids, one of the PMCIDs, all CUIs.

    Raises:
        ValueError: an unknown name, an invalid CUI, or more terms, letters or concepts than allowed.
    """

    splits: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()
    commercial: bool = False
    cuis: tuple[str, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        known: dict[str, Iterable[str]] = {
            "splits": rocov2.SPLITS,
            "modalities": rocov2.MODALITIES,
            "regions": rocov2.REGIONS,
            "licenses": rocov2.LICENSES,
        }
        for field in fields(self):
            for name in getattr(self, field.name) if field.name in known else ():
                if name not in known[field.name]:
                    raise ValueError(f"{field.name}: unknown {name!r}, expected one of {', '.join(known[field.name])}")
        for cui in self.cuis:
            if not is_cui(cui):
                raise ValueError(f"cuis: {cui!r} is not a CUI, expected C and seven digits")
        _require_few("text", "characters", len(self.text), MOST_LETTERS)
        _require_few("text", "words and phrases", sum(map(len, _terms(self.text).values())), MOST_TERMS)
        _require_few("cuis", "concepts", len(self.cuis), MOST_TERMS)


def _require_few(field: str, what: str, number: int, most: int) -> None:
    if number > most:
        raise ValueError(f"{field}: at most {most:,} {what}, got {number:,}")


@dataclass(frozen=True)
class Condition:
    """A condition on `column`: SQL with a `?` for each of `values`, the same in Python, and a note for the reader."""

    column: str
    sql: str
    values: tuple[str | int, ...]
    python: str
    note: str = ""


def _one_of(column: str, names: Sequence[str]) -> list[Condition]:
    if not names:
        return []
    values: list[str | int] = list(dict.fromkeys(names))
    note = ""
    if column in rocov2.LABELS:
        note = ", ".join(map(str, values))
        values = [rocov2.FEATURES[column].str2int(str(name)) for name in values]
    marks = ", ".join("?" * len(values))
    python = f"{column} in {{{', '.join(map(repr, values))}}}"
    return [Condition(column, f"{column} IN ({marks})", tuple(values), python, note)]


def conditions_of(filter: Filter) -> list[Condition]:
    """Return the conditions of a filter, all of which a row must meet."""
    commercial = [name for name, allowed in rocov2.LICENSES.items() if allowed] if filter.commercial else []
    text = _terms(filter.text)
    return [
        *_one_of("image_id", text["image_id"]),
        *_one_of("pmcid", text["pmcid"]),
        *_one_of("modality", filter.modalities),
        *_one_of("region", filter.regions),
        *_one_of("license", filter.licenses),
        *_one_of("license", commercial),
        *(
            Condition("cuis", "list_contains(cuis, ?)", (cui,), f"{cui!r} in cuis")
            for cui in dict.fromkeys([*filter.cuis, *text["cuis"]])
        ),
        *(
            Condition("caption", "contains(lower(caption), ?)", (term,), f"{term!r} in lower(caption)")
            for term in text["caption"]
        ),
    ]


def _quote(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _with_values(condition: Condition) -> str:
    parts = condition.sql.split("?")
    return "".join(itertools.chain(*zip(parts, [*map(_quote, condition.values), ""], strict=True)))


def _with_notes(texts: Sequence[str], conditions: Sequence[Condition], between: str, comment: str) -> str:
    notes = [f"  {comment} {condition.note}" if condition.note else "" for condition in conditions]
    return f"\n{between}".join(text + note for text, note in zip(texts, notes, strict=True))


def sql_code(filter: Filter, files: Sequence[str]) -> str:
    """Return a query of DuckDB for the rows of `filter`, without images, in the Parquet files of its splits."""
    tables = ",\n".join(f"    {_quote(file)}" for file in files)
    select = f"SELECT *\nFROM read_parquet([\n{tables}\n])"
    conditions = conditions_of(filter)
    if not conditions:
        return f"{select};\n"
    *texts, last = map(_with_values, conditions)
    return f"{select}\nWHERE {_with_notes([*texts, f'{last};'], conditions, '  AND ', '--')}\n"


def python_code(filter: Filter, source: str, splits: Sequence[str], note: str = "") -> str:
    """Return a program with `datasets` for the rows of `filter`, with images.

    Args:
        filter: the filter; its splits are ignored.
        source: first arguments of `load_dataset`, as Python.
        splits: the splits to load.
        note: a line for the reader about what the program loads before it filters.
    """
    conditions = conditions_of(filter)
    note = f"# {note}\n" if note else ""
    load = f"rows = load_dataset({source}, split={'+'.join(splits)!r})\n"
    if not conditions:
        return f"from datasets import load_dataset\n\n{load}"
    columns = list(dict.fromkeys(condition.column for condition in conditions))
    tests = _with_notes([condition.python for condition in conditions], conditions, "        and ", "#")
    return (
        f"from datasets import load_dataset\n\n\n{_LOWER if 'caption' in columns else ''}"
        f"def wanted({', '.join(columns)}):\n    return (\n        {tests}\n    )\n\n\n"
        f"{note}{load}rows = rows.filter(wanted, input_columns={columns!r})\n"
    )
