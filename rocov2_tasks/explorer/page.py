"""The page of the explorer: its widgets, and what they show."""

from __future__ import annotations

import random
from dataclasses import dataclass
from html import escape
from typing import Any

import rocov2
from rocov2_tasks.explorer.address import PER_PAGE, View, make_filter, read_address, write_address
from rocov2_tasks.explorer.cards import show_cards
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import MOST_LETTERS, MOST_TERMS
from rocov2_tasks.explorer.packages import need

TITLE = "ROCOv2 explorer"
TEXT_HINT = (
    'all of the words, whole; pet* finds parts; "in quotes" a phrase; an image id, PMCID or CUI finds its images'
)

_TO_RESULTS = "() => document.getElementById('results').scrollIntoView()"
_COLUMNS = {"modalities": "modality", "regions": "region", "licenses": "license"}
"""Field of a filter -> column with its choices."""

_LABEL_FIELDS = (
    ("modalities", "modality", "Modality"),
    ("regions", "region", "Region"),
    ("licenses", "license", "Licence"),
    ("splits", "split", "Split"),
)
"""Field of a filter, id of its widget, and its label on the page."""


class Explorer:
    """What the page shows of a collection for the values of its fields.

    Each method returns the number of rows, as Markdown; the cards, as HTML; the number of the page; the filter as Python and
    as SQL; the query of the address; and the view, which the page keeps until the next step.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.choices = {field: collection.values(column) for field, column in _COLUMNS.items()}
        self.choices |= {"splits": list(collection.counts), "cuis": [cui for cui, _, _ in collection.concepts]}

    def search(self, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """Show the first page of the fields' filter."""
        return self.show(View(make_filter(fields), 1, per_page))

    def open(self, query: str) -> tuple[Any, ...]:
        """Show a link; return first the images on a page and the values of the fields."""
        view = read_address(query, self.choices)
        return view.per_page, *view.fields, *self.show(view)

    def go(self, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """Show the page of that number, if the fields still match what is shown; without a number, the same page."""
        view = self._wanted(shown, per_page, fields)
        return self.show(View(view.filter, view.page if number is None or view is not shown else int(number), per_page))

    def step(self, by: int, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """Move by a number of pages from the one that is shown; a number that was typed and not sent is ignored."""
        view = self._wanted(shown, per_page, fields)
        return self.show(View(view.filter, view.page + by if view is shown else 1, per_page))

    def any(self, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """Show a random page of the fields' filter."""
        filter = make_filter(fields)
        pages = self._pages(self._collection.count(filter), per_page)
        return self.show(View(filter, random.randint(1, pages), per_page))  # noqa: S311

    def _wanted(self, shown: View | None, per_page: int, fields: tuple[Any, ...]) -> View:
        # Text that was typed and not sent is a new search, which starts at its first page.
        filter = make_filter(fields)
        return shown if shown and (shown.filter, shown.per_page) == (filter, per_page) else View(filter, 1, per_page)

    def _pages(self, count: int, per_page: int) -> int:
        return max(1, -(-count // per_page))

    def show(self, view: View) -> tuple[Any, ...]:
        """Show a view; if its page does not exist, the nearest one."""
        filter, per_page = view.filter, view.per_page
        count = self._collection.count(filter)
        pages = self._pages(count, per_page)
        page = min(max(view.page, 1), pages)
        rows = self._collection.rows(filter, (page - 1) * per_page, per_page)
        cards = show_cards(rows, self._collection.images(rows))
        images = "image" if count == 1 else "images"
        found = f"**{count:,}** {images} of {sum(self._collection.counts.values()):,} · page {page:,} of {pages:,}"
        view = View(filter, page, per_page)
        codes = self._collection.python(filter), self._collection.sql(filter)
        return found, cards, page, *codes, write_address(view), view


def summary_line(collection: Collection) -> str:
    """Return one line of HTML about the dataset: its name, counts, links, and that it is not for diagnosis."""
    splits = ", ".join(f"{split} {count:,}" for split, count in collection.counts.items())
    name = escape(collection.name)
    if collection.url:
        name = f'<a href="{escape(collection.url)}" target="_blank" rel="noopener noreferrer">{name}</a>'
    article = f'<a href="{rocov2.HOMEPAGE}" target="_blank" rel="noopener noreferrer">about ROCOv2</a>'
    total = f"{sum(collection.counts.values()):,} images ({splits})"
    return f"<p>{name} · {total} · {article} · for research, not for diagnosis</p>"


@dataclass(frozen=True)
class _Widgets:
    """The widgets of the page that react or show something.

    Attributes:
        fields: of the filter, in the order of `View.fields`.
        per_page, number: images on a page, and the number of the page.
        moves: buttons to other pages.
        found, cards, python, sql: what a search shows.
        address: the query of the address, not visible.
        shown: the view that is shown.
    """

    fields: list[Any]
    per_page: Any
    number: Any
    moves: list[Any]
    found: Any
    cards: Any
    python: Any
    sql: Any
    address: Any
    shown: Any


def make_page(collection: Collection) -> Any:
    """Return the page, as `gradio.Blocks`.

    Raises:
        ModuleNotFoundError: gradio is not installed.
    """
    gr = need("gradio")
    explorer = Explorer(collection)
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}", elem_id="title")
        gr.HTML(summary_line(collection), elem_id="summary")
        widgets = _lay_out(gr, explorer, collection)
        _connect(gr, page, explorer, widgets)
    return page


def _lay_out(gr: Any, explorer: Explorer, collection: Collection) -> _Widgets:
    """Put the widgets on the page, from top to bottom."""
    with gr.Row(elem_classes="filters"):
        text = gr.Textbox(
            label="Words in the caption",
            info=TEXT_HINT,
            placeholder='effusion "pleural space"',
            max_lines=1,
            max_length=MOST_LETTERS,
            submit_btn=True,
            elem_id="text",
        )
        concepts = [(f"{name} · {cui} · {images:,}", cui) for cui, name, images in collection.concepts]
        cuis = _dropdown(gr, "concepts", "Concepts: name or CUI", concepts)
    with gr.Row(elem_classes="filters"):
        chosen = [_dropdown(gr, id, label, explorer.choices[field]) for field, id, label in _LABEL_FIELDS]
    with gr.Row(elem_classes="options"):
        commercial = gr.Checkbox(label="Commercial use allowed", elem_id="commercial", container=False)
        per_page = gr.Radio(
            [(f"{PER_PAGE[0]} on a page", PER_PAGE[0]), *PER_PAGE[1:]],
            value=PER_PAGE[0],
            label="Images on a page",
            container=False,
            elem_id="per-page",
        )
    with gr.Accordion("This filter as code", open=False, elem_id="code"):
        with gr.Tab("Python (datasets)"):
            python = gr.Code(language="python", interactive=False, show_label=False, elem_id="python")
        with gr.Tab("SQL (DuckDB)"):
            sql = gr.Code(language="sql", interactive=False, show_label=False, elem_id="sql")
    with gr.Row(elem_classes="pager", elem_id="results"):
        found = gr.Markdown(elem_id="found")
        number = gr.Number(1, label="Page", precision=0, elem_id="page", container=False)
        moves = [gr.Button(name, size="sm", elem_id=name.lower()) for name in ("Previous", "Next", "Random")]
    cards = gr.HTML(elem_id="cards")
    with gr.Row(elem_classes="pager"):
        moves += [gr.Button(name, size="sm", elem_id=f"{name.lower()}-below") for name in ("Previous", "Next")]
    return _Widgets(
        fields=[text, cuis, *chosen, commercial],
        per_page=per_page,
        number=number,
        moves=moves,
        found=found,
        cards=cards,
        python=python,
        sql=sql,
        address=gr.Textbox(visible=False),
        shown=gr.State(),
    )


def _dropdown(gr: Any, id: str, label: str, choices: Any) -> Any:
    return gr.Dropdown(
        choices,
        multiselect=True,
        max_choices=MOST_TERMS,
        label=label,
        info=None if choices else "none in this repository",
        elem_id=id,
        interactive=bool(choices),
    )


def _connect(gr: Any, page: Any, explorer: Explorer, widgets: _Widgets) -> None:
    """Connect the widgets: which event shows what."""
    text, *others = widgets.fields
    inputs = [widgets.shown, widgets.number, widgets.per_page, *widgets.fields]
    outputs = [
        widgets.found,
        widgets.cards,
        widgets.number,
        widgets.python,
        widgets.sql,
        widgets.address,
        widgets.shown,
    ]
    options: dict[str, Any] = {"concurrency_limit": 4, "api_visibility": "private"}
    options |= {"show_progress": "minimal", "show_progress_on": widgets.cards}  # otherwise every output shows an error

    def on(trigger: Any, show: Any, **more: Any) -> Any:
        event = gr.on(trigger, _with_errors(gr, show), inputs, outputs, **options, **more)
        event.success(None, widgets.address, js="query => showAddress(query, true)")
        return event

    # Only input by the reader: a link sets the fields, too, and shows its own page.
    choices = [text.submit, *(field.input for field in (*others, widgets.per_page))]
    on(choices, explorer.search, trigger_mode="always_last")
    on(widgets.number.submit, explorer.go)
    steps = {
        "previous": lambda *values: explorer.step(-1, *values),
        "next": lambda *values: explorer.step(1, *values),
        "random": explorer.any,
    }
    for move in widgets.moves:
        name, _, below = move.elem_id.partition("-")
        turn = on(move.click, steps[name])
        if below:
            turn.success(None, js=_TO_RESULTS)
    opened = page.load(
        _opener(gr, explorer),
        widgets.address,
        [widgets.per_page, *widgets.fields, *outputs],
        js="() => window.location.search",
        **options,
    )
    opened.success(None, widgets.address, js="query => showAddress(query, false)")


def _with_errors(gr: Any, show: Any) -> Any:
    """Return a function like `show` whose errors are messages on the page."""

    def show_or_report(*values: Any) -> Any:
        try:
            return show(*values)
        except (ValueError, OSError) as error:
            # Gradio shows a message as HTML, and this one may contain parts of a link or of a repository.
            raise gr.Error(escape(str(error)), print_exception=False) from error

    return show_or_report


def _opener(gr: Any, explorer: Explorer) -> Any:
    """Return a function that shows a link; if the link is invalid, a warning and the first page."""
    show = _with_errors(gr, explorer.open)

    def open_link(query: str) -> Any:
        try:
            return show(query)
        except gr.Error as error:
            gr.Warning(str(error.message))
            return show("")

    return open_link
