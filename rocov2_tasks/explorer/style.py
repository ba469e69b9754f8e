"""CSS and JavaScript of the page, in addition to Gradio's."""

from __future__ import annotations

from typing import Any

THEME: dict[str, Any] = {
    "font": ["system-ui", "sans-serif"],
    "font_mono": ["ui-monospace", "monospace"],
    "colors": {
        "block_info_text_color": "*neutral_500",
        "block_info_text_color_dark": "*neutral_400",
        "input_placeholder_color": "*neutral_500",
        "input_placeholder_color_dark": "*neutral_400",
        "link_text_color_dark": "*secondary_400",
    },
}
"""System fonts, since Gradio's come from another host, and darker colours for texts that are too pale to read."""

STYLE = """\
.gradio-container > .main, .gradio-container .html-container { padding: 0 !important; }
.gradio-container main { padding: .5rem clamp(.6rem, 2.5vw, 2rem) 2rem !important; gap: .7rem !important; }
#title h1 { margin: .3rem 0 0; font-size: 1.3rem; }
#summary p { font-size: .85rem; }
#summary a { margin: 0; padding: 0; }
.filters > .form { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 8.5rem), 1fr)); }
#text, #concepts { min-width: min(100%, 18rem) !important; }
.filters:has(#text) > .form { grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
#text .input-container { align-items: center; padding-right: .3rem; }
#text .input-container { border: 1px solid var(--border-color-primary); border-radius: var(--radius-sm); }
.gradio-container { --ring: 2px solid var(--link-text-color); }
.gradio-container :is(a, button, input):focus-visible { outline: var(--ring) !important; outline-offset: 1px; }
.filters :is(.wrap, .input-container):focus-within { outline: var(--ring); outline-offset: 1px; }
.filters :is(.wrap, .input-container) input:focus-visible { outline: none !important; }
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
.card label:focus-within { outline: var(--ring); outline-offset: -2px; }
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

SCRIPT = """\
function showAddress(query, asStep) {
  if (query === location.search) return;
  history[asStep ? "pushState" : "replaceState"](null, "", location.pathname + query);
}
addEventListener("popstate", () => location.reload());
addEventListener("keydown", event => {
  if (event.key === "Tab") for (const list of document.querySelectorAll("[role=listbox]")) list.tabIndex = -1;
  const large = document.querySelector(".card input:checked");
  if (large && (event.key === "Escape" || event.key === "Tab")) {
    large.checked = false;
    if (event.key === "Escape") large.focus();
  } else if (event.key === "Enter" && event.target.matches(".card input")) {
    event.target.checked = !event.target.checked;
  }
});
"""
"""Handles the Back button; Escape and Tab close an enlarged image, Enter enlarges one, like the space bar. Tab skips lists of
choices, although they scroll: they close when they get the focus, and their field would keep the focus ring."""
