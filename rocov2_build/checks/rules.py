"""The rules of a servable repository: how severe each is, what it affects, and what it requires."""

from __future__ import annotations

from dataclasses import dataclass

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        severity: `error` if a repository that breaks the rule cannot be served correctly; `warning` if something is only
            displayed less well, or triggers a bug of the viewer.
        affects: affected feature: `loaders` (`load_dataset` in some version), `content` (the values of the rows), `card`,
            `croissant`, or a part of the Hub's dataset viewer.
        meaning: what the rule requires.
    """

    severity: str
    affects: str
    meaning: str


_VIEWER, _ROWS, _STATISTICS, _SEARCH = "viewer", "viewer: rows", "viewer: statistics", "viewer: search and filter"

RULES = {
    "script": Rule(
        ERROR, "loaders", "there is no Python file: datasets refuses or runs a script named like its repository"
    ),
    "missing-file": Rule(
        ERROR,
        "card",
        "README.md, LICENSE.md, dataset_infos.json, croissant.json, facts.json and conversion.json exist and are readable",
    ),
    "stray-file": Rule(ERROR, "loaders", "every Parquet file belongs to a configuration"),
    "numbering": Rule(ERROR, "loaders", "the shards of a split are numbered 0 to N-1 of N"),
    "unreadable": Rule(ERROR, "loaders", "every Parquet file can be read"),
    "changed-file": Rule(ERROR, "content", "every file has the size and hashes that conversion.json records"),
    "row-groups": Rule(
        ERROR, "loaders", "conversion.json records the row groups of every file: streams plan with them"
    ),
    "schema": Rule(ERROR, "loaders", "all files of a configuration have its schema"),
    "features": Rule(ERROR, "loaders", "the schema's metadata contains the features, with lists spelled Sequence"),
    "empty": Rule(ERROR, "loaders", "no file and no row group is empty"),
    "yaml": Rule(ERROR, "card", "the card begins with YAML that can be read"),
    "configs": Rule(
        ERROR, "loaders", "the card lists the configurations and splits that have files, each with its pattern"
    ),
    "card-features": Rule(ERROR, "loaders", "dataset_info and dataset_infos.json list the features"),
    "counts": Rule(ERROR, "loaders", "dataset_info, dataset_infos.json and the files have the same row counts"),
    "facts": Rule(ERROR, "card", "the numbers in facts.json match the rows"),
    "text-order": Rule(ERROR, "content", "text contains the rows of data in the same order"),
    "duplicate-id": Rule(ERROR, "content", "every image id is unique"),
    "null": Rule(
        ERROR, "content", "no value is missing, except labels of region and direction and names of the vocabulary"
    ),
    "license": Rule(ERROR, "content", "every licence is known, and shards contain only licences of their group"),
    "image-size": Rule(ERROR, "content", "width and height match the image"),
    "viewer-off": Rule(ERROR, _VIEWER, "the card neither turns the viewer off nor has a tag that hides it"),
    "split-name": Rule(ERROR, _VIEWER, "split names are words, optionally joined by dots"),
    "one-format": Rule(ERROR, _VIEWER, "the card's patterns match only Parquet files"),
    "columns": Rule(
        ERROR,
        _SEARCH,
        "a configuration has at most 1,000 columns with names of at most 500 characters, and a string column",
    ),
    "row-group-size": Rule(ERROR, _ROWS, "no row group is larger than 100 MB"),
    "image-storage": Rule(ERROR, _ROWS, "image bytes are uncompressed, PLAIN, without dictionary"),
    "page-index": Rule(ERROR, _ROWS, "every file has a page index and content-defined chunking"),
    "scan-size": Rule(ERROR, _ROWS, "the pages of any 100 consecutive rows have at most 300 MB in total"),
    "image": Rule(ERROR, _ROWS, "every image opens: a single one that does not fails its whole page"),
    "image-mode": Rule(ERROR, _ROWS, "every image has a mode that the viewer can save as JPEG or PNG"),
    "label": Rule(ERROR, _STATISTICS, "every label is in the range of its names"),
    "croissant": Rule(ERROR, "croissant", "croissant.json lists every Parquet file with its size and SHA-256"),
    "image-pages": Rule(WARNING, _ROWS, "a page of image bytes is at most 4 MiB, or one image"),
    "first-rows": Rule(
        WARNING, _ROWS, "the first 100 rows, without images, are less than 200 kB of JSON: none is truncated"
    ),
    "range-one": Rule(
        WARNING,
        _STATISTICS,
        "in no split the maximum of a column (numbers, lengths of lists or of free text, image widths) is its minimum plus "
        "one: the viewer has failed to draw a histogram of such a column",
    ),
    "index-size": Rule(
        WARNING,
        _SEARCH,
        "a split without images has at most 5 GB uncompressed: search and statistics cover all of it",
    ),
    "language": Rule(WARNING, _SEARCH, "the card names one language, so that search can stem its words"),
    "one-pattern": Rule(
        WARNING,
        "viewer: libraries",
        "the card has one pattern for each split: the viewer then shows code for all libraries",
    ),
}
"""All rules, by code."""
