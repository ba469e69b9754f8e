"""The view of the page as the query of its address, for links, forms and the browser's Back button."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlencode

from rocov2_tasks.explorer.filters import Filter

PER_PAGE = (12, 24, 48)
"""Choices of images on a page; the first one is the default."""

NAMES = {
    "config": "config",
    "text": "text",
    "cuis": "concept",
    "modalities": "modality",
    "regions": "region",
    "directions": "direction",
    "licenses": "license",
    "splits": "split",
    "commercial": "commercial",
}
"""Field of a filter -> its name in an address and in the form of the page."""

PAGE, ROW, IMAGES = "at", "view", "per_page"
"""Names in an address: number of the page, position of the enlarged image, images on a page."""

_LONGEST_NUMBER = 9


@dataclass(frozen=True)
class View:
    """A page of a search.

    Attributes:
        filter: the rows.
        page: number of the page, starting at 1.
        per_page: images on a page.
        row: position among the rows of the image that is enlarged, starting at 1; 0 for none.
    """

    filter: Filter
    page: int = 1
    per_page: int = PER_PAGE[0]
    row: int = 0

    def enlarge(self, row: int) -> View:
        """Return the view with an image enlarged, on the page that has it; with 0, with none."""
        return replace(self, row=row, page=-(-row // self.per_page) if row else self.page)


def write_address(view: View) -> str:
    """Return the query of a view, with a question mark; default values are omitted."""
    query = filter_query(view.filter)
    query += [(PAGE, str(view.page))] if view.page > 1 and not view.row else []
    query += [(IMAGES, str(view.per_page))] if view.per_page != PER_PAGE[0] else []
    query += [(ROW, str(view.row))] if view.row else []
    return f"?{urlencode(query)}" if query else ""


def link_to(view: View, path: str = "./") -> str:
    """Return the address of a view, relative to the page, as an attribute `href` needs it."""
    return write_address(view) or "./" if path == "./" else path + write_address(view)


def filter_query(filter: Filter) -> list[tuple[str, str]]:
    """Return names and values of a filter in an address; default values are omitted."""
    empty = Filter()
    query: list[tuple[str, str]] = []
    for field, name in NAMES.items():
        value = getattr(filter, field)
        if isinstance(value, tuple):
            query += [(name, part) for part in value]
        elif value != getattr(empty, field):
            query.append((name, "1" if value is True else value))
    return query


def read_address(query: str, choices: Mapping[str, Sequence[str]]) -> View:
    """Return the view of a query.

    Args:
        query: query of an address; unknown names are ignored.
        choices: field of a filter -> its choices.

    Raises:
        ValueError: the query contains a value that is not one of the choices, or more terms than a filter may have.
    """
    asked = parse_qs(query.removeprefix("?"), errors="replace")
    values: dict[str, Any] = {}
    empty = Filter()
    for field, name in NAMES.items():
        found = asked.get(name, [])
        if unknown := [value for value in found if value not in choices.get(field, found)]:
            raise ValueError(f"invalid link: this repository has no {name} {unknown[0]!r}")
        if isinstance(getattr(empty, field), tuple):
            values[field] = tuple(dict.fromkeys(found))
        elif found:
            values[field] = found[-1] == "1" if field == "commercial" else found[-1]
    page, per_page, row = (_read_number(asked.get(name, [])) for name in (PAGE, IMAGES, ROW))
    view = View(Filter(**values), max(page, 1), per_page if per_page in PER_PAGE else PER_PAGE[0])
    return view.enlarge(row) if row else view


def _read_number(found: Sequence[str]) -> int:
    number = found[-1] if found else ""
    return int(number) if number.isdecimal() and len(number) <= _LONGEST_NUMBER else 0
