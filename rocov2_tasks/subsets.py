"""Rows by licence, modality, concept or article, and splits that share no article; map-style and streaming.

    from datasets import load_dataset
    from rocov2_tasks.subsets import filter_commercial, filter_modality

    train = filter_modality(filter_commercial(load_dataset("rocov2", split="train")), ["CT", "MRI"])

No image is decoded. Map-style rows are chosen by their columns, and nothing is written; a stream is read whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

from datasets import (
    ClassLabel,
    Dataset,
    DatasetDict,
    IterableDataset,
    IterableDatasetDict,
    NamedSplit,
    concatenate_datasets,
)

from rocov2 import LABELS, LICENSES
from rocov2_shared.ids import is_cui
from rocov2_tasks.arguments import require_choice, require_integer, strings_of
from rocov2_tasks.shaping.mapping import Batch, keep_rows, of_every_split, require_columns, require_strings
from rocov2_tasks.shaping.shapes import label_names
from rocov2_tasks.shaping.vocabulary import CONCEPT_COLUMNS, find_concepts

FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}
"""Default shares of articles."""


def filter_license(dataset: Any, licenses: str | Iterable[str]) -> Any:
    """Return the rows of these licences, such as `CC BY`; `rocov2.LICENSES` lists all.

    Raises:
        ValueError: no value is given, or one is unknown.
    """
    return _filter_values(dataset, "license", _given("licenses", licenses, LICENSES))


def filter_commercial(dataset: Any) -> Any:
    """Return the rows whose licence allows commercial use; the configuration `commercial` reads less of a repository."""
    return _filter_values(dataset, "license", {name for name, allowed in LICENSES.items() if allowed})


def filter_modality(dataset: Any, modalities: str | Iterable[str]) -> Any:
    """Return the rows of these modalities, by name; `rocov2.MODALITIES` lists all.

    Raises:
        ValueError: no value is given, or one is unknown.
    """
    return _filter_labels(dataset, "modality", _given("modalities", modalities, label_names("modality")))


def filter_region(dataset: Any, regions: str | Iterable[str]) -> Any:
    """Return the rows (X-rays) of these body regions, by name; `rocov2.REGIONS` lists all.

    Raises:
        ValueError: no value is given, or one is unknown.
    """
    return _filter_labels(dataset, "region", _given("regions", regions, label_names("region")))


def filter_direction(dataset: Any, directions: str | Iterable[str]) -> Any:
    """Return the rows (X-rays) of these directions, by name; `rocov2.DIRECTIONS` lists all.

    Raises:
        ValueError: no value is given, or one is unknown.
    """
    return _filter_labels(dataset, "direction", _given("directions", directions, label_names("direction")))


def filter_concept(
    dataset: Any,
    concepts: str | Iterable[str],
    path: str | os.PathLike[str] | None = None,
    column: str = "cuis",
    match: str = "any",
    **options: Any,
) -> Any:
    """Return the rows with any, or all, of these concepts.

        nodules = filter_concept(train, ["C0034079", "Lymphadenopathy"], match="any")

    Args:
        dataset: has `column`.
        concepts: CUIs, or names of the vocabulary in any case.
        path: repository with the vocabulary: folder, `ORG/NAME`, or `hf://datasets/ORG/NAME[@REVISION]` (default: names are
            looked up in `rocov2`, CUIs are not checked).
        column: `cuis` or `manual_cuis`.
        match: `any` or `all`; a name of several CUIs matches a row that has one of them.
        **options: options of `rocov2.load`, such as `revision`.

    Raises:
        ValueError: a concept is not in the vocabulary; the message suggests similar names.
        FileNotFoundError: there is no repository at `path`.
    """
    require_choice("column", column, CONCEPT_COLUMNS)
    require_choice("match", match, ("any", "all"))
    wanted = strings_of("concepts", concepts, "a CUI or a name, or a list of them")
    if path is None and all(map(is_cui, wanted)):
        each = [frozenset({cui}) for cui in wanted]
    else:
        each = list(find_concepts(wanted, "rocov2" if path is None else path, **options).values())
    return _keep(
        dataset, _HasConcepts(column, tuple(each) if match == "all" else (frozenset(chain.from_iterable(each)),))
    )


def filter_article(dataset: Any, pmcids: str | Iterable[str]) -> Any:
    """Return the rows of these articles, by PubMed Central id such as `PMC4608653`.

    Raises:
        ValueError: there is none.
    """
    return _filter_values(dataset, "pmcid", _given("pmcids", pmcids, None))


def drop_images(dataset: Any, image_ids: str | Iterable[str]) -> Any:
    """Return the rows without these images, by id, such as those that a view refuses.

        train = drop_images(train, ["ROCOv2_2023_train_000001"])

    Raises:
        ValueError: there is none.
    """
    return _keep(dataset, _IsNoneOf("image_id", frozenset(_given("image_ids", image_ids, None))))


def drop_shared_articles(dataset: Any) -> Any:
    """Return the rows whose article has no image in another split of the release.

    The remaining rows of train share no article with the whole of validation and test, which can be kept as they are.
    """
    return _filter_values(dataset, "article_in_other_split", {False})


def split_by_article(dataset: Any, fractions: Mapping[str, float] | None = None, seed: int = 0) -> Any:
    """Split a dataset again, so that no article is in two splits (the release is split by image).

        splits = split_by_article(load_dataset("rocov2"), {"train": 0.9, "test": 0.1})

    A hash of `pmcid` and `seed` chooses the split of an article. So an article is in the same split whatever the other rows
    and their order, map-style and streaming; and the fractions hold for many articles, not exactly for rows.

    Args:
        dataset: has `pmcid`; the splits of a dictionary are concatenated.
        fractions: share of each split by name; they sum to 1 (default: `FRACTIONS`).
        seed: seed of the hash.

    Returns:
        `DatasetDict`, or `IterableDatasetDict`, in which every stream reads all rows and returns its own.

    Raises:
        ValueError: the fractions are not positive or do not sum to 1, the name of a split is invalid, or the column `pmcid`
            is missing.
    """
    seed = require_integer("seed", seed, 0)
    shares = dict(FRACTIONS if fractions is None else fractions)
    if not shares or not all(share > 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-9:
        raise ValueError(f"fractions={shares}: fractions must be positive and sum to 1, such as {FRACTIONS}")
    for split in shares:
        if not re.fullmatch(r"\w+(\.\w+)*", split):
            raise ValueError(f"fractions: invalid split name {split!r}, expected letters, digits and _")
    whole = concatenate_datasets(list(dataset.values())) if isinstance(dataset, dict) else dataset
    if not isinstance(whole, (Dataset, IterableDataset)):
        raise TypeError(
            f"expected a dataset of the library `datasets`, or a dictionary of splits, got {type(dataset).__name__}"
        )
    ends = [*list(accumulate(shares.values()))[:-1], 1.0]
    starts = [0.0, *ends[:-1]]
    parts = {
        split: _keep(whole, _InShare(seed, start, end)) for split, start, end in zip(shares, starts, ends, strict=True)
    }
    if isinstance(whole, IterableDataset):
        return IterableDatasetDict(parts)
    # Only concatenate_datasets() sets the name of a split.
    return DatasetDict({split: concatenate_datasets([part], split=NamedSplit(split)) for split, part in parts.items()})


def _given(option: str, values: str | Iterable[str], known: Iterable[str] | None) -> set[str]:
    wanted = set(strings_of(option, values, "one, or a list of them"))
    unknown = wanted - set(wanted if known is None else known)
    if unknown:
        raise ValueError(
            f"{option}: unknown {', '.join(map(repr, sorted(unknown)))}, expected some of {', '.join(known or [])}"
        )
    return wanted


def _filter_labels(dataset: Any, column: str, wanted: set[str]) -> Any:
    return _filter_values(dataset, column, {label for label, name in enumerate(label_names(column)) if name in wanted})


def _filter_values(dataset: Any, column: str, values: Iterable[Any]) -> Any:
    return _keep(dataset, _IsOneOf(column, frozenset(values)))


@of_every_split
def _keep(dataset: Any, choose: Any) -> Any:
    features = require_columns(dataset, choose.column)
    if choose.column in LABELS and features[choose.column] != ClassLabel(names=label_names(choose.column)):
        raise ValueError(f"column {choose.column!r} must have the labels of ROCOv2, got {features[choose.column]}")
    if choose.column in ("license", "pmcid", "image_id"):
        require_strings(dataset, choose.column)
    return keep_rows(dataset, choose, [choose.column])


@dataclass(frozen=True)
class _IsOneOf:
    column: str
    values: frozenset[Any]

    def __call__(self, batch: Batch) -> list[bool]:
        return [value in self.values for value in batch[self.column]]


@dataclass(frozen=True)
class _IsNoneOf:
    column: str
    values: frozenset[Any]

    def __call__(self, batch: Batch) -> list[bool]:
        return [value not in self.values for value in batch[self.column]]


@dataclass(frozen=True)
class _HasConcepts:
    column: str
    each: tuple[frozenset[str], ...]

    def __call__(self, batch: Batch) -> list[bool]:
        return [all(not cuis.isdisjoint(row) for cuis in self.each) for row in batch[self.column]]


@dataclass(frozen=True)
class _InShare:
    seed: int
    start: float
    end: float
    column: str = "pmcid"

    def __call__(self, batch: Batch) -> list[bool]:
        return [self.start <= _position(pmcid, self.seed) < self.end for pmcid in batch[self.column]]


def _position(pmcid: str, seed: int) -> float:
    """Return the position of an article in [0, 1), from 53 bits, which a float can represent."""
    digest = hashlib.blake2b(f"{seed}/{pmcid}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53
