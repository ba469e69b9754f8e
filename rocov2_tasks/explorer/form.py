"""The form of filters as HTML: fields with their choices, and how many images each choice would show."""

from __future__ import annotations

from html import escape

import rocov2
from rocov2_tasks.explorer.address import IMAGES, NAMES, PER_PAGE, View, link_to
from rocov2_tasks.explorer.cards import show_text
from rocov2_tasks.explorer.filters import MOST_LETTERS, Filter
from rocov2_tasks.explorer.searching import Explorer, Found

TEXT_HINT = 'whole words, all of them; "in quotes" a phrase; pet* parts; an image id, PMCID or CUI finds its images'

_LABELS = {
    "modalities": "Modality",
    "regions": "Region",
    "directions": "Direction",
    "licenses": "Licence",
    "splits": "Split",
}
"""Field of a filter with a box for each choice -> its label on the page."""


def _count(id: str, count: int) -> str:
    return f'<span class="count" id="{id}" data-part>{count:,}<span class="unseen"> images</span></span>'


def _show_choices(field: str, label: str, explorer: Explorer, found: Found) -> str:
    """Return a field with a box for each choice."""
    name = NAMES[field]
    boxes = [
        f'<label><input type="checkbox" name="{name}" value="{escape(choice)}" id="{name}-{number}"'
        f"{' checked' if choice in getattr(found.view.filter, field) else ''}> <span>{show_text(choice)}</span> "
        f"{_count(f'{name}-count-{number}', found.counts[field][choice])}</label>"
        for number, choice in enumerate(explorer.collection.choices[field])
    ]
    content = "".join(boxes) or '<p class="quiet">none in this repository</p>'
    return f'<fieldset id="{name}"><legend>{label}</legend>{content}</fieldset>'


def _show_concepts(explorer: Explorer, found: Found) -> str:
    """Return the field of concepts: a box to type in, a list that is offered, and those that are chosen."""
    chosen = "".join(
        f'<label class="chip"><input type="checkbox" name="concept" value="{cui}" id="concept-{cui}" checked> '
        f"<span>{show_text(explorer.names[cui])} <small>{cui}</small></span></label>"
        for cui in found.view.filter.cuis
    )
    field = (
        '<input id="concept-input" type="text" role="combobox" aria-expanded="false" aria-controls="offered" '
        'aria-autocomplete="list" autocomplete="off" spellcheck="false" placeholder="lung, C0040405" '
        'aria-label="Concepts: name or CUI"><ul id="offered" role="listbox" aria-label="Concepts" hidden></ul>'
    )
    if not explorer.names:
        field = '<p class="quiet">none in this repository</p>'
    return (
        f'<fieldset id="concepts"><legend>Concepts</legend>{field}<div id="chosen" data-part>{chosen}</div></fieldset>'
    )


def _show_select(name: str, label: str, options: dict[str, str], chosen: str) -> str:
    """Return a list of which one is chosen; a default option has no value, so that no address has it."""
    default = next(iter(options))
    shown = "".join(
        f'<option value="{"" if value == default else escape(value)}"{" selected" if value == chosen else ""}>'
        f"{show_text(text)}</option>"
        for value, text in options.items()
    )
    return (
        f'<p class="select"><label for="{name}">{label}</label><select id="{name}" name="{name}">{shown}</select></p>'
    )


def show_form(explorer: Explorer, found: Found) -> str:
    """Return the form; what it sends is an address that `read_address` reads."""
    view, collection = found.view, explorer.collection
    configs = {name: f"{name}: {rows:,} images" for name, rows in collection.configs.items()}
    sizes = {str(size): str(size) for size in PER_PAGE}
    summary = rocov2.CONFIGS[view.filter.config].summary
    fields = "".join(_show_choices(field, label, explorer, found) for field, label in _LABELS.items())
    checked = " checked" if view.filter.commercial else ""
    commercial = (
        f'<fieldset><legend>Use</legend><label><input type="checkbox" name="commercial" value="1" id="commercial"{checked}> '
        f"<span>Commercial use allowed</span> {_count('commercial-count', found.counts['commercial'][''])}</label></fieldset>"
    )
    clear = link_to(View(Filter(), per_page=view.per_page))
    return (
        '<form id="filters" action="./" method="get" role="search" aria-label="Filters">'
        '<div class="text"><label for="text">Words in the caption</label><span class="field">'
        f'<input type="search" id="text" name="text" value="{escape(view.filter.text)}" maxlength="{MOST_LETTERS}" '
        'placeholder="pleural effusion" aria-describedby="text-hint" enterkeyhint="search">'
        '<button id="search">Search</button></span>'
        f'<span class="quiet" id="text-hint">{escape(TEXT_HINT)}</span></div>'
        '<details id="more" open><summary>Filters</summary>'
        f'<a class="button" id="clear" href="{escape(clear)}">Clear all</a>'
        f"{_show_concepts(explorer, found)}{fields}{commercial}"
        f"{_show_select(NAMES['config'], 'Configuration', configs, view.filter.config)}"
        f'<p class="quiet" id="summary-of-config" data-part>{show_text(summary)}</p>'
        f"{_show_select(IMAGES, 'Images on a page', sizes, str(view.per_page))}"
        "</details></form>"
    )
