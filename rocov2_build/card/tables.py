"""The card's numbers as Markdown: what the images are like, and what they share. From `facts.json` or, before anything is
built, from what the release publishes.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import rocov2
from rocov2_build.facts.overlaps import pair_name
from rocov2_build.raw.releases import LATEST, RELEASES

NOT_COMPUTED = "not computed"
"""Of looks, when the images were not decoded."""

_SUMMARY = ("min", "p5", "median", "mean", "p95", "max")


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _number(value: float) -> str:
    return f"{value:,}"


def statistics_block(facts: dict[str, Any] | None) -> str:
    """Labels, licences, captions, concepts and sizes.

    Args:
        facts: content of `facts.json`; None for what is published of the latest release.
    """
    if facts is None:
        return _published()
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
    """Images by column, value and split, with their share of the split."""
    rows = [
        [f"`{name}`", value, *(_share(counts[split], images[split]) for split in images)]
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
    """The commonest concepts that are no labels; these are in the table of labels."""
    rows = [
        [f"{concept['name'] or concept['cui']} ({concept['cui']})", *(_number(concept[split]) for split in splits)]
        for concept in commonest
        if concept["kind"] == "concept"
    ]
    return _table(["common concept", *splits], rows) if rows else ""


def _published() -> str:
    release = RELEASES[LATEST]
    manual = release.train_manual or {}
    counted = {
        name: {label: {"train": manual[cui or ""]} for label, cui in labels.items()}
        for name, labels in rocov2.LABELS.items()
    }
    concepts = [
        [split, _number(release.images[split]), _number(count), f"{count / release.images[split]:.2f}"]
        for split, count in (release.concepts or {}).items()
    ]
    return "\n\n".join(
        [
            f"Of release {release.name} this is known before it is built; a built repository states here the numbers of all "
            "splits, of licences, captions and sizes too, and has them in `facts.json`.",
            _label_table(counted, {"train": release.images["train"]}),
            _table(["split", "images", "concepts", "concepts of an image, mean"], concepts),
        ]
    )


def overlap_block(facts: dict[str, Any] | None) -> str:
    """How many images share an article, their bytes, their looks or a caption with others, within and across splits.

    Args:
        facts: content of `facts.json`; None when nothing is built.
    """
    if facts is None:
        return (
            "A built repository states here how many images have others of the same article, with the same bytes, with the "
            "same caption, or that look alike, within and across its splits."
        )
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
    """Images of one split that share something with images of the other."""
    if relation is None:
        return NOT_COMPUTED
    if one == other:
        return _number(relation["within"][one]["images"])
    across = relation["across"].get(pair_name(one, other)) or relation["across"][pair_name(other, one)]
    return _number(across["images"][one])


def _about_near(near: dict[str, Any] | None) -> str:
    if near is None:
        return "Which images look alike was not computed, since they were not decoded when this repository was built."
    return (
        f"Images look alike when their perceptual hashes differ in at most {near['distance']} of {near['bits']} bits and "
        f"their bytes differ too: the same figure in another size or quality, but also neighbouring slices of one scan. They "
        f"are candidates; nobody has looked at them. {near['flat']:,} images without structure are left out. The groups are "
        "listed in `facts.json`."
    )
