"""The rules of a servable repository: how severe each is, what it affects, what it requires, and what to do about it.

Their order is that of causes: if a repository breaks several rules, the first one is the one to look at first.
"""

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
        remedy: what to do with a repository that breaks it.
    """

    severity: str
    affects: str
    meaning: str
    remedy: str


_VIEWER, _ROWS, _STATISTICS, _SEARCH = "viewer", "viewer: rows", "viewer: statistics", "viewer: search and filter"
_ROWS_AND_STATISTICS = "viewer: rows and statistics"

_AGAIN = "download the file again, or build the repository again with `rocov2 convert RAW --overwrite`"
_BUILD = "build the repository again with `rocov2 convert RAW --overwrite`"
_CARD = "undo what was edited by hand, or download the file again, or build again with `rocov2 convert RAW --overwrite`"
_SMALLER = f"{_BUILD} and a smaller --row-group-size"
_HARMLESS = "nothing: the repository can be published, and loads everywhere"

RULES = {
    "script": Rule(
        ERROR,
        "loaders",
        "there is no Python file: datasets refuses or runs a script named like its repository",
        "move the Python file out of the repository",
    ),
    "missing-file": Rule(
        ERROR,
        "card",
        "README.md, LICENSE.md, .gitattributes, dataset_infos.json, croissant.json, facts.json and conversion.json exist",
        _AGAIN,
    ),
    "damaged-file": Rule(
        ERROR,
        "card",
        "README.md is UTF-8, and the JSON files are JSON that every reader understands alike, with values of the right types",
        _AGAIN,
    ),
    "format": Rule(
        ERROR,
        "loaders",
        "the repository has the layout that this version of the project writes; otherwise no other rule is checked",
        "check it with the version in conversion.json (project.version), or build it again with `rocov2 convert RAW "
        "--overwrite`",
    ),
    "conversion": Rule(
        ERROR,
        "content",
        "the values of conversion.json agree with each other and with the release, and were not changed since the build",
        _AGAIN,
    ),
    "stray-file": Rule(
        ERROR,
        "loaders",
        "every Parquet file belongs to a configuration; there is no .huggingface.yaml, which replaces the card's YAML, and "
        "no state.json, at which load_dataset stops",
        "move the file out of the repository; derived data belongs into a repository of its own",
    ),
    "unreadable": Rule(ERROR, "loaders", "every Parquet file can be read", _AGAIN),
    "numbering": Rule(
        ERROR,
        "loaders",
        "the shards of a split are numbered 0 to N-1 of N",
        "download what is missing, move files of another build away, or build again with `rocov2 convert RAW --overwrite`",
    ),
    "changed-file": Rule(
        ERROR, "content", "every file exists and has the size and hashes that conversion.json records", _AGAIN
    ),
    "row-groups": Rule(
        ERROR, "loaders", "conversion.json records the row groups of every file: streams plan with them", _BUILD
    ),
    "schema": Rule(ERROR, "loaders", "all files of a configuration have its schema", _BUILD),
    "features": Rule(
        ERROR,
        "loaders",
        "the schema's metadata contains the features, with lists spelled Sequence, and no other key",
        _BUILD,
    ),
    "empty": Rule(ERROR, "loaders", "no file and no row group is empty", _BUILD),
    "yaml": Rule(ERROR, "card", "the card begins with YAML that every reader understands alike", _CARD),
    "configs": Rule(
        ERROR,
        "loaders",
        "the card lists the configurations and splits that have files, each with its pattern, and nothing else about them",
        _CARD,
    ),
    "card-features": Rule(ERROR, "loaders", "dataset_info and dataset_infos.json list the features", _CARD),
    "counts": Rule(
        ERROR,
        "loaders",
        "dataset_info, dataset_infos.json and the files have the same numbers of rows and bytes",
        _CARD,
    ),
    "card": Rule(
        ERROR, "card", "the other keys of the card and of dataset_infos.json are those of this release", _CARD
    ),
    "attributes": Rule(
        ERROR,
        "loaders",
        ".gitattributes stores Parquet files and pictures outside git, as Git LFS does, and keeps the line ends of all files",
        "begin with the lines `* -text`, `*.parquet filter=lfs diff=lfs merge=lfs -text` and "
        "`*.png filter=lfs diff=lfs merge=lfs -text`",
    ),
    "duplicate-id": Rule(ERROR, "content", "every image id is unique", _BUILD),
    "null": Rule(
        ERROR,
        "content",
        "no value is missing, except labels of region and direction and names of the vocabulary",
        _BUILD,
    ),
    "image-id": Rule(
        ERROR, "content", "every image id has the form of the release's ids and is one of its split", _BUILD
    ),
    "image-path": Rule(ERROR, "content", "the path of every image is its id with .jpg", _BUILD),
    "row-order": Rule(
        ERROR, "content", "the rows of train are in the fixed shuffled order within their group of shards", _BUILD
    ),
    "empty-value": Rule(ERROR, "content", "no caption, no attribution and no list of concepts is empty", _BUILD),
    "cui": Rule(ERROR, "content", "every concept is a CUI: C and seven digits", _BUILD),
    "curated": Rule(
        ERROR,
        "content",
        "manual_cuis has only curated codes, and modality, region and direction are what they mean",
        _BUILD,
    ),
    "vocabulary": Rule(
        ERROR,
        "content",
        "the vocabulary has every concept once, with its kind and the number of its images in each split",
        _BUILD,
    ),
    "concept-names": Rule(
        ERROR,
        "content",
        "concept_names are the names of cuis in the vocabulary, or the CUI itself where that has none",
        _BUILD,
    ),
    "source": Rule(ERROR, "content", "pmcid is PMC and digits, and url is a link to that article", _BUILD),
    "article": Rule(
        ERROR,
        "content",
        "article_in_other_split is true for all images of an article that several splits have, else false, and shards "
        "contain only rows of their group",
        _BUILD,
    ),
    "license": Rule(
        ERROR, "content", "every licence is known, and shards contain only licences of their group", _BUILD
    ),
    "label": Rule(
        ERROR,
        _ROWS_AND_STATISTICS,
        "every label is in the range of its names: a single one that is not fails its page, and the statistics of its split",
        _BUILD,
    ),
    "image": Rule(
        ERROR,
        _ROWS_AND_STATISTICS,
        "every image opens: a single one that does not fails its page, and one without a readable header the statistics, too",
        _BUILD,
    ),
    "image-mode": Rule(ERROR, _ROWS, "every image has a mode that the viewer can save as JPEG or PNG", _BUILD),
    "image-size": Rule(ERROR, "content", "width and height match the image", _BUILD),
    "text-order": Rule(ERROR, "content", "text contains the rows of data in the same order", _BUILD),
    "small-order": Rule(ERROR, "content", "small contains the rows of data in the same order", _BUILD),
    "mini-order": Rule(ERROR, "content", "mini contains rows of small in their order", _BUILD),
    "scaled-size": Rule(
        ERROR,
        "content",
        "the pictures of small have the size that those of data have when they are scaled down",
        _BUILD,
    ),
    "facts": Rule(ERROR, "card", "the numbers in facts.json match the rows", _AGAIN),
    "croissant": Rule(
        ERROR,
        "croissant",
        "croissant.json lists every Parquet file with its size and SHA-256, every column, and every label",
        _AGAIN,
    ),
    "viewer-off": Rule(
        ERROR,
        _VIEWER,
        "the card neither turns the viewer off nor has a tag that hides it",
        "remove `viewer: false` or the tag from the YAML of README.md",
    ),
    "split-name": Rule(ERROR, _VIEWER, "split names are words, optionally joined by dots", _CARD),
    "one-format": Rule(
        ERROR,
        _VIEWER,
        "the card's patterns match only Parquet files",
        "move the file out of the repository",
    ),
    "columns": Rule(
        ERROR,
        _SEARCH,
        "a configuration has at most 1,000 columns with names of at most 500 characters, and a string column",
        _BUILD,
    ),
    "row-group-size": Rule(ERROR, _ROWS, "no row group is larger than 100 MB", _SMALLER),
    "text-storage": Rule(
        ERROR, "loaders", "columns of nearly unique texts have no dictionary: readers would gain nothing by it", _BUILD
    ),
    "image-storage": Rule(ERROR, _ROWS, "image bytes are uncompressed, PLAIN, without dictionary", _BUILD),
    "statistics": Rule(
        ERROR,
        "loaders",
        "minimum, maximum and nulls in a footer are those of the rows: tools skip row groups by them",
        _BUILD,
    ),
    "page-index": Rule(
        ERROR, _ROWS, "every file has a page index and content-defined chunking, and says so in its metadata", _BUILD
    ),
    "scan-size": Rule(ERROR, _ROWS, "in no row group the pages of 100 consecutive rows have over 300 MB", _SMALLER),
    "release-order": Rule(
        WARNING,
        "content",
        "the rows of validation and test are in the order of their ids, as in the release",
        f"if rows were moved since the build, {_BUILD}; a release in another order loads everywhere",
    ),
    "concept-lists": Rule(
        WARNING,
        "content",
        "no list repeats a concept, and cuis begin with manual_cuis, but for the cases that conversion.json counts",
        _BUILD,
    ),
    "turned-image": Rule(
        WARNING,
        _ROWS,
        "no image has an orientation in its metadata that turns it: loaders apply it, the viewer shows and measures "
        "the image as it is stored",
        _HARMLESS,
    ),
    "image-pages": Rule(WARNING, _ROWS, "a page of image bytes is at most 4 MiB, or one image", _HARMLESS),
    "first-rows": Rule(
        WARNING,
        _ROWS,
        "the viewer's answer with the first 100 rows has less than 200 kB of JSON: no row is left out and no value cut",
        _HARMLESS,
    ),
    "range-one": Rule(
        WARNING,
        _STATISTICS,
        "in no split the maximum of a column (numbers, lengths of lists or of free text, image widths) is its minimum plus "
        "one: the viewer has failed to draw a histogram of such a column",
        _HARMLESS,
    ),
    "index-size": Rule(
        WARNING,
        _SEARCH,
        "a split without images has at most 5 GB uncompressed: search and statistics cover all of it",
        _HARMLESS,
    ),
    "language": Rule(
        WARNING,
        _SEARCH,
        "the card names one language, so that search can stem its words",
        "name one language in the YAML of README.md: `language: [en]`",
    ),
    "one-pattern": Rule(
        WARNING,
        "viewer: libraries",
        "the card has one pattern for each split: the viewer then shows code for all libraries",
        _CARD,
    ),
}
"""All rules, by code."""
