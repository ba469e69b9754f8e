"""Rows with their images as HTML: one card an image, with all that its licence asks to be told."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import Any

STYLE = """\
.gradio-container > .main, .gradio-container .html-container { padding: 0 !important; }
.gradio-container main { padding: .5rem clamp(.6rem, 2.5vw, 2rem) 2rem !important; gap: .7rem !important; }
#title h1 { margin: .3rem 0 0; font-size: 1.3rem; }
.filters > .form { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.5rem), 1fr)); }
#text, #concepts { min-width: min(100%, 18rem) !important; }
.filters:has(#text) > .form { grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
.options, .pager { align-items: center; gap: .5rem; }
.options > *, .pager > * { flex: 0 1 auto !important; min-width: 0 !important; width: auto !important; }
.options > *, .pager > * { margin: 0 !important; }
#found { margin-right: auto !important; }
#page { width: 5rem !important; }
@media (max-width: 30rem) { #found { flex-basis: 100% !important; } }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: .8rem; }
.card { display: flex; flex-direction: column; min-width: 0; overflow: hidden; border-radius: 8px; }
.card { border: 1px solid var(--border-color-primary); background: var(--block-background-fill); }
.card p, .card ul { margin: 0; padding: 0; font-size: .85rem; line-height: 1.45; overflow-wrap: anywhere; }
.card label { display: flex; position: relative; height: 15rem; background: #000; cursor: zoom-in; }
.card img { width: 100%; height: 100%; margin: 0; object-fit: contain; color: #ccc; }
.card input { position: absolute; opacity: 0; }
.card label:focus-within { outline: 2px solid var(--color-accent); outline-offset: -2px; }
.card input:checked + img { position: fixed; inset: 0; z-index: 1000; width: 100vw; height: 100vh; height: 100dvh; }
.card input:checked + img { background: #000; cursor: zoom-out; }
.card .body { display: flex; flex-direction: column; gap: .5rem; padding: .7rem; flex: 1; }
.card .caption { white-space: pre-line; max-height: 13rem; overflow: auto; }
.card ul { display: flex; flex-wrap: wrap; gap: .25rem; list-style: none; }
.card li { padding: .05rem .4rem; border-radius: 4px; background: var(--background-fill-secondary); }
.card li { border: 1px solid var(--border-color-primary); font-size: .78rem; margin: 0; }
.card li small, .card .quiet { opacity: .7; }
.card a { margin: 0; padding: 0; }
.card .source { margin-top: auto; }
.card .quiet { font-size: .75rem; }
.none { padding: 2rem 1rem; text-align: center; }
"""


def _text(value: Any) -> str:
    return escape(str(value).strip())


def _link(url: str, text: str) -> str:
    # What the release calls a link is trusted to be one only when a browser can do no more with it than go there.
    if not url.lower().startswith(("https://", "http://")):
        return _text(text)
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{_text(text)}</a>'


def _card(row: dict[str, Any], image: bytes) -> str:
    concepts = "".join(
        f"<li>{_text(name)}</li>" if name == cui else f"<li>{_text(name)} <small>{_text(cui)}</small></li>"
        for cui, name in zip(row["cuis"], row["concept_names"], strict=True)
    )
    kinds = [row["modality"], row["region"], row["direction"], row["split"], f"{row['width']} × {row['height']}"]
    data = base64.b64encode(image).decode()
    return (
        f'<article class="card" id="{_text(row["image_id"])}">'
        '<label><input type="checkbox" aria-label="enlarge">'
        f'<img src="data:image/jpeg;base64,{data}" alt="{_text(row["image_id"])}"></label>'
        f'<div class="body"><p class="caption" tabindex="0">{_text(row["caption"])}</p><ul>{concepts}</ul>'
        f'<p class="source"><b>{" · ".join(_text(kind) for kind in kinds if kind is not None)}</b></p>'
        f"<p>{_text(row['license'])} · {_text(row['attribution'])} · {_link(row['url'], row['pmcid'])}</p>"
        f'<p class="quiet">{_text(row["image_id"])}</p></div></article>'
    )


def show_cards(rows: Sequence[dict[str, Any]], images: Sequence[bytes]) -> str:
    """HTML of rows as `Collection.rows` gives them and their JPEGs; nothing of them is taken for markup."""
    if not rows:
        return '<p class="none">No image is like that: ask for less.</p>'
    return f'<div class="cards">{"".join(_card(*pair) for pair in zip(rows, images, strict=True))}</div>'
