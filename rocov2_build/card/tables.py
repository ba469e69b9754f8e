"""Tables of the card: what images share, and how far the head of a split differs from the whole."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from rocov2_build.card.markdown import escape_markdown
from rocov2_build.facts.overlaps import pair_name

NOT_COMPUTED = "not computed"
"""Shown for near-duplicates if the images were not decoded."""


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table as Markdown; the cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_number(value: float) -> str:
    """Return a number with commas between its thousands."""
    return f"{value:,}"


def format_share(count: int, of: int) -> str:
    """Return a number with its share of `of`; a share of nothing is left out.

    >>> format_share(20_459, 59_958)
    '20,459 (34.1 %)'
    """
    return f"{count:,} ({100 * count / of:.1f} %)" if count and of else f"{count:,}"


def overlap_block(facts: dict[str, Any]) -> str:
    """Return how many images share their article, bytes, look or caption with others, within and across splits.

    Args:
        facts: content of `facts.json`.
    """
    exact, near = facts["duplicates"]["exact"], facts["duplicates"]["near"]
    relations = [facts["articles"]["shared"], exact, near, facts["captions"]["repeated"]]
    splits = list(facts["images"])
    rows = [
        [f"{split} with others of {split}", *(_images(relation, split, split) for relation in relations)]
        for split in splits
    ] + [
        [f"{one} with some of {other}", *(_images(relation, one, other) for relation in relations)]
        for one, other in permutations(splits, 2)
    ]
    head = ["images of ...", "the same article", "the same bytes", "look alike (candidates)", "the same caption"]
    return f"{markdown_table(head, rows)}\n\n{_about_near(near)}"


def _images(relation: dict[str, Any] | None, one: str, other: str) -> str:
    """Return how many images of one split share something with images of the other."""
    if relation is None:
        return NOT_COMPUTED
    if one == other:
        return format_number(relation["within"][one]["images"])
    across = relation["across"].get(pair_name(one, other)) or relation["across"][pair_name(other, one)]
    return format_number(across["images"][one])


def _about_near(near: dict[str, Any] | None) -> str:
    if near is None:
        return "Images that look alike were not computed, since this repository was built without decoding the images."
    return (
        f"Images look alike when their perceptual hashes differ in at most {near['distance']} of {near['bits']} bits and "
        f"their bytes differ: the same figure in another size or quality, but also neighbouring slices of one scan. They are "
        f"candidates; nobody has reviewed them. Images without structure are left out ({near['flat']:,}). `facts.json` lists "
        "the groups."
    )


def head_table(facts: dict[str, Any]) -> str:
    """Return how the first tenth of each split differs from the whole, by the value whose share differs most.

    Args:
        facts: content of `facts.json`.
    """
    rows = [
        [
            split,
            f"{head['rows']:,}",
            *(_compared(head[column]) for column in ("license", "modality")),
            _compared(head["article_in_other_split"]),
        ]
        for split, head in facts["head"].items()
    ]
    return markdown_table(["first tenth of", "rows", "licence", "modality", "article in another split"], rows)


def _compared(shares: dict[str, Any]) -> str:
    value, head, split = shares["value"], shares["head"], shares["split"]
    if isinstance(value, bool):  # the share of the true ones, whichever was compared
        value, head, split = "", *((head, split) if value else (1 - head, 1 - split))
    return f"{escape_markdown(value)} {100 * head:.1f} % instead of {100 * split:.1f} %".lstrip()
