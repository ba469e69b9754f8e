"""The page of the explorer: its fields, what it shows for them, and how it is served."""

from __future__ import annotations

import random
from html import escape
from typing import Any

import rocov2
from rocov2_tasks.explorer.address import PER_PAGE, View, make_filter, read_address, write_address
from rocov2_tasks.explorer.cards import show_cards
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import MOST_LETTERS, MOST_TERMS
from rocov2_tasks.explorer.packages import need
from rocov2_tasks.explorer.style import SCRIPT, STYLE, THEME

TITLE = "ROCOv2 explorer"
TEXT_HINT = 'all of the words; "in quotes" a phrase; an image id, PMCID or CUI finds its images'

_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:"
_TO_RESULTS = "() => document.getElementById('results').scrollIntoView()"
_COLUMNS = {"modalities": "modality", "regions": "region", "licenses": "license"}


class _OnlyFromHere:
    """Tells the browser to load nothing from other hosts, whatever a version of Gradio may ask for."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self._app(scope, receive, send_with_policy if scope["type"] == "http" else send)


class Explorer:
    """What the page shows of a collection for the values of its fields.

    Each method gives what the page shows then: the number of rows, as Markdown; cards, as HTML; the number of the page; the
    filter as Python and as SQL; the query of the address; the view, to be kept until the next step.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.choices = {field: collection.values(column) for field, column in _COLUMNS.items()}
        self.choices |= {"splits": list(collection.counts), "cuis": [cui for cui, _, _ in collection.concepts]}

    def search(self, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """The first page of what the fields ask for."""
        return self.show(View(make_filter(fields), 1, per_page))

    def open(self, query: str) -> tuple[Any, ...]:
        """What a link asks for; before it, images on a page and the values of the fields."""
        view = read_address(query, self.choices)
        return view.per_page, *view.fields, *self.show(view)

    def go(self, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """The page of that number, where it is one of what is shown; no number is the one that is shown."""
        view = self._wanted(shown, per_page, fields)
        return self.show(View(view.filter, view.page if number is None or view is not shown else int(number), per_page))

    def step(self, by: int, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """So many pages on from what is shown: a number that was typed and not sent does not count."""
        view = self._wanted(shown, per_page, fields)
        return self.show(View(view.filter, view.page + by if view is shown else 1, per_page))

    def any(self, shown: View | None, number: Any, per_page: int, *fields: Any) -> tuple[Any, ...]:
        """Any page of what the fields ask for."""
        filter = make_filter(fields)
        pages = self._pages(self._collection.count(filter), per_page)
        return self.show(View(filter, random.randint(1, pages), per_page))  # noqa: S311

    def _wanted(self, shown: View | None, per_page: int, fields: tuple[Any, ...]) -> View:
        # Text that was typed and not sent is a new search, which begins at its first page.
        filter = make_filter(fields)
        return shown if shown and (shown.filter, shown.per_page) == (filter, per_page) else View(filter, 1, per_page)

    def _pages(self, count: int, per_page: int) -> int:
        return max(1, -(-count // per_page))

    def show(self, view: View) -> tuple[Any, ...]:
        """A view; of a page that there is not, the nearest."""
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


def facts_line(collection: Collection) -> str:
    """What is shown, in one line of HTML: the dataset, its counts, links, and what it is not for."""
    splits = ", ".join(f"{split} {count:,}" for split, count in collection.counts.items())
    name = escape(collection.name)
    if collection.url:
        name = f'<a href="{escape(collection.url)}" target="_blank" rel="noopener noreferrer">{name}</a>'
    article = f'<a href="{rocov2.HOMEPAGE}" target="_blank" rel="noopener noreferrer">about ROCOv2</a>'
    total = f"{sum(collection.counts.values()):,} images ({splits})"
    return f"<p>{name} · {total} · {article} · for research, not for diagnosis</p>"


def make_page(collection: Collection) -> Any:
    """The page, as `gradio.Blocks`.

    Raises:
        ModuleNotFoundError: gradio is not installed.
    """
    gr = need("gradio")
    explorer = Explorer(collection)

    def told(show: Any) -> Any:
        def show_or_tell(*values: Any) -> Any:
            try:
                return show(*values)
            except (ValueError, OSError) as error:
                raise gr.Error(str(error), print_exception=False) from error

        return show_or_tell

    def open_link(query: str) -> Any:
        try:
            return told(explorer.open)(query)
        except gr.Error as error:
            gr.Warning(str(error.message))
            return told(explorer.open)("")

    def choose(field: str, label: str, choices: Any = None) -> Any:
        choices = explorer.choices[field] if choices is None else choices
        return gr.Dropdown(
            choices,
            multiselect=True,
            max_choices=MOST_TERMS,
            label=label,
            info=None if choices else "none in this repository",
            elem_id={"cuis": "concepts", "splits": "split"}.get(field) or _COLUMNS[field],
            interactive=bool(choices),
        )

    concepts = [(f"{name} · {cui} · {images:,}", cui) for cui, name, images in collection.concepts]
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}", elem_id="title")
        gr.HTML(facts_line(collection), elem_id="facts")
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
            cuis = choose("cuis", "Concepts: name or CUI", concepts)
        with gr.Row(elem_classes="filters"):
            labels = {"modalities": "Modality", "regions": "Region", "licenses": "Licence", "splits": "Split"}
            chosen = [choose(field, label) for field, label in labels.items()]
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
        address = gr.Textbox(visible=False)
        shown = gr.State()

        fields = [text, cuis, *chosen, commercial]
        values = [shown, number, per_page, *fields]
        outputs = [found, cards, number, python, sql, address, shown]
        options: dict[str, Any] = {"concurrency_limit": 4, "api_visibility": "private"}
        options |= {"show_progress": "minimal", "show_progress_on": cards}  # else a fault is said on every output

        def on(trigger: Any, show: Any, **more: Any) -> Any:
            event = gr.on(trigger, told(show), values, outputs, **options, **more)
            event.success(None, address, js="query => showAddress(query, true)")
            return event

        # Of what the reader chooses: a link sets the fields as well, and shows its own page.
        choices = [text.submit, *(field.input for field in (*fields[1:], per_page))]
        on(choices, explorer.search, trigger_mode="always_last")
        on(number.submit, explorer.go)
        steps = {
            "previous": lambda *values: explorer.step(-1, *values),
            "next": lambda *values: explorer.step(1, *values),
            "random": explorer.any,
        }
        for move in moves:
            name, _, below = move.elem_id.partition("-")
            turn = on(move.click, steps[name])
            if below:
                turn.success(None, js=_TO_RESULTS)
        opened = page.load(
            open_link, address, [per_page, *fields, *outputs], js="() => window.location.search", **options
        )
        opened.success(None, address, js="query => showAddress(query, false)")
    return page


def launch(collection: Collection, host: str | None = None, port: int | None = None) -> Any:
    """Serve the page in threads, at `host` and `port` (None: as the environment says); gives the `gradio.Blocks`."""
    gr = need("gradio")
    middleware = need("starlette.middleware").Middleware
    page = make_page(collection)
    # In a Space Gradio adds a header, and has the browser ask huggingface.co and a host of fonts for it.
    page.space_id = None
    page.launch(
        server_name=f"[{host}]" if host and ":" in host else host,
        server_port=port,
        quiet=True,
        prevent_thread_lock=True,
        share=False,
        ssr_mode=False,
        footer_links=[],
        theme=gr.themes.Default(font=THEME["font"], font_mono=THEME["font_mono"]).set(**THEME["colors"]),
        css=STYLE,
        head=f"<script>{SCRIPT}</script>",
        app_kwargs={"middleware": [middleware(_OnlyFromHere)]},
    )
    return page
