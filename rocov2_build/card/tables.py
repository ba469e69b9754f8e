"""The card's numbers as Markdown: what the images are like, and what they share.

They come from `facts.json`; the project's front page has those that the release publishes.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import rocov2
from rocov2_build.card.markdown import escape_markdown
from rocov2_build.facts.overlaps import pair_name
from rocov2_build.raw.releases import LATEST, RELEASES

NOT_COMPUTED = "not computed"
"""Shown for near-duplicates if the images were not decoded."""

_SUMMARY = ("min", "p5", "median", "mean", "p95", "max")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    return f"{value:,}"


def statistics_block(facts: dict[str, Any]) -> str:
    """Return labels, licences, captions, concepts and sizes.

    Args:
        facts: content of `facts.json`.
    """
    splits = list(facts["images"])
    counted = {name: facts[name] for name in (*rocov2.LABELS, "license")}
    return "\n\n".join(
        filter(
            None,
            [
                _label_table(counted, facts["images"]),
                _summary_table(facts),
                _concepts(facts["concepts"]),
                _commonest_table(facts["concepts"]["commonest"], splits),
                "Modes of the JPEGs: " + ", ".join(f"{mode} {count:,}" for mode, count in facts["modes"].items()) + ".",
            ],
        )
    )


def _label_table(counted: dict[str, dict[str, dict[str, int]]], images: dict[str, int]) -> str:
    """Return the images by column, value and split, with their share of the split."""
    rows = [
        [f"`{name}`", escape_markdown(value), *(_share(counts[split], images[split]) for split in images)]
        for name, values in counted.items()
        for value, counts in values.items()
    ]
    return _table(["column", "value", *images], rows)


def _share(count: int, of: int) -> str:
    return f"{count:,} ({100 * count / of:.1f} %)" if count else "0"


def _summary_table(facts: dict[str, Any]) -> str:
    summaries = {
        "words of a caption": facts["captions"]["words"]["all"],
        "characters of a caption": facts["captions"]["characters"]["all"],
        "concepts of an image": facts["concepts"]["per_image"]["all"],
        "of them curated": facts["concepts"]["curated_per_image"]["all"],
        "width in pixels": facts["sizes"]["width"]["all"],
        "height in pixels": facts["sizes"]["height"]["all"],
        "images of an article": facts["articles"]["images_per_article"],
    }
    rows = [[what, *(_number(summary[name]) for name in _SUMMARY)] for what, summary in summaries.items()]
    return _table(["", "least", "5 % at most", "median", "mean", "95 % at most", "most"], rows)


def _concepts(concepts: dict[str, Any]) -> str:
    rare = ", ".join(f"{count:,} in at most {most}" for most, count in concepts["in_at_most"].items())
    unseen = "".join(
        f" {count:,} of those in {split} do not occur in train." for split, count in concepts["not_in_train"].items()
    )
    return (
        f"{concepts['used']['all']:,} different concepts occur; counted by the images that have them, {rare}. "
        f"{concepts['used_without_name']:,} have no name in the release.{unseen}"
    )


def _commonest_table(commonest: list[dict[str, Any]], splits: list[str]) -> str:
    """Return the commonest concepts that are not labels (the table of labels has those)."""
    rows = [
        [
            escape_markdown(f"{concept['name'] or concept['cui']} ({concept['cui']})"),
            *(_number(concept[split]) for split in splits),
        ]
        for concept in commonest
        if concept["kind"] == "concept"
    ]
    return _table(["common concept", *splits], rows) if rows else ""


def published_statistics() -> str:
    """Return the numbers that the latest release publishes: labels in train, and concepts."""
    release = RELEASES[LATEST]
    images, manual = release.images["train"], release.train_manual or {}
    labels = [
        [f"`{name}`", ", ".join(f"{label} {_share(manual[cui or ''], images)}" for label, cui in values.items())]
        for name, values in rocov2.LABELS.items()
        if all((cui or "") in manual for cui in values.values())  # a column may be younger than the release
    ]
    concepts = ", ".join(
        f"{count / release.images[split]:.2f} in {split} ({_number(count)} in all)"
        for split, count in (release.concepts or {}).items()
    )
    return "\n\n".join(
        [
            f"These are the published numbers of release {release.name}. A built repository has its own in its card and "
            "in `facts.json`, for all splits, licences, captions and sizes.",
            _table(["column", "images in train"], labels),
            f"Concepts per image, on average: {concepts}.",
        ]
    )


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
    return f"{_table(head, rows)}\n\n{_about_near(near)}"


def _images(relation: dict[str, Any] | None, one: str, other: str) -> str:
    """Return how many images of one split share something with images of the other."""
    if relation is None:
        return NOT_COMPUTED
    if one == other:
        return _number(relation["within"][one]["images"])
    across = relation["across"].get(pair_name(one, other)) or relation["across"][pair_name(other, one)]
    return _number(across["images"][one])


def _about_near(near: dict[str, Any] | None) -> str:
    if near is None:
        return "Images that look alike were not computed, since this repository was built without decoding the images."
    return (
        f"Images look alike when their perceptual hashes differ in at most {near['distance']} of {near['bits']} bits and "
        f"their bytes differ: the same figure in another size or quality, but also neighbouring slices of one scan. They are "
        f"candidates; nobody has reviewed them. Images without structure are left out ({near['flat']:,}). `facts.json` lists "
        "the groups."
    )
