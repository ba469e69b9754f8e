"""Filters, and a filter as code: SQL for DuckDB and Python with `datasets`.

Every condition is defined once, as SQL and as Python side by side, so that the search and the copied code cannot differ. SQL
that is run contains only placeholders for values; SQL that is copied contains quoted values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import rocov2
from rocov2_shared.ids import is_cui
from rocov2_tasks.explorer.words import PYTHON, SQL, inner_stars, pattern_of, split_text

MOST_TERMS, MOST_LETTERS, MOST_STARS = 64, 2_000, 8
"""Limits of a filter: terms of a text and concepts, letters of a text, and `*` inside its words. DuckDB plans a query in the
square of its conditions: thousands of them use all memory. The time of a search doubles with every `*` inside of a word."""

IMAGE_CONFIGS = tuple(name for name, config in rocov2.CONFIGS.items() if "image" in config.features)
"""Configurations that have images; a repository may have only some of them."""

_LOWER = """def lower(text):  # letter by letter, as DuckDB does
    return "".join(map(str.lower, text.replace("İ", "i")))


"""


@dataclass(frozen=True)
class Filter:
    """The rows that match all fields; an empty field matches every row.

        Filter(modalities=("CT", "MRI"), commercial=True, text='axial "contrast enhanced"')

    Attributes:
        splits: the row is in one of these.
        modalities, regions, directions: names of labels; the image has one of them.
        licenses: the image has one of them.
        commercial: whether the licence must allow commercial use.
        cuis: concepts; the image has all of them.
        text: words, and phrases in double quotes; the caption contains all of them as whole words, in any case. `*` stands
            for any letters: `pet*` finds words that begin so. A word that is an id is searched in its column: the row has one
            of the image ids, one of the PMCIDs, all CUIs.
        config: the configuration that has the row: one with images.

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
    directions: tuple[str, ...] = ()
    config: str = "default"

    def __post_init__(self) -> None:
        known: dict[str, Iterable[str]] = {
            "splits": rocov2.SPLITS,
            "modalities": rocov2.MODALITIES,
            "regions": rocov2.REGIONS,
            "directions": rocov2.DIRECTIONS,
            "licenses": rocov2.LICENSES,
        }
        for field in fields(self):
            for name in getattr(self, field.name) if field.name in known else ():
                if name not in known[field.name]:
                    raise ValueError(f"{field.name}: unknown {name!r}, expected one of {', '.join(known[field.name])}")
        if self.config not in IMAGE_CONFIGS:
            raise ValueError(f"config: unknown {self.config!r}, expected one of {', '.join(IMAGE_CONFIGS)}")
        for cui in self.cuis:
            if not is_cui(cui):
                raise ValueError(f"cuis: {cui!r} is not a CUI, expected C and seven digits")
        _require_few("text", "characters", len(self.text), MOST_LETTERS)
        words = split_text(self.text)
        _require_few("text", "words and phrases", sum(map(len, words.values())), MOST_TERMS)
        _require_few("text", "* inside of words", sum(map(inner_stars, words["caption"])), MOST_STARS)
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


def _contains(term: str) -> Condition:
    """Return the condition that a caption contains a term of `terms`."""
    search = f"re.search({_python_literal(pattern_of(term, PYTHON))}, lower(caption)) is not None"
    return Condition("caption", "regexp_matches(lower(caption), ?)", (pattern_of(term, SQL),), search, term)


def conditions_of(filter: Filter) -> list[Condition]:
    """Return the conditions of a filter, all of which a row must meet."""
    commercial = [name for name, allowed in rocov2.LICENSES.items() if allowed] if filter.commercial else []
    text = split_text(filter.text)
    return [
        *_one_of("image_id", text["image_id"]),
        *_one_of("pmcid", text["pmcid"]),
        *_one_of("modality", filter.modalities),
        *_one_of("region", filter.regions),
        *_one_of("direction", filter.directions),
        *_one_of("license", filter.licenses),
        *_one_of("license", commercial),
        *(
            Condition("cuis", "list_contains(cuis, ?)", (cui,), f"{cui!r} in cuis")
            for cui in dict.fromkeys([*filter.cuis, *text["cuis"]])
        ),
        *map(_contains, text["caption"]),
    ]


def _quote(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def _python_literal(pattern: str) -> str:
    """Return a regular expression as a literal of Python, with its backslashes as they are where that is possible."""
    is_raw = pattern.isprintable() and '"' not in pattern and not pattern.endswith("\\")
    return f'r"{pattern}"' if is_raw else repr(pattern)


def _with_values(condition: Condition) -> str:
    parts = condition.sql.split("?")
    return "".join(itertools.chain(*zip(parts, [*map(_quote, condition.values), ""], strict=True)))


def _note_of(condition: Condition) -> str:
    """Return the note of a condition as far as it can stand in a comment of either language."""
    printable = "".join(letter if letter.isprintable() else " " for letter in condition.note)
    return printable.replace("*/", "* /").replace("/*", "/ *")


def sql_code(filter: Filter, files: Sequence[str], columns: str = "*") -> str:
    """Return a query of DuckDB for the rows of `filter` in the Parquet files of its splits.

    Nothing follows its semicolon, not even a comment: `duckdb.sql(query).show()` would refuse that.
    """
    tables = ",\n".join(f"    {_quote(file)}" for file in files)
    lines = [f"SELECT {columns}\nFROM read_parquet([\n{tables}\n])"]
    for condition in conditions_of(filter):
        note = f"  /* {_note_of(condition)} */" if condition.note else ""
        lines.append(f"{'AND' if lines[1:] else 'WHERE'} {_with_values(condition)}{note}")
    return "\n  ".join(lines).replace("\n  WHERE", "\nWHERE", 1) + ";\n"


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
    lines = [f"{each.python}  # {_note_of(each)}" if each.note else each.python for each in conditions]
    tests = "\n        and ".join(lines)
    imports, helper = ("import re\n\n", _LOWER) if "caption" in columns else ("", "")
    return (
        f"{imports}from datasets import load_dataset\n\n\n{helper}"
        f"def wanted({', '.join(columns)}):\n    return (\n        {tests}\n    )\n\n\n"
        f"{note}{load}rows = rows.filter(wanted, input_columns={columns!r})\n"
    )
