"""The view of the page as the query of its address, for links and for the browser's Back button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode

from rocov2_tasks.explorer.filters import Filter

PER_PAGE = (12, 24, 48)
"""Choices of images on a page; the first one is the default."""

_NAMES = {
    "text": "text",
    "cuis": "concept",
    "modalities": "modality",
    "regions": "region",
    "licenses": "license",
    "splits": "split",
    "commercial": "commercial",
}
"""Field of a filter -> its name in an address, in the order of the fields of the page."""

_PAGE, _PER_PAGE = "at", "per_page"
"""Names in an address. Gradio uses `page` itself, and fails if no page has that name."""


@dataclass(frozen=True)
class View:
    """A page of a search: the filter, the number of the page, starting at 1, and the images on a page."""

    filter: Filter
    page: int = 1
    per_page: int = PER_PAGE[0]

    @property
    def fields(self) -> list[str | bool | list[str]]:
        """Return the values of the filter, in the order of the fields of the page."""
        values = [getattr(self.filter, name) for name in _NAMES]
        return [list(value) if isinstance(value, tuple) else value for value in values]


def make_filter(values: Sequence[Any]) -> Filter:
    """Return the filter of the fields of the page.

    Raises:
        ValueError: as `Filter`.
    """
    empty = Filter()
    given = {name: type(getattr(empty, name))(value) for name, value in zip(_NAMES, values, strict=True) if value}
    return Filter(**given)


def write_address(view: View) -> str:
    """Return the query of a view, with a question mark; default values are omitted."""
    query: list[tuple[str, str | int]] = []
    for field, name in _NAMES.items():
        value = getattr(view.filter, field)
        query += [(name, part) for part in value] if isinstance(value, tuple) else [(name, value)] if value else []
    query += [(_PAGE, view.page)] if view.page > 1 else []
    query += [(_PER_PAGE, view.per_page)] if view.per_page != PER_PAGE[0] else []
    return f"?{urlencode([(name, 1 if value is True else value) for name, value in query])}" if query else ""


def read_address(query: str, choices: Mapping[str, Sequence[str]]) -> View:
    """Return the view of a query.

    Args:
        query: query of an address; unknown names are ignored.
        choices: field of a filter -> its choices.

    Raises:
        ValueError: the query contains a value that is not one of the choices, or more terms than a filter may have.
    """
    asked = parse_qs(query.removeprefix("?"))
    values: list[Any] = []
    for field, name in _NAMES.items():
        found = asked.get(name, [])
        if field in choices:
            if unknown := [value for value in found if value not in choices[field]]:
                raise ValueError(f"invalid link: this repository has no {name} {unknown[0]!r}")
            values.append(list(dict.fromkeys(found)))
        elif field == "commercial":
            values.append(found[-1:] == ["1"])
        else:
            values.append("".join(found[-1:]))
    numbers = [(asked.get(name) or [""])[-1] for name in (_PAGE, _PER_PAGE)]
    page, per_page = (int(number) if number.isdecimal() and len(number) < 10 else 1 for number in numbers)
    return View(make_filter(values), max(page, 1), per_page if per_page in PER_PAGE else PER_PAGE[0])
