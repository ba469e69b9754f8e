"""Rows with their images as HTML: one card per image, with the attribution that its licence requires."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from itertools import zip_longest
from typing import Any

_NOTHING = "—"
"""Shown in place of a value that is missing, as in a damaged file."""


def _text(value: Any) -> str:
    return escape(_NOTHING if value is None else str(value).strip())


def _link(url: str | None, text: Any) -> str:
    # Links of the release are not trusted: only http(s) is a link, since other schemes can run code in the browser.
    if not url or not url.lower().startswith(("https://", "http://")):
        return _text(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{_text(text)}</a>'


def _size(row: dict[str, Any]) -> str:
    width, height = (_NOTHING if row[side] is None else row[side] for side in ("width", "height"))
    return f"{width} × {height}"


def _card(row: dict[str, Any], image: bytes) -> str:
    # Lists of different lengths are damage, and every concept is shown nevertheless.
    pairs = zip_longest(row["cuis"] or (), row["concept_names"] or (), fillvalue=_NOTHING)
    concepts = "".join(
        f"<li>{_text(name)}</li>" if name == cui else f"<li>{_text(name)} <small>{_text(cui)}</small></li>"
        for cui, name in pairs
    )
    kinds = [row["modality"], row["region"], row["direction"], row["split"], _size(row)]
    shown = ", ".join(_text(kind) for kind in (row["modality"], row["region"], row["image_id"]) if kind is not None)
    data = base64.b64encode(image).decode()
    return (
        f'<article class="card" id="{_text(row["image_id"])}">'
        f'<label><input type="checkbox" aria-label="enlarge {_text(row["image_id"])}">'
        f'<img src="data:image/jpeg;base64,{data}" alt="{shown}"></label>'
        f'<div class="body"><p class="caption">{_text(row["caption"])}</p><ul>{concepts}</ul>'
        f'<p class="source"><b>{" · ".join(_text(kind) for kind in kinds if kind is not None)}</b></p>'
        f"<p>{_text(row['license'])} · {_text(row['attribution'])} · {_link(row['url'], row['pmcid'])}</p>"
        f'<p class="quiet">{_text(row["image_id"])}</p></div></article>'
    )


def show_cards(rows: Sequence[dict[str, Any]], images: Sequence[bytes]) -> str:
    """Return the HTML of rows of `Collection.rows` and their JPEGs; all texts are escaped."""
    if not rows:
        return '<p class="none">No image matches this filter: remove a part of it.</p>'
    return f'<div class="cards">{"".join(_card(*pair) for pair in zip(rows, images, strict=True))}</div>'
