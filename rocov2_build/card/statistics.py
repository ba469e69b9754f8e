"""The card's statistics: tables of `facts.json`, each group of them with its charts.

The project's front page has those numbers that the release publishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

import rocov2
from rocov2_build.card.contents import Picture
from rocov2_build.card.markdown import escape_markdown
from rocov2_build.card.tables import format_number, format_share, markdown_table
from rocov2_build.facts.articles import UNKNOWN
from rocov2_build.facts.compute import NONE
from rocov2_build.raw.releases import LATEST, RELEASES
from rocov2_shared.sizes import format_count

CHART_WIDTH = 360
"""Pixels: two charts fit side by side on a page of 780 pixels; a telephone shows one below the other."""

_SUMMARY = ("min", "p5", "median", "mean", "p95", "max")


def statistics_block(facts: dict[str, Any], charts: Iterable[Picture] = ()) -> str:
    """Return labels, captions, concepts, pictures and articles, each with a heading and its charts.

    Args:
        facts: content of `facts.json`.
        charts: those of `write_charts`.
    """
    shown = {PurePosixPath(chart.path).stem: chart for chart in charts}
    splits = list(facts["images"])
    groups = [
        ("Modality, region and direction", ("modalities", "regions"), [label_table(facts), _ABOUT_XRAYS]),
        ("Captions and concepts per image", ("captions", "concepts"), [_summary_table(facts, _OF_TEXTS)]),
        (
            "Concepts",
            ("frequencies", "together"),
            [_concepts(facts["concepts"]), _commonest_table(facts["concepts"]["commonest"], splits)],
        ),
        (
            "Pictures and articles",
            ("sizes", "years"),
            [_summary_table(facts, _OF_PICTURES), _modes(facts["modes"]), describe_articles(facts["articles"])],
        ),
    ]
    return "\n\n".join(
        part
        for heading, names, texts in groups
        for part in (f"### {heading}", *texts, _pair([shown[name] for name in names if name in shown]))
        if part
    )


def _pair(charts: list[Picture]) -> str:
    return "\n".join(chart.html(CHART_WIDTH) for chart in charts)


_ABOUT_XRAYS = "Shares of regions and directions are shares of the split's X-rays: only these have such labels."


def label_table(facts: dict[str, Any]) -> str:
    """Return the images by column, label and split; shares of region and direction are of the X-rays."""
    images: dict[str, int] = facts["images"]
    xrays: dict[str, int] = facts["modality"]["X-ray"]
    rows = []
    for name in rocov2.LABELS:
        of, column = (xrays, f"`{name}` of X-rays") if rocov2.COLUMNS[name].nullable else (images, f"`{name}`")
        for value, counts in facts[name].items():
            numbers = _without_label(facts[name], xrays) if value == NONE else counts
            rows.append([column, value, *(format_share(numbers[split], of[split]) for split in images)])
    return markdown_table(["column", "value", *images], rows)


def _without_label(counted: dict[str, dict[str, int]], xrays: dict[str, int]) -> dict[str, int]:
    """Return the number of X-rays without a label; an image of another modality may have one, against the rule."""
    labelled = {split: sum(counts[split] for value, counts in counted.items() if value != NONE) for split in xrays}
    return {split: max(count - labelled[split], 0) for split, count in xrays.items()}


_OF_TEXTS = {
    "words of a caption": ("captions", "words", "all"),
    "characters of a caption": ("captions", "characters", "all"),
    "concepts of an image": ("concepts", "per_image", "all"),
    "of them curated": ("concepts", "curated_per_image", "all"),
}
_OF_PICTURES = {
    "width in pixels": ("sizes", "width", "all"),
    "height in pixels": ("sizes", "height", "all"),
    "images of an article": ("articles", "images_per_article"),
}


def _summary_table(facts: dict[str, Any], places: Mapping[str, tuple[str, ...]]) -> str:
    rows = []
    for what, keys in places.items():
        summary: Any = facts
        for key in keys:
            summary = summary[key]
        rows.append([what, *(format_number(summary[name]) for name in _SUMMARY)])
    return markdown_table(["", "least", "5 % at most", "median", "mean", "95 % at most", "most"], rows)


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
            *(format_number(concept[split]) for split in splits),
        ]
        for concept in commonest
        if concept["kind"] == "concept"
    ]
    if not rows:
        return ""
    about = (
        f"The commonest concepts besides modalities, regions and directions, of the {len(commonest)} commonest of all:"
    )
    return f"{about}\n\n{markdown_table(['concept', *splits], rows)}"


def _modes(modes: dict[str, int]) -> str:
    return "Modes of the JPEGs: " + ", ".join(f"{mode} {count:,}" for mode, count in modes.items()) + "."


def describe_articles(articles: dict[str, Any]) -> str:
    """Return how many articles there are, with how many images, and of which years.

    Args:
        articles: section of `facts.json`.
    """
    counts: dict[str, int] = articles["articles"]
    by_images: list[int] = articles["histogram"]["articles"]
    parts = ", ".join(f"{count:,} in {split}" for split, count in counts.items() if split != "all")
    most = articles["histogram"]["from"][-1]
    text = (
        f"The images come from {format_count(counts['all'], 'article')} ({parts}); {_have(by_images[0], 'of these ')} one "
        f"image here, {_have(by_images[-1])} {most} or more."
    )
    return f"{text} {_years(articles['years'])} The release does not name the journals; `pmcid` leads to them."


def _have(count: int, of: str = "") -> str:
    return f"{count:,} {of}{'has' if count == 1 else 'have'}"


def _years(years: dict[str, dict[str, int]]) -> str:
    """Return the range of the years, and the one from which on half of the images are."""
    totals = {year: sum(counts.values()) for year, counts in years.items()}
    unknown = totals.pop(UNKNOWN, 0)
    if not totals:
        return "No attribution names a year."
    known, seen, middle = sum(totals.values()), 0, ""
    for middle in reversed(totals):
        seen += totals[middle]
        if 2 * seen >= known:
            break
    rest = f" ({format_count(unknown, 'image')} without a year)" if unknown else ""
    if len(totals) == 1:
        return f"By the year in `attribution` all are of {middle}{rest}."
    return (
        f"By the year in `attribution` they are of {min(totals)} to {max(totals)}, and half of the images are of {middle} or "
        f"later{rest}."
    )


def published_statistics() -> str:
    """Return the numbers that the latest release publishes: labels in train, and concepts."""
    release = RELEASES[LATEST]
    images, manual = release.images["train"], release.train_manual or {}
    xrays = manual[str(rocov2.MODALITIES["X-ray"])]
    labels = []
    for name, values in rocov2.LABELS.items():
        if all((cui or "") in manual for cui in values.values()):  # a column may be younger than the release
            of, column = (xrays, f"`{name}` of X-rays") if rocov2.COLUMNS[name].nullable else (images, f"`{name}`")
            shares = (f"{label} {format_share(manual[cui or ''], of)}" for label, cui in values.items())
            labels.append([column, ", ".join(shares)])
    concepts = ", ".join(
        f"{count / release.images[split]:.2f} in {split} ({format_number(count)} in all)"
        for split, count in (release.concepts or {}).items()
    )
    return "\n\n".join(
        [
            f"These are the published numbers of release {release.name}. A built repository has its own in its card and "
            "in `facts.json`, for all splits, licences, captions and sizes.",
            markdown_table(["column", "images in train"], labels),
            f"Concepts per image, on average: {concepts}.",
        ]
    )
