"""The page as HTML: the form of filters, what they find, and an enlarged image.

Elements with `data-part` are those that differ between two addresses: the script replaces them instead of the page.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import quote

import rocov2
from rocov2_shared.sizes import format_count
from rocov2_tasks.explorer.address import IMAGES, PAGE, PER_PAGE, View, filter_query, link_to, write_address
from rocov2_tasks.explorer.cards import Links, show_cards, show_row
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from rocov2_tasks.explorer.form import show_form
from rocov2_tasks.explorer.searching import Explorer, Found

TITLE = "ROCOv2 explorer"


def summary_line(collection: Collection) -> str:
    """Return one line of HTML about the dataset: its name, counts, links, and that it is not for diagnosis."""
    splits = ", ".join(f"{split} {count:,}" for split, count in collection.counts.items())
    name = escape(collection.name)
    if collection.url:
        name = f'<a href="{escape(collection.url)}" target="_blank" rel="noopener noreferrer">{name}</a>'
    article = f'<a href="{rocov2.HOMEPAGE}" target="_blank" rel="noopener noreferrer">about ROCOv2</a>'
    total = f"{format_count(sum(collection.counts.values()), 'image')} ({splits})"
    return f"<p>{name} · {total} · {article} · for research, not for diagnosis</p>"


def _make_links(explorer: Explorer, found: Found) -> Links:
    view, filter = found.view, found.view.filter
    version = quote(explorer.collection.identity[:8])

    def concept(cui: Any) -> str | None:
        if cui not in explorer.names or cui in filter.cuis:
            return None
        return link_to(View(replace(filter, cuis=(*filter.cuis, cui)), per_page=view.per_page))

    def article(pmcid: Any) -> tuple[str, int] | None:
        others = found.articles.get(pmcid, 0) - 1
        of_article = View(Filter(text=str(pmcid), config=filter.config), per_page=view.per_page)
        return (link_to(of_article), others) if others > 0 else None

    return Links(
        picture=lambda row: f"image/{filter.config}/{row['split']}/{row['row']}.jpg?v={version}",
        enlarge=lambda position: link_to(view.enlarge(position)),
        concept=concept,
        article=article,
    )


def _show_pager(found: Found, below: bool) -> str:
    """Return the links to other pages; above the images also those to any page, and to the ids."""
    view, end = found.view, "-below" if below else ""
    moves = {"Previous": ("prev", view.page - 1), "Next": ("next", view.page + 1)}
    links = [
        f'<a class="button" id="{name.lower()}{end}" rel="{rel}" href="{escape(link_to(replace(view, page=page, row=0)))}">'
        f"{name}</a>"
        if 1 <= page <= found.pages
        else f'<span class="button" id="{name.lower()}{end}" aria-disabled="true">{name}</span>'
        for name, (rel, page) in moves.items()
    ]
    if below:
        return "".join(links)
    query = filter_query(view.filter)
    query += [(IMAGES, str(view.per_page))] if view.per_page != PER_PAGE[0] else []
    hidden = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in query)
    random = escape(link_to(replace(view, page=1, row=0), "random"))
    ids = escape(link_to(View(view.filter), "ids.csv"))
    return (
        f'<form id="jump" action="./" method="get">{hidden}<label for="page">Page</label><input type="number" id="page" '
        f'name="{PAGE}" value="{view.page}" step="1" inputmode="numeric"></form>{"".join(links)}'
        f'<a class="button" id="random" href="{random}" title="Any page of what was found">Random</a>'
        f'<a class="button" id="csv" href="{ids}" download="rocov2-ids.csv" title="Image ids and splits of all images found">'
        "Ids as CSV</a>"
    )


def _show_code(found: Found) -> str:
    parts = (("python", "Python (datasets)", found.python), ("sql", "SQL (DuckDB)", found.sql))
    return "".join(
        f'<div class="bar"><h2>{title}</h2><button type="button" class="copy" data-copies="{id}" '
        f'aria-label="Copy {title}">Copy</button></div><pre id="{id}" tabindex="0" aria-label="{title}">{escape(code)}</pre>'
        for id, title, code in parts
    )


def _show_enlarged(found: Found, links: Links) -> str:
    view = found.view
    if not view.row:
        return ""
    row = found.rows[view.row - found.first]
    return show_row(row, view.row, found.count, links, link_to(view.enlarge(0)))


def show_page(explorer: Explorer, found: Found) -> str:
    """Return the whole page."""
    links, collection = _make_links(explorer, found), explorer.collection
    images = "image" if found.count == 1 else "images"
    total = collection.configs[found.view.filter.config]
    enlarged = _show_enlarged(found, links)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f'<title>{TITLE}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="style.css">'
        '<script src="script.js"></script></head><body>'
        '<a class="skip" href="#results">Skip to the images</a>'
        f'<header><h1 id="title">{TITLE}</h1><div id="summary">{summary_line(collection)}</div></header>'
        f'<div class="layout">{show_form(explorer, found)}<main id="results" tabindex="-1">'
        f'<div id="warning" role="alert" data-part>{escape(found.warning)}</div>'
        f'<div class="bar"><p id="found" role="status" data-part><b>{found.count:,}</b> {images} of {total:,} · '
        f"page {found.view.page:,} of {found.pages:,}</p>"
        f'<nav class="pager" id="pager" aria-label="Pages" data-part>{_show_pager(found, below=False)}</nav></div>'
        '<details id="code"><summary>This filter as code</summary>'
        f'<div id="code-text" data-part>{_show_code(found)}</div></details>'
        f'<div class="cards" id="cards" data-part data-address="{escape(write_address(found.view))}">'
        f"{show_cards(found.rows, found.first, links)}</div>"
        f'<nav class="pager" id="pager-below" aria-label="Pages, below" data-part>{_show_pager(found, below=True)}</nav>'
        "</main></div>"
        f'<dialog id="view" aria-labelledby="view-title" data-part{" open" if enlarged else ""}>{enlarged}</dialog>'
        "</body></html>\n"
    )
