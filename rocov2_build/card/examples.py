"""Real rows on the card: the images of the contact sheet, one whole row, and what the quick start prints."""

from __future__ import annotations

import re
from typing import Any

import datasets

import rocov2
from rocov2_build.card.contents import Contents
from rocov2_build.card.markdown import escape_markdown
from rocov2_shared.printable import printable

_LINK = re.compile(r"https?://[\w./-]+", re.ASCII)
_CAPTION = 80
"""Characters of a caption that the quick start prints."""


def examples_block(contents: Contents) -> str:
    """Return the contact sheet, and its captions and credits as a table; empty without a sheet."""
    if not contents.sheet:
        return ""
    lines = ["| | caption, linked to its article | credit |", "| --- | --- | --- |"]
    for number, row in enumerate(contents.shown, 1):
        credit = escape_markdown(f"{row['attribution']}, {row['license']}")
        lines.append(f"| {number} | {_linked(row['caption'], row['url'])} | {credit} |")
    return "\n\n".join([contents.sheet.markdown(), "\n".join(lines), _missing(contents)]).rstrip()


def _linked(text: str, url: str) -> str:
    shown = escape_markdown(text)
    return f"[{shown}]({url})" if _LINK.fullmatch(url) else shown


def _missing(contents: Contents) -> str:
    """Return which modalities the sheet does not show."""
    counted: dict[str, dict[str, int]] = (contents.facts or {}).get("modality", {})
    shown = {_shown_label("modality", row["modality"]) for row in contents.shown}
    missing = [name for name, counts in counted.items() if any(counts.values()) and name not in shown]
    if not missing:
        return ""
    return (
        f"The sheet has no image of {' and '.join(missing)}: it shows only images whose licence allows commercial use, and "
        "whose caption and shape fit."
    )


def _shown_label(column: str, value: int) -> str:
    return rocov2.label_name(rocov2.FEATURES[column], value)


def row_block(contents: Contents) -> str:
    """Return one row with all its columns as a table: that of the first image of the sheet, or else the first row."""
    row = contents.shown[0] if contents.shown else contents.first
    if row is None:
        return ""
    which = "Image 1 as a row" if contents.shown else f"The first row of {contents.splits[0]}"
    lines = [f"{which}:", "", "| column | value |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {_value(name, row)} |" for name in rocov2.COLUMNS)])


def _value(name: str, row: dict[str, Any]) -> str:
    feature, value = rocov2.COLUMNS[name].feature, row.get(name)
    if isinstance(feature, datasets.Image):
        return f"the picture, {row['width']} × {row['height']} pixels"
    if value is None:
        return "null"
    if isinstance(feature, datasets.ClassLabel):
        return f"{value} ({_shown_label(name, value)})"
    if isinstance(value, list):
        return escape_markdown(", ".join(value)) or "an empty list"
    if name == "url":
        return _linked(value, value)
    return escape_markdown(str(value).lower() if isinstance(value, bool) else printable(str(value)))


def output_block(contents: Contents) -> str:
    """Return what the first program of the quick start prints for this repository; empty if no row is known."""
    row = contents.first
    if row is None:
        return ""
    rows = {split: size.rows for split, size in contents.sizes["default"].items()}
    lines = [
        str(rows),
        f"{(row['width'], row['height'])} {_shown_label('modality', row['modality'])} {row['license']}",
        row["caption"][:_CAPTION],
        str(row["concept_names"]),
    ]
    text = printable("\n".join(lines), keep="\n")
    # More ticks than any run of them in the text, so that the text cannot end its block.
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    return f"{fence}text\n{text}\n{fence}"
