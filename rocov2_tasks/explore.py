"""A page to look through a built repository: filters, images with what belongs to them, the filter as code to copy.

`python -m rocov2_tasks.explore [REPOSITORY=rocov2] [--port N]` shows it on this machine, `--space FOLDER` writes it as a
Space of the Hugging Face Hub. It needs the extra `explore` (gradio and duckdb). Nothing is fetched from other hosts but
from the Hub, and that only when the repository is there.
"""

from __future__ import annotations

import os
import random
import re
import socket
import threading
from pathlib import Path
from typing import Any

import click
from huggingface_hub.errors import OfflineModeIsEnabled

from rocov2_errors import UserError
from rocov2_tasks.cards import STYLE, show_cards
from rocov2_tasks.filters import Filter
from rocov2_tasks.searching import Collection, need, require
from rocov2_tasks.space import write_space
from rocov2_terminal import run

PORT = 7860
PER_PAGE = (12, 24, 48)
TITLE = "ROCOv2 explorer"
FONTS = {"font": ["system-ui", "sans-serif"], "font_mono": ["ui-monospace", "monospace"]}
"""The reader's own: Gradio has some that come from another host."""

_POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:"
_TO_RESULTS = "() => document.getElementById('results').scrollIntoView()"
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")


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
    """What the page shows of a collection for the values of its fields."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    def show(self, page: int | None, per_page: int, *fields: Any) -> tuple[str, str, int, str, str]:
        """A page of the rows.

        Args:
            page: its number from 1 on, the nearest one where there is no such page; None for any.
            per_page: rows on a page.
            *fields: values of the filter, in the order of the fields of the page.

        Returns:
            How many rows there are, as Markdown; cards of the page, as HTML; its number; the filter as Python and as SQL.
        """
        text, cuis, modalities, regions, licenses, splits, commercial = fields
        splits, modalities, regions, licenses, cuis = (
            tuple(chosen or ()) for chosen in (splits, modalities, regions, licenses, cuis)
        )
        filter = Filter(splits, modalities, regions, licenses, bool(commercial), cuis, text or "")
        count = self._collection.count(filter)
        pages = max(1, -(-count // per_page))
        page = random.randint(1, pages) if page is None else min(max(int(page), 1), pages)  # noqa: S311
        rows = self._collection.rows(filter, (page - 1) * per_page, per_page)
        cards = show_cards(rows, self._collection.images(rows))
        images = "image" if count == 1 else "images"
        found = f"**{count:,}** {images} of {sum(self._collection.counts.values()):,} · page {page:,} of {pages:,}"
        return found, cards, page, self._collection.python(filter), self._collection.sql(filter)


def make_page(collection: Collection) -> Any:
    """The page, as `gradio.Blocks`.

    Raises:
        ModuleNotFoundError: gradio is not installed.
    """
    gr = need("gradio")
    explorer = Explorer(collection)

    def show(page: Any, per_page: Any, *fields: Any) -> Any:
        try:
            return explorer.show(page, per_page, *fields)
        except (ValueError, OSError) as error:
            raise gr.Error(str(error), print_exception=False) from error

    def choose(column: str) -> Any:
        choices = collection.values(column)
        label = {"license": "licence"}.get(column, column).capitalize()
        return gr.Dropdown(choices, multiselect=True, label=label, elem_id=column, interactive=True)

    concepts = [(f"{name} · {cui} · {images:,}", cui) for cui, name, images in collection.concepts]
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.Markdown(f"# {TITLE}", elem_id="title")
        with gr.Row(elem_classes="filters"):
            text = gr.Textbox(
                label="Words in the caption",
                placeholder='effusion "pleural space"',
                submit_btn=True,
                elem_id="text",
            )
            cuis = gr.Dropdown(concepts, multiselect=True, label="Concepts: name or CUI", elem_id="concepts")
        with gr.Row(elem_classes="filters"):
            modality, region, license = choose("modality"), choose("region"), choose("license")
            split = gr.Dropdown(list(collection.counts), multiselect=True, label="Split", elem_id="split")
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
            number = gr.Number(1, label="Page", minimum=1, precision=0, elem_id="page", container=False)
            moves = [gr.Button(name, size="sm", elem_id=name.lower()) for name in ("Previous", "Next", "Random")]
        cards = gr.HTML(elem_id="cards")
        with gr.Row(elem_classes="pager"):
            moves += [gr.Button(name, size="sm", elem_id=f"{name.lower()}-below") for name in ("Previous", "Next")]

        filters = [text, cuis, modality, region, license, split, commercial]
        shown = [found, cards, number, python, sql]
        options = {"outputs": shown, "concurrency_limit": 4, "show_progress": "minimal", "api_visibility": "private"}
        changes = [text.submit, *(field.change for field in (*filters[1:], per_page)), page.load]
        gr.on(changes, lambda *values: show(1, *values), [per_page, *filters], trigger_mode="always_last", **options)
        number.submit(show, [number, per_page, *filters], **options)
        steps = {"previous": lambda at: at - 1, "next": lambda at: at + 1, "random": lambda at: None}
        for move in moves:
            name, _, below = move.elem_id.partition("-")
            turn = move.click(
                lambda at, *values, step=steps[name]: show(step(at or 1), *values),
                [number, per_page, *filters],
                **options,
            )
            if below:
                turn.then(None, js=_TO_RESULTS)
    return page


def launch(collection: Collection, host: str | None = None, port: int | None = None) -> Any:
    """Serve the page in threads, at `host` and `port` (None: as the environment says); gives the `gradio.Blocks`."""
    gr = need("gradio")
    middleware = need("starlette.middleware").Middleware
    page = make_page(collection)
    page.launch(
        server_name=host,
        server_port=port,
        quiet=True,
        prevent_thread_lock=True,
        share=False,
        ssr_mode=False,
        footer_links=[],
        theme=gr.themes.Default(**FONTS),
        css=STYLE,
        app_kwargs={"middleware": [middleware(_OnlyFromHere)]},
    )
    return page


def serve(path: str | os.PathLike[str], host: str | None = None, port: int | None = None) -> None:
    """Show the page of a repository until the program is interrupted.

    Raises:
        FileNotFoundError, ConnectionError, ValueError: as `Collection`.
        ModuleNotFoundError: the extra `explore` is not installed.
        OSError: the port is taken.
    """
    require("gradio", "duckdb")
    if port is not None:
        _require_free(host or "127.0.0.1", port)
    collection = Collection(path)
    page = launch(collection, host, port)
    click.echo(f"{page.local_url}  {sum(collection.counts.values()):,} images of {collection.root}. Ctrl-C ends it.")
    try:
        threading.Event().wait()
    finally:
        page.close(verbose=False)


def _require_free(host: str, port: int) -> None:
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise OSError(
            f"cannot listen on {host}, port {port}: {error.strerror or error}. Give another with --port"
        ) from error


@click.command(help="Look through REPOSITORY, a folder or ORG/NAME on the Hub, in a browser.")
@click.argument("repository", default="rocov2")
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Port to listen on.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0: all of this machine."
)
@click.option(
    "--space",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write a Space that shows the dataset ORG/NAME of the Hub into FOLDER, and serve nothing.",
)
def main(repository: str, port: int, host: str, space: Path | None) -> None:
    """Parse, call, tell."""
    if space is not None and not _HUB_NAME.fullmatch(repository):
        raise click.UsageError(f"--space: {repository!r} is no dataset on the Hub, expected ORG/NAME")
    try:
        if space is None:
            serve(repository, host, port)
            return
        write_space(space, repository)
    except OfflineModeIsEnabled as error:
        raise UserError(f"no such folder, and the Hub may not be asked (HF_HUB_OFFLINE is set): {error}") from error
    except (ValueError, ModuleNotFoundError) as error:
        raise UserError(str(error)) from error
    click.echo(f"{space}: put it up with  hf upload ORG/SPACE {space} . --repo-type space")


if __name__ == "__main__":
    run(main)
