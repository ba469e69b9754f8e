"""Rules of the values of single rows, for one row group at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import rocov2
from rocov2_build.checks.row_faults import Describe, RowFaults, show_value
from rocov2_build.raw.curated import find_code_faults, read_meaning
from rocov2_shared.ids import ARTICLE_LINK, CUI, PMCID, image_id_pattern


class Names(NamedTuple):
    """Names of concepts: those of the vocabulary that have one."""

    cuis: pa.Array
    names: pa.Array


class Expected(NamedTuple):
    """What the rows of a file are compared with.

    Attributes:
        split: of the file.
        group: of its shards; None for a file that has rows of several.
        names: of concepts; None if the vocabulary cannot be read.
        last_id: the last image id of the split in the release; None if that is unknown.
    """

    split: str
    group: rocov2.Group | None
    names: Names | None
    last_id: str | None


def check_types(faults: RowFaults, table: pa.Table, columns: Mapping[str, rocov2.Column]) -> None:
    """Check that no value is missing where it must not be, and that labels are in range."""
    for name, known in columns.items():
        column = table[name]
        if not known.nullable:
            for wanted, missing in _missing(name, column):
                faults.add("null", wanted, missing, _describe_missing(wanted))
        if isinstance(known.feature, datasets.ClassLabel):
            most = known.feature.num_classes - 1
            wrong = pc.or_(pc.less(column, 0), pc.greater(column, most))

            def describe(
                row: int, name: str = name, column: pa.ChunkedArray = column, most: int = most
            ) -> tuple[str, str]:
                return f"0 to {most} in {name}", str(column[row].as_py())

            faults.add("label", name, wrong, describe)


def _describe_missing(wanted: str) -> Describe:
    return lambda _: (wanted, "none" if wanted.startswith("a value") else "one")


def _missing(name: str, column: pa.ChunkedArray) -> list[tuple[str, pa.Array | pa.ChunkedArray]]:
    """Return which rows have no value in a column or a part of it, and what is expected."""
    found = [(f"a value of {name} in every row", pc.is_null(column))]
    if pa.types.is_struct(column.type):
        found += [
            (
                f"a value of {name}.{part.name} in every row",
                pc.and_(pc.is_valid(column), pc.is_null(pc.struct_field(column, part.name))),
            )
            for part in column.type
        ]
    if pa.types.is_list(column.type):
        found.append((f"no null among {name}", _has(column, pc.is_null)))
    return found


def _whole(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.combine_chunks()
    return chunks if isinstance(chunks, pa.Array) else pa.concat_arrays(chunks.chunks)


def _has(column: pa.ChunkedArray, is_wrong: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Return which lists have an item for which `is_wrong` is true."""
    lists = _whole(column)
    wrong = np.zeros(len(lists), dtype=bool)
    items = pc.fill_null(is_wrong(pc.list_flatten(lists)), False)
    wrong[pc.list_parent_indices(lists).filter(items).to_numpy()] = True
    return pa.array(wrong)


def _unlike(pattern: str) -> Callable[[pa.Array], pa.Array]:
    return lambda texts: pc.invert(pc.match_substring_regex(texts, f"^(?:{pattern})$"))


def check_vocabulary_values(faults: RowFaults, table: pa.Table) -> None:
    """Check the form of the concepts of the vocabulary."""
    _check_form(faults, "cui", "cui", table, CUI.pattern, "C and seven digits")


def check_values(faults: RowFaults, table: pa.Table, expected: Expected) -> None:
    """Check all that the values of a row say of each other, of the vocabulary and of the file.

    Args:
        faults: takes the rows at fault.
        table: rows with all columns of a configuration that has images. A null is reported by `check_types`.
        expected: what they are compared with.
    """
    _check_ids(faults, table, expected)
    for name in ("caption", "attribution"):
        column = table[name]
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        faults.add("empty-value", name, blank, _describe(f"a text in {name}", column))
    faults.add(
        "empty-value", "cuis", pc.equal(pc.list_value_length(table["cuis"]), 0), lambda _: ("concepts in cuis", "none")
    )
    for name in ("cuis", "manual_cuis"):
        malformed = _has(table[name], _unlike(CUI.pattern))
        faults.add("cui", name, malformed, _describe(f"C and seven digits in {name}", table[name]))
    if expected.names is not None:
        _check_concept_names(faults, table, expected.names)
    _check_labels(faults, table)
    _check_license(faults, table, expected.group)
    if expected.group is not None:
        _check_article(faults, table, expected.group)
    _check_source(faults, table)


def _describe(wanted: str, column: pa.ChunkedArray) -> Describe:
    return lambda row: (wanted, show_value(column[row].as_py()))


def _check_form(faults: RowFaults, rule: str, name: str, table: pa.Table, pattern: str, wanted: str) -> None:
    faults.add(rule, name, _unlike(pattern)(table[name]), _describe(f"{wanted} in {name}", table[name]))


def _check_ids(faults: RowFaults, table: pa.Table, expected: Expected) -> None:
    raw_split = rocov2.SPLITS[expected.split]
    wanted = f"ROCOv2_2023_{raw_split}_ and six digits"
    _check_form(faults, "image-id", "image_id", table, image_id_pattern(raw_split).pattern, wanted)
    ids = table["image_id"]
    if expected.last_id:
        beyond = pc.and_(
            pc.invert(_unlike(image_id_pattern(raw_split).pattern)(ids)), pc.greater(ids, expected.last_id)
        )
        faults.add("image-id", "last", beyond, _describe(f"at most {expected.last_id}, the last of the release", ids))
    paths, right = pc.struct_field(table["image"], "path"), pc.binary_join_element_wise(ids, ".jpg", "")

    def describe(row: int) -> tuple[str, str]:
        return f"{right[row].as_py()} in image.path", show_value(paths[row].as_py())

    faults.add("image-path", "image", pc.not_equal(paths, right), describe)


def _check_concept_names(faults: RowFaults, table: pa.Table, known: Names) -> None:
    cuis, names = _whole(table["cuis"]), _whole(table["concept_names"])
    lengths = pc.list_value_length(cuis)
    same = pc.fill_null(pc.equal(lengths, pc.list_value_length(names)), False)
    faults.add(
        "concept-names",
        "length",
        pc.not_equal(lengths, pc.list_value_length(names)),
        lambda row: (f"{lengths[row].as_py()} names in concept_names", show_value(names[row].as_py())),
    )
    rows = pc.indices_nonzero(same)
    cuis, names = cuis.take(rows), names.take(rows)
    codes, found = pc.list_flatten(cuis), pc.list_flatten(names)
    right = pc.coalesce(known.names.take(pc.index_in(codes, known.cuis)), codes)
    other = pc.indices_nonzero(pc.fill_null(pc.not_equal(right, found), False))
    parents = rows.take(pc.list_parent_indices(cuis).take(other)).to_numpy()
    wrong = np.zeros(len(table), dtype=bool)
    wrong[parents] = True

    def describe(row: int) -> tuple[str, str]:
        item = other[int(np.flatnonzero(parents == row)[0])]
        code = codes[item.as_py()].as_py()
        return f"{show_value(right[item.as_py()].as_py())} as the name of {code}", show_value(
            found[item.as_py()].as_py()
        )

    faults.add("concept-names", "name", pa.array(wrong), describe)


def _check_labels(faults: RowFaults, table: pa.Table) -> None:
    """Compare the labels with those that the conversion derives from `manual_cuis`."""
    joined = pc.binary_join(_whole(table["manual_cuis"]), ";")
    known, keys = pc.is_valid(joined), pc.fill_null(joined, "").dictionary_encode()
    lists = [tuple(key.split(";")) if key else () for key in keys.dictionary.to_pylist()]
    meanings = [read_meaning(codes) for codes in lists]
    reasons = [find_code_faults(*pair) for pair in zip(lists, meanings, strict=True)]
    unknown = pa.array([bool(reason) for reason in reasons], pa.bool_()).take(keys.indices)

    def describe_codes(row: int) -> tuple[str, str]:
        reason = reasons[keys.indices[row].as_py()][0]
        return f"{reason.expected} in manual_cuis", show_value(reason.found)

    faults.add("curated", "manual_cuis", pc.and_(known, unknown), describe_codes)
    for name in rocov2.LABELS:
        feature, column = rocov2.FEATURES[name], table[name]
        right = pa.array([meaning.labels[name] for meaning in meanings], column.type).take(keys.indices)
        in_range = pc.fill_null(pc.and_(pc.greater_equal(column, 0), pc.less(column, feature.num_classes)), True)
        wrong = pc.and_(pc.and_(known, in_range), pc.not_equal(pc.fill_null(column, -1), pc.fill_null(right, -1)))
        if not rocov2.COLUMNS[name].nullable:
            wrong = pc.and_(wrong, pc.is_valid(column))

        def describe(
            row: int, name: str = name, column: pa.ChunkedArray = column, right: pa.Array = right
        ) -> tuple[str, str]:
            feature = rocov2.FEATURES[name]
            wanted, found = (
                "none" if label is None else feature.int2str(label)
                for label in (right[row].as_py(), column[row].as_py())
            )
            return f"{wanted} in {name}, as manual_cuis {list(lists[keys.indices[row].as_py()])} means", found

        faults.add("curated", name, wrong, describe)


def _check_license(faults: RowFaults, table: pa.Table, group: rocov2.Group | None) -> None:
    names = [name for name, allowed in rocov2.LICENSES.items() if group is None or allowed is group.commercial]
    column = table["license"]
    wrong = pc.and_(pc.is_valid(column), pc.invert(pc.is_in(column, pa.array(names, pa.string()))))
    kind = f"one of {', '.join(names)}"
    if group is not None:
        kind = f"a licence that {'allows' if group.commercial else 'does not allow'} commercial use"
    faults.add("license", "license", wrong, _describe(kind, column))


def _check_article(faults: RowFaults, table: pa.Table, group: rocov2.Group) -> None:
    """Compare the flag with the group of the file: a shard that is `apart` has no image of an article of two splits."""
    column = table["article_in_other_split"]
    wrong = pc.fill_null(pc.equal(column, group.apart), False)
    wanted = f"{str(not group.apart).lower()} in article_in_other_split, as the name of the file says"
    faults.add("article", "group", wrong, lambda row: (wanted, str(column[row].as_py()).lower()))


def _check_source(faults: RowFaults, table: pa.Table) -> None:
    _check_form(faults, "source", "pmcid", table, PMCID.pattern, "PMC and digits")
    pmcids, urls = table["pmcid"], table["url"]
    linked = pc.struct_field(pc.extract_regex(urls, f"^{ARTICLE_LINK.pattern}$"), "pmcid")
    formed = pc.invert(_unlike(PMCID.pattern)(pmcids))
    wrong = pc.and_(pc.is_valid(urls), pc.and_(formed, pc.invert(pc.fill_null(pc.equal(linked, pmcids), False))))

    def describe(row: int) -> tuple[str, str]:
        return f"a link to {pmcids[row].as_py()} in url", show_value(urls[row].as_py())

    faults.add("source", "url", wrong, describe)
