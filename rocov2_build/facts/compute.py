"""The numbers of a built repository, for `facts.json`: tables and plots of the card need nothing else.

`docs/facts.md` explains each. They come from the text columns of the repository, and from what the workers found when they
wrote the images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rocov2 import COLUMNS, CONFIGS, LABELS, LICENSES, owner_of
from rocov2_build.facts.articles import count_articles
from rocov2_build.facts.columns import (
    Columns,
    Numbers,
    count_cells,
    encode,
    histogram,
    measure,
    summarize_splits,
)
from rocov2_build.facts.head import measure_head
from rocov2_build.facts.overlaps import Counts, count_shared, find_duplicates
from rocov2_build.worker.task import FileFacts
from rocov2_shared.gc_pause import collector_paused

FORMAT = 2
"""Version of the layout of `facts.json`."""

COMMONEST = 20
NONE = "none"
"""The key of images without a label."""

_RARE = (1, 10, 100)
_CONCEPT_BINS = range(21)
_WORD_BINS = range(0, 105, 5)
_CHARACTER_BINS = range(0, 625, 25)
_PIXEL_BINS = range(0, 2100, 100)


@collector_paused()
def compute_facts(repository: Path, files: list[FileFacts]) -> dict[str, Any]:
    """Compute all numbers of a repository.

    Args:
        repository: folder with its Parquet files.
        files: facts of these files.

    Returns:
        Plain JSON in a fixed order, the same for the same repository.
    """
    modes = sum((Counter(file.modes) for file in files), Counter())
    return {
        **compute_row_facts(repository),
        "modes": dict(sorted(modes.items())),
        "bytes": measure_files({file.path: file.bytes for file in files}),
        "duplicates": find_duplicates(Columns.open(repository), files),
    }


def measure_files(sizes: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return the bytes of files by folder and split.

    Args:
        sizes: bytes by path.
    """
    totals: dict[str, dict[str, int]] = {}
    for path, size in sizes.items():
        if owner := owner_of(path):
            config, split = owner
            part = totals.setdefault(CONFIGS[config].folder, {})
            part[split] = part.get(split, 0) + size
    return totals


def compute_row_facts(repository: Path) -> dict[str, Any]:
    """Compute the sections of `facts.json` that depend on the rows alone."""
    columns = Columns.open(repository)
    return {
        "format": FORMAT,
        "images": columns.lengths,
        **{name: _count_labels(columns, name) for name in LABELS},
        "license": _count_licenses(columns),
        "concepts": _count_concepts(columns),
        "captions": _count_captions(columns),
        "sizes": _count_sizes(columns),
        "articles": count_articles(columns),
        "head": measure_head(columns),
    }


def _count_labels(columns: Columns, name: str) -> dict[str, dict[str, int]]:
    """Images by label and split; if the column is nullable, the last row counts those without a label."""
    labels = [*LABELS[name], NONE] if COLUMNS[name].nullable else [*LABELS[name]]
    numbers = np.asarray(columns.read(name).fill_null(len(labels) - 1).to_numpy())
    counts = columns.count(numbers, len(labels))
    return {label: columns.by_split(row) for label, row in zip(labels, counts, strict=True)}


def _count_licenses(columns: Columns) -> dict[str, dict[str, int]]:
    codes, known = columns.read_codes("license")
    counts = dict(zip(known.to_pylist(), columns.count(codes, len(known)), strict=True))
    return {name: columns.by_split(counts[name]) for name in [*LICENSES, *sorted(counts)] if name in counts}


def _count_concepts(columns: Columns) -> dict[str, Any]:
    lists = columns.read("cuis")
    lengths = np.asarray(pc.list_value_length(lists).to_numpy())
    codes, known = encode(pc.list_flatten(lists))
    owners = np.repeat(np.arange(len(lengths)), lengths)
    # A list may contain a concept twice: its image counts once.
    each = np.unique(owners * len(known) + codes)
    owners, codes = each // len(known), each % len(known)
    counts = count_cells(codes, columns.of_split[owners], len(known), len(columns.splits))
    totals, cuis = counts.sum(axis=1), known.to_pylist()
    vocabulary = {row["cui"]: row for row in columns.vocabulary()}
    order = sorted(range(len(cuis)), key=lambda code: (-totals[code], cuis[code]))
    first = order[:COMMONEST]
    curated = np.asarray(pc.list_value_length(columns.read("manual_cuis")).to_numpy())
    return {
        "per_image": summarize_splits(lengths, columns),
        "curated_per_image": summarize_splits(curated, columns),
        "only_curated": columns.by_split(columns.count((lengths <= curated).astype(np.int8), 2)[1]),
        "histogram": histogram(lengths, columns, _CONCEPT_BINS),
        "vocabulary": len(vocabulary),
        "used": {**columns.by_split((counts > 0).sum(axis=0)), "all": len(cuis)},
        "used_without_name": sum(not vocabulary.get(cui, {}).get("name") for cui in cuis),
        "in_at_most": {str(most): int((totals <= most).sum()) for most in _RARE},
        "not_in_train": _not_in_train(counts, columns),
        "commonest": [
            {
                "cui": cuis[code],
                "name": vocabulary.get(cuis[code], {}).get("name"),
                "kind": vocabulary.get(cuis[code], {}).get("kind"),
                **columns.by_split(counts[code]),
            }
            for code in first
        ],
        "together": {"cuis": [cuis[code] for code in first], "images": _count_together(owners, codes, first)},
        "frequencies": [int(totals[code]) for code in order],
    }


def _not_in_train(counts: Counts, columns: Columns) -> dict[str, int]:
    """Count the concepts of each split that train does not have; empty without train."""
    splits = list(columns.splits)
    if "train" not in splits:
        return {}
    unseen = counts[counts[:, splits.index("train")] == 0]
    return {split: int((unseen[:, i] > 0).sum()) for i, split in enumerate(splits) if split != "train"}


def _count_together(owners: Numbers, codes: Numbers, first: list[int]) -> list[list[int]]:
    """Count the images that have both concepts of each pair of `first`; on the diagonal, those that have the one."""
    position = np.full(int(codes.max()) + 1, -1)
    position[first] = np.arange(len(first))
    wanted = position[codes] >= 0
    held = np.zeros((int(owners.max()) + 1, len(first)), dtype=np.int32)
    held[owners[wanted], position[codes[wanted]]] = 1
    together: list[list[int]] = (held.T @ held).tolist()
    return together


def _count_words(captions: pa.Array) -> pa.Array:
    return pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(captions)))


def _count_captions(columns: Columns) -> dict[str, Any]:
    captions = columns.read("caption")
    characters = measure(captions, pc.utf8_length)
    words = measure(captions, _count_words)
    codes, known = encode(captions)
    counts = columns.count(codes, len(known))
    totals = counts.sum(axis=1)
    repeated = np.flatnonzero(totals > 1)
    texts = dict(zip(known.take(pa.array(repeated)).to_pylist(), totals[repeated].tolist(), strict=True))
    commonest = sorted(texts.items(), key=lambda item: (-item[1], item[0]))[:COMMONEST]
    return {
        "words": summarize_splits(words, columns),
        "characters": summarize_splits(characters, columns),
        "histogram": {
            "words": histogram(words, columns, _WORD_BINS),
            "characters": histogram(characters, columns, _CHARACTER_BINS),
        },
        "distinct": len(known),
        "repeated": {
            **count_shared(counts, columns),
            "commonest": [{"caption": caption, "images": images} for caption, images in commonest],
        },
    }


def _count_sizes(columns: Columns) -> dict[str, Any]:
    sides = {name: columns.read_numbers(name) for name in ("width", "height")}
    return {
        **{name: summarize_splits(values, columns) for name, values in sides.items()},
        "histogram": {name: histogram(values, columns, _PIXEL_BINS) for name, values in sides.items()},
    }
