"""The rules that a repository should obey, and what each is good for."""

from __future__ import annotations

from dataclasses import dataclass

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        severity: `error` when a repository that breaks it cannot be served as it should; `warning` when something is only
            shown less well, or a bug of the viewer is met.
        widget: what suffers: `loaders` (`load_dataset` in some version), `content` (what the rows say), `card`,
            `croissant`, or a part of the Hub's dataset viewer.
        meaning: what holds when it is obeyed.
    """

    severity: str
    widget: str
    meaning: str


_VIEWER, _ROWS, _STATISTICS, _SEARCH = "viewer", "viewer: rows", "viewer: statistics", "viewer: search and filter"

RULES = {
    "script": Rule(ERROR, "loaders", "no Python file: datasets refuses, or runs, a script named as its repository"),
    "missing-file": Rule(
        ERROR,
        "card",
        "README.md, LICENSE.md, dataset_infos.json, croissant.json, facts.json and conversion.json are there and readable",
    ),
    "stray-file": Rule(ERROR, "loaders", "every Parquet file belongs to a configuration"),
    "numbering": Rule(ERROR, "loaders", "the shards of a split are numbered 0 to N-1 of N"),
    "unreadable": Rule(ERROR, "loaders", "every Parquet file can be read"),
    "changed-file": Rule(ERROR, "content", "every file is what conversion.json says"),
    "row-groups": Rule(
        ERROR, "loaders", "conversion.json states the row groups of every file, as streams plan by them"
    ),
    "schema": Rule(ERROR, "loaders", "all files of a configuration have its schema"),
    "features": Rule(ERROR, "loaders", "the schema's metadata holds the features, lists spelled Sequence"),
    "empty": Rule(ERROR, "loaders", "no file and no row group is empty"),
    "yaml": Rule(ERROR, "card", "the card begins with YAML that can be read"),
    "configs": Rule(
        ERROR, "loaders", "the card lists the configurations and splits that have files, each with its one pattern"
    ),
    "card-features": Rule(ERROR, "loaders", "dataset_info and dataset_infos.json state the features"),
    "counts": Rule(ERROR, "loaders", "rows in dataset_info, dataset_infos.json and the files are equal"),
    "facts": Rule(ERROR, "card", "the numbers in facts.json are those of the rows"),
    "text-order": Rule(ERROR, "content", "text holds the rows of data in the same order"),
    "duplicate-id": Rule(ERROR, "content", "no image id stands twice"),
    "null": Rule(
        ERROR, "content", "no value is missing but labels of region and direction, and names of the vocabulary"
    ),
    "license": Rule(ERROR, "content", "every licence is known, and shards hold the licences of their group"),
    "image-size": Rule(ERROR, "content", "width and height are those of the image"),
    "viewer-off": Rule(
        ERROR, _VIEWER, "the card neither turns the viewer off nor has a tag for which it is not shown to everybody"
    ),
    "split-name": Rule(ERROR, _VIEWER, "split names are words, joined by dots at most"),
    "one-format": Rule(ERROR, _VIEWER, "the card's patterns find Parquet files alone"),
    "columns": Rule(
        ERROR, _SEARCH, "a configuration has at most 1,000 columns with names of at most 500 characters, one of strings"
    ),
    "row-group-size": Rule(ERROR, _ROWS, "no row group is over 100 MB"),
    "image-storage": Rule(ERROR, _ROWS, "image bytes are uncompressed, PLAIN, without dictionary"),
    "page-index": Rule(ERROR, _ROWS, "every file has a page index and content-defined chunking"),
    "scan-size": Rule(ERROR, _ROWS, "any 100 rows in succession are found in pages of together at most 300 MB"),
    "image": Rule(ERROR, _ROWS, "every image opens: one that does not fails its whole page"),
    "image-mode": Rule(ERROR, _ROWS, "every image has a mode that the viewer can save as JPEG or PNG"),
    "label": Rule(ERROR, _STATISTICS, "every label is one of its names"),
    "croissant": Rule(ERROR, "croissant", "croissant.json lists every Parquet file with its size and SHA-256"),
    "image-pages": Rule(WARNING, _ROWS, "a page of image bytes is at most 4 MiB, or one image"),
    "first-rows": Rule(WARNING, _ROWS, "the first 100 rows without images are less than 200 kB of JSON: none is cut"),
    "range-one": Rule(
        WARNING,
        _STATISTICS,
        "no numbers, lengths of lists or of free text, or image widths of a split have a maximum of just their minimum "
        "plus one, for which the viewer has failed to draw a histogram",
    ),
    "index-size": Rule(
        WARNING, _SEARCH, "a split without images is at most 5 GB uncompressed: search and statistics cover all of it"
    ),
    "language": Rule(WARNING, _SEARCH, "the card names one language, so that search knows the stems of its words"),
    "one-pattern": Rule(
        WARNING, "viewer: libraries", "the card names one pattern a split, so that code for all libraries is shown"
    ),
}
"""What is checked, by code."""
