"""The articles of a repository: how many, of which years, and how many images each has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from rocov2_build.facts.columns import Columns, Numbers, summarize
from rocov2_build.facts.overlaps import count_shared

UNKNOWN = "unknown"
"""The key of images whose attribution ends in no year."""

_YEAR = r"\((?P<year>(?:19|20)[0-9]{2})[a-z]?\)\s*$"
"""The year of an attribution, as in `Al Mulhim et al. (2022)`."""
_MOST_IMAGES = 10
"""Numbers of images that are counted one by one; the last means this many or more."""


def count_articles(columns: Columns) -> dict[str, Any]:
    """Count the articles, their images and their years."""
    codes, known = columns.read_codes("pmcid")
    counts = columns.count(codes, len(known))
    elsewhere = columns.read("article_in_other_split")
    return {
        "articles": {**columns.by_split((counts > 0).sum(axis=0)), "all": len(known)},
        "images_per_article": summarize(counts.sum(axis=1)),
        "histogram": _count_by_images(counts.sum(axis=1)),
        "years": _count_years(columns),
        # Of the whole release; the other numbers count the rows of this repository.
        "in_other_split": {
            split: elsewhere.slice(rows.start, rows.stop - rows.start).true_count
            for split, rows in columns.splits.items()
        },
        "shared": count_shared(counts, columns),
    }


def _count_by_images(images: Numbers) -> dict[str, list[int]]:
    """Return the number of articles by their number of images, from 1; the last is open."""
    counts = np.bincount(np.minimum(images, _MOST_IMAGES), minlength=_MOST_IMAGES + 1)[1:]
    return {"from": list(range(1, _MOST_IMAGES + 1)), "articles": counts.tolist()}


def _count_years(columns: Columns) -> dict[str, dict[str, int]]:
    """Return the images by year of their attribution and split, in the order of the years."""
    codes, attributions = columns.read_codes("attribution")
    years = pc.struct_field(pc.extract_regex(attributions, _YEAR), "year")
    named = years.fill_null(UNKNOWN).dictionary_encode()
    counts = columns.count(np.asarray(named.indices.to_numpy())[codes], len(named.dictionary))
    by_year = dict(zip(named.dictionary.to_pylist(), counts, strict=True))
    return {year: columns.by_split(by_year[year]) for year in sorted(by_year)}
