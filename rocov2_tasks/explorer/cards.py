"""Rows as HTML: one card for each image, with the attribution that its licence requires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import zip_longest
from typing import Any

from rocov2_shared.sizes import format_count

_NOTHING = "—"
"""Shown in place of a value that is missing, as in a damaged file."""

_LONG = 260
"""Characters of a caption that a card shows without a link to all of it."""


@dataclass(frozen=True)
class Links:
    """The addresses that the HTML of rows leads to.

    Attributes:
        picture: of a row's JPEG.
        enlarge: of the view with the row at a position, starting at 1.
        concept: of the rows with a concept, too; None if it is not a choice, or is chosen.
        article: of the images of an article; None without other images.
    """

    picture: Callable[[dict[str, Any]], str]
    enlarge: Callable[[int], str]
    concept: Callable[[Any], str | None]
    article: Callable[[Any], tuple[str, int] | None]


def show_text(value: Any) -> str:
    """Return a value as HTML, in which it is nothing but text."""
    return escape(_NOTHING if value is None else str(value).strip())


def show_link(url: str | None, text: Any) -> str:
    """Return a link to another site; only its text if the address is not one of the web."""
    # Links of the release are not trusted: only http(s) is a link, since other schemes can run code in the browser.
    if not url or not url.lower().startswith(("https://", "http://")):
        return show_text(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{show_text(text)}</a>'


def show_size(row: dict[str, Any]) -> str:
    """Return the size of a picture, after a dot; empty if the page has to find it out."""
    if "width" not in row:
        return ""
    width, height = (_NOTHING if row[side] is None else str(row[side]) for side in ("width", "height"))
    return f" · {width} × {height}"


def show_concepts(row: dict[str, Any], links: Links) -> str:
    """Return the concepts of a row as items of a list, each a link to the rows that have it, too."""
    # Lists of different lengths are damage, and every concept is shown nevertheless.
    pairs = zip_longest(row["cuis"] or (), row["concept_names"] or (), fillvalue=_NOTHING)
    items = []
    for cui, name in pairs:
        text = show_text(name) if name == cui else f"{show_text(name)} <small>{show_text(cui)}</small>"
        address = links.concept(cui)
        items.append(f'<li><a href="{escape(address)}">{text}</a></li>' if address else f"<li>{text}</li>")
    return f'<ul class="concepts" aria-label="concepts">{"".join(items)}</ul>'


def show_article(row: dict[str, Any], links: Links) -> str:
    """Return the link to the other images of a row's article; empty without any."""
    found = links.article(row["pmcid"])
    if not found:
        return ""
    address, others = found
    return f'<a href="{escape(address)}">{format_count(others, "other image")} of this article</a>'


def show_picture(row: dict[str, Any], links: Links, lazily: bool = True) -> str:
    """Return the picture of a row; its text is what a screen reader says."""
    named = ", ".join(show_text(row[name]) for name in ("modality", "region", "image_id") if row[name] is not None)
    loading = ' loading="lazy"' if lazily else ""
    return f'<img src="{escape(links.picture(row))}" alt="{named}"{loading}>'


def show_kinds(row: dict[str, Any]) -> str:
    """Return modality, region, direction, split and size of a row, as far as it has them."""
    kinds = [show_text(row[name]) for name in ("modality", "region", "direction", "split") if row[name] is not None]
    return f'{" · ".join(kinds)}<span class="size">{show_size(row)}</span>'


def _show_card(row: dict[str, Any], position: int, links: Links) -> str:
    enlarge, image_id = escape(links.enlarge(position)), show_text(row["image_id"])
    whole = len(row["caption"] or "") > _LONG
    more = f'<p><a href="{enlarge}" aria-label="whole caption of {image_id}">whole caption</a></p>' if whole else ""
    article = show_article(row, links)
    return (
        f'<article class="card" data-image="{image_id}" aria-label="{image_id}">'
        f'<a class="picture" id="image-{position}" href="{enlarge}" aria-label="enlarge {image_id}">'
        f"{show_picture(row, links)}</a>"
        f'<div class="body"><p class="caption">{show_text(row["caption"])}</p>{more}{show_concepts(row, links)}'
        f'<p class="source"><b>{show_kinds(row)}</b></p>'
        f"<p>{show_text(row['license'])} · {show_text(row['attribution'])} · {show_link(row['url'], row['pmcid'])}</p>"
        f'<p class="quiet">{image_id}{" · " if article else ""}{article}</p></div></article>'
    )


def show_cards(rows: Sequence[dict[str, Any]], first: int, links: Links) -> str:
    """Return the HTML of rows of `Collection.rows`; all texts are escaped.

    Args:
        rows: the rows.
        first: position of the first one, starting at 1.
        links: where their parts lead to.
    """
    if not rows:
        return '<p class="none">No image matches this filter: remove a part of it.</p>'
    return "".join(_show_card(row, first + number, links) for number, row in enumerate(rows))


def show_row(row: dict[str, Any], position: int, count: int, links: Links, close: str) -> str:
    """Return the HTML of an enlarged image, with all that its row says.

    Args:
        row: a row of `Collection.rows`.
        position: its position among the rows of the filter, starting at 1.
        count: number of rows of the filter.
        links: where its parts lead to.
        close: address of the view without it.
    """
    moves = (("Previous", "prev", position - 1, "←"), ("Next", "next", position + 1, "→"))
    buttons = [
        f'<a class="button" id="view-{rel}" rel="{rel}" href="{escape(links.enlarge(to))}" '
        f'title="{name} image: {key}">{name}</a>'
        if 1 <= to <= count
        else f'<span class="button" aria-disabled="true">{name}</span>'
        for name, rel, to, key in moves
    ]
    facts = {
        "Labels": show_kinds(row),
        "Licence": show_text(row["license"]),
        "Attribution": show_text(row["attribution"]),
        "Article": show_link(row["url"], row["pmcid"]),
        "More": show_article(row, links),
    }
    items = "".join(f"<dt>{name}</dt><dd>{fact}</dd>" for name, fact in facts.items() if fact)
    picture = escape(links.picture(row))
    return (
        f'<div class="bar"><h2 id="view-title">{show_text(row["image_id"])}</h2>'
        f'<span class="quiet">{position:,} of {count:,}</span>{"".join(buttons)}'
        f'<a class="button" id="view-close" href="{escape(close)}" title="Close: Escape">Close</a></div>'
        f'<div class="enlarged"><a class="picture" href="{picture}" target="_blank" '
        f'aria-label="open the picture alone">{show_picture(row, links, lazily=False)}</a>'
        f'<div class="body"><p class="caption">{show_text(row["caption"])}</p>{show_concepts(row, links)}'
        f"<dl>{items}</dl></div></div>"
    )
