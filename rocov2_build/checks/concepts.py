"""Rules of the concepts of all images together: the vocabulary, repeated concepts, and the place of curated ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

import rocov2
from rocov2_build.checks.row_faults import name_rows, show_value
from rocov2_build.checks.row_sequence import Part
from rocov2_build.checks.violations import Check
from rocov2_build.shards.concept_table import count_concepts

_VOCABULARY = rocov2.CONFIGS["vocabulary"].files(rocov2.VOCABULARY_SPLIT)


def check_vocabulary(check: Check, vocabulary: pa.Table, lists: Mapping[str, pa.ChunkedArray]) -> None:
    """Compare the vocabulary with the concepts of the images.

    Args:
        check: collects the violations.
        vocabulary: its rows.
        lists: `cuis` of all images by split.
    """
    rows = pd.DataFrame(
        [(split, [cui for cui in cuis or () if cui]) for split, column in lists.items() for cuis in column.to_pylist()],
        columns=["split", "cuis"],
    )
    found = {row["cui"]: row for row in vocabulary.to_pylist() if row["cui"] is not None}
    if len(found) < len(vocabulary) - vocabulary["cui"].null_count:
        counts = vocabulary["cui"].drop_null().value_counts()
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist()
        check.add(
            "vocabulary", _VOCABULARY, expected="every concept once", found=f"again {name_rows(twice[0], len(twice))}"
        )
        return
    blank = [cui for cui, row in found.items() if row["name"] is not None and not row["name"].strip()]
    if blank:
        wanted = "a name, or no value where the release has none"
        check.add(
            "vocabulary", _VOCABULARY, expected=wanted, found=f"an empty name of {name_rows(blank[0], len(blank))}"
        )
        return
    names = {cui: row["name"] for cui, row in found.items() if row["name"] is not None}
    _compare(check, found, count_concepts(rows, names, vocabulary.schema).to_pylist())


def _compare(check: Check, found: dict[str, dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> None:
    right = {row["cui"]: row for row in wanted}
    missing = [cui for cui in right if cui not in found]
    if missing:
        text = f"none for {name_rows(missing[0], len(missing))}"
        check.add("vocabulary", _VOCABULARY, expected="a row for every concept of an image", found=text)
    extra = [cui for cui in found if cui not in right]
    if extra:
        text = f"{name_rows(extra[0], len(extra))} with neither"
        check.add("vocabulary", _VOCABULARY, expected="an image or a name of every concept", found=text)
    for name in rocov2.VOCABULARY_COLUMNS:
        other = [cui for cui in found if cui in right and found[cui][name] != right[cui][name]]
        if other:
            first = other[0]
            text = f"{show_value(found[first][name])} in {name} of {name_rows(first, len(other))}"
            expected = f"{show_value(right[first][name])}, as counted in the images" if name in rocov2.SPLITS else None
            check.add("vocabulary", _VOCABULARY, expected=expected or show_value(right[first][name]), found=text)
    same = list(found) == list(right)
    if not (missing or extra or same) and all(found[cui] == right[cui] for cui in found):
        first = next(cui for cui, row in zip(found, wanted, strict=True) if cui != row["cui"])
        expected = "the commonest concepts first, equally common ones by CUI"
        check.add("vocabulary", _VOCABULARY, expected=expected, found=f"{first} out of order")


def check_lists(check: Check, parts: Sequence[Part], counted: Mapping[str, Any]) -> None:
    """Check that lists repeat no concept and begin with the curated ones, but for the cases that the release has.

    Args:
        check: collects the violations.
        parts: all files with images.
        counted: warnings of the conversion by code, which count the cases of the whole release.
    """
    repeated: list[tuple[str, str]] = []
    displaced: list[tuple[str, str]] = []
    for file, rows in parts:
        cuis, manual = (_offsets(rows[name]) for name in ("cuis", "manual_cuis"))
        ids = rows["image_id"]
        for lists in (cuis, manual):
            repeated += [(file, str(ids[row])) for row in _rows_with_repeats(*lists)]
        displaced += [(file, str(ids[row])) for row in _rows_not_first(*cuis, *manual)]
    for code, rows_at_fault, expected in (
        ("repeated-cui", repeated, "every concept once in a list"),
        ("manual-not-first", displaced, "the curated concepts first in cuis"),
    ):
        most = counted.get(code, 0)
        most = most if isinstance(most, int) else 0
        if len(rows_at_fault) > most:
            file, first = rows_at_fault[0]
            expected += f" (conversion.json counts {most:,} of the release)" if most else ""
            check.add(
                "concept-lists",
                file,
                expected=expected,
                found=f"another list in {name_rows(first, len(rows_at_fault))}",
            )


_Codes = npt.NDArray[np.object_]


def _offsets(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Return where each list begins among all items, with the end of the last one; and the items."""
    lists = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]), pc.list_flatten(lists)


def _rows_with_repeats(offsets: npt.NDArray[np.int64], items: pa.Array) -> list[int]:
    owners = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    codes = items.dictionary_encode("encode")
    keys = owners * (len(codes.dictionary) + 1) + codes.indices.to_numpy()
    _, first = np.unique(keys, return_index=True)
    again = np.ones(len(keys), dtype=bool)
    again[first] = False
    rows: list[int] = np.unique(owners[again]).tolist()
    return rows


def _rows_not_first(
    offsets: npt.NDArray[np.int64], items: pa.Array, curated_offsets: npt.NDArray[np.int64], curated: pa.Array
) -> list[int]:
    lengths = np.diff(curated_offsets)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    place = offsets[owners] + np.arange(len(curated)) - curated_offsets[owners]
    within = place < offsets[owners + 1]
    there = items.take(pa.array(place, pa.int64(), mask=~within))
    differs = pc.fill_null(pc.not_equal(there, curated), True).to_numpy(zero_copy_only=False)
    rows: list[int] = np.unique(owners[differs]).tolist()
    return rows
