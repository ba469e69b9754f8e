"""What the page shows for an address: the rows of its view, how many there are, and what is wrong with it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from rocov2_tasks.explorer.address import View, read_address
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter

OFFERED = 50
"""Concepts that are offered at once."""


@dataclass(frozen=True)
class Found:
    """What is shown for a view.

    Attributes:
        view: the view; its page and row exist.
        count: rows of its filter.
        pages: number of its pages.
        rows: rows of its page.
        articles: number of images by PMCID of its rows.
        counts: rows by field and choice.
        python, sql: its filter as code.
        warning: what was wrong with the address; the view then is the first page of all rows.
    """

    view: View
    count: int
    pages: int
    rows: list[dict[str, Any]]
    articles: dict[str, int]
    counts: dict[str, dict[str, int]]
    python: str
    sql: str
    warning: str = ""

    @property
    def first(self) -> int:
        """Position of the first row of the page, starting at 1."""
        return (self.view.page - 1) * self.view.per_page + 1


class Explorer:
    """Searches a collection for the page."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.names = {cui: name for cui, name, _ in collection.concepts}
        """CUI -> name of every concept with images."""
        self._folded = [(cui, f"{name} {cui}".lower()) for cui, name in self.names.items()]
        self._choices = {**collection.choices, "config": list(collection.configs), "cuis": list(self.names)}
        self._sets: Any = {field: set(choices) for field, choices in self._choices.items()}

    def read(self, query: str) -> View:
        """Return the view of the query of an address.

        Raises:
            ValueError: this repository does not have what it names.
        """
        return read_address(query, self._sets)

    def open(self, query: str) -> Found:
        """Return what an address shows; with a warning and the first page of all rows if it is wrong."""
        try:
            return self.find(self.read(query))
        except (ValueError, OSError) as error:
            return replace(self.find(View(Filter())), warning=str(error))

    def find(self, view: View) -> Found:
        """Return what a view shows; if its page or row does not exist, the nearest one."""
        filter, collection = view.filter, self.collection
        count = collection.count(filter)
        pages = max(1, -(-count // view.per_page))
        view = replace(view, page=min(view.page, pages)).enlarge(min(view.row, count))
        rows = collection.rows(filter, (view.page - 1) * view.per_page, view.per_page)
        if collection.has_own_pictures(filter.config):  # then the columns have the size of another picture
            rows = [{name: value for name, value in row.items() if name not in ("width", "height")} for row in rows]
        articles = collection.article_counts(rows, filter.config)
        counts = collection.choice_counts(filter)
        return Found(view, count, pages, rows, articles, counts, collection.python(filter), collection.sql(filter))

    def random(self, query: str) -> View:
        """Return a random page of the filter of an address; of all rows, if the address is wrong."""
        try:
            view = self.read(query)
        except ValueError:
            view = View(Filter())
        pages = max(1, -(-self.collection.count(view.filter) // view.per_page))
        return replace(view, page=random.randint(1, pages), row=0)  # noqa: S311

    def offer(self, query: str, typed: str) -> list[tuple[str, str, int]]:
        """Return the concepts whose name or CUI contains all typed words: CUI, name, and rows of the filter that have it.

        The most common ones are first; those that the filter has are left out.
        """
        try:
            filter = self.read(query).filter
        except ValueError:
            filter = Filter()
        words = typed.lower().split()
        counts = self.collection.concept_counts(filter)
        matching = [cui for cui, text in self._folded if cui not in filter.cuis and all(word in text for word in words)]
        matching.sort(key=lambda cui: -counts[cui])
        return [(cui, self.names[cui], counts[cui]) for cui in matching[:OFFERED]]
