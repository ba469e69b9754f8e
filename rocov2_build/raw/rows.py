"""Join the tables to one row per image, and derive labels, names and licences; what cannot be derived is a problem."""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

import pandas as pd

from rocov2 import LABELS, LICENSES, MODALITIES, SPLITS, TEXT_FEATURES
from rocov2_build.raw import releases
from rocov2_build.raw.archives import Images
from rocov2_build.raw.curated import CodeFault, Meaning, find_code_faults, read_meaning
from rocov2_build.raw.problems import Report
from rocov2_build.raw.tables import Source, Tables
from rocov2_shared.ids import PMCID, is_cui, is_link_to

# A space must follow, and no other condition: neither "CC BY-ND ..." nor "CC BY ND ..." may pass for "CC BY".
_ATTRIBUTION = re.compile(
    rf"({'|'.join(sorted(map(re.escape, LICENSES), key=len, reverse=True))})\s+(?!(?:NC|ND|SA)\b)(\S.*)", re.DOTALL
)
_XRAY = list(MODALITIES).index("X-ray")

MEASURED = ("width", "height")
"""Columns that are measured on the image itself; the writer of the shards adds them."""

ROW_COLUMNS = ["split", *(name for name in TEXT_FEATURES if name not in MEASURED)]
"""Columns of a row: its split in the repository, then the features that come from the tables."""


def join_tables(
    tables: Tables, images: dict[str, Images], release: releases.Release | None, report: Report
) -> pd.DataFrame:
    """Return one row per image that is in every table and archive, with the columns of `ROW_COLUMNS`.

    Labels are int, or None if the release has none; lists are lists of str; `article_in_other_split` is bool; the rest
    is str.

    Args:
        tables: from `read_tables`.
        images: images by split of the repository.
        release: the named release, the only one whose licences are then known; None for any.
        report: takes every problem; a row at fault stays in the result.

    Returns:
        The rows by split, in the order of the release's captions.
    """
    found = [
        _Row(split, image_id, caption, part.concepts[image_id], part.manual[image_id], source)
        for split, part in tables.splits.items()
        for image_id, caption in part.captions.items()
        if image_id in part.concepts and image_id in part.manual and image_id in images[split].members
        for source in [tables.sources.get(image_id)]
        if source
    ]
    _check_captions(found, report)
    _check_concepts(found, tables.names, report)
    licenses, credits = _licenses(found, release.licenses if release else tuple(LICENSES), report)
    elsewhere = _articles_of_several_splits(found)
    columns = {
        "split": [row.split for row in found],
        "image_id": [row.image_id for row in found],
        "caption": [row.caption for row in found],
        "cuis": [row.cuis for row in found],
        "concept_names": [[tables.names.get(code, code) for code in row.cuis] for row in found],
        "manual_cuis": [row.manual for row in found],
        "license": licenses,
        "attribution": credits,
        "pmcid": [row.source.pmcid for row in found],
        "url": [row.source.url for row in found],
        "article_in_other_split": [row.source.pmcid in elsewhere for row in found],
        **_labels(found, report),
    }
    # As they are, and not copied into another kind of string: that would be the largest piece of memory of all.
    rows = pd.DataFrame({name: pd.Series(columns[name], dtype=object) for name in ROW_COLUMNS})
    rows["article_in_other_split"] = rows["article_in_other_split"].astype(bool)
    report.warn("article-in-two-splits", int(rows["article_in_other_split"].sum()))
    return rows


class _Row(NamedTuple):
    split: str
    image_id: str
    caption: str
    cuis: list[str]
    manual: list[str]
    source: Source


def _articles_of_several_splits(rows: list[_Row]) -> set[str]:
    first: dict[str, str] = {}
    return {row.source.pmcid for row in rows if first.setdefault(row.source.pmcid, row.split) != row.split}


def _check_captions(rows: list[_Row], report: Report) -> None:
    for row in rows:
        if not row.caption or row.caption.isspace():
            file = releases.captions_file(SPLITS[row.split])
            report.add("empty-caption", file, row.image_id, expected="a caption", found=repr(row.caption))


def _check_concepts(rows: list[_Row], names: dict[str, str], report: Report) -> None:
    codes = {code for row in rows for code in row.cuis}
    report.warn("cui-without-name", len(codes - names.keys()))
    codes.update(code for row in rows for code in row.manual)
    malformed = {code for code in codes if not is_cui(code)}
    for row in rows:
        all_file, manual_file = (releases.concepts_file(SPLITS[row.split], manual=manual) for manual in (False, True))
        for file, listed in ((all_file, row.cuis), (manual_file, row.manual)):
            wrong = [code for code in listed if code in malformed] if malformed else []
            if wrong:
                report.add("malformed-cui", file, row.image_id, expected="C and seven digits", found=repr(wrong[0]))
            if len(set(listed)) < len(listed):
                report.warn("repeated-cui")
        if not row.cuis:
            report.add("empty-concepts", all_file, row.image_id, expected="at least one concept", found="none")
        if row.cuis[: len(row.manual)] != row.manual:
            report.warn("manual-not-first")


def _labels(rows: list[_Row], report: Report) -> dict[str, list[int | None]]:
    found: dict[str, list[int | None]] = {column: [] for column in LABELS}
    meanings: dict[tuple[str, ...], tuple[Meaning, list[CodeFault]]] = {}  # there are few
    for row in rows:
        manual = tuple(row.manual)
        if manual not in meanings:
            meaning = read_meaning(manual)
            meanings[manual] = meaning, find_code_faults(manual, meaning)
        meaning, faults = meanings[manual]
        for fault in faults:
            file = releases.concepts_file(SPLITS[row.split], manual=True)
            report.add(fault.code, file, row.image_id, expected=fault.expected, found=fault.found)
        modalities, regions, directions = (meaning.named[column] for column in ("modality", "region", "direction"))
        report.warn("two-regions", len(regions) > 1)
        report.warn("two-directions", len(directions) > 1)
        report.warn("region-without-xray", bool(regions or directions) and modalities != [_XRAY])
        for column, label in meaning.labels.items():
            found[column].append(label)
    return found


def _licenses(rows: list[_Row], known: tuple[str, ...], report: Report) -> tuple[list[str], list[str]]:
    """Return the licence of each row, and whom to credit."""
    licenses, credits = [], []
    for row in rows:
        pmcid, attribution, url = row.source
        parsed = _ATTRIBUTION.fullmatch(attribution)
        license, credit = parsed.groups() if parsed else ("", "")
        if license not in known:
            expected = f"{', '.join(known)}, then whom to credit"
            report.add(
                "unknown-license", releases.LICENSE_FILE, row.image_id, expected=expected, found=repr(attribution)
            )
        licenses.append(sys.intern(license))
        credits.append(credit)
        if not PMCID.fullmatch(pmcid):
            report.add("bad-source", releases.LICENSE_FILE, row.image_id, expected="PMC and digits", found=repr(pmcid))
        elif not is_link_to(url, pmcid):
            report.add(
                "bad-source", releases.LICENSE_FILE, row.image_id, expected=f"a link to {pmcid}", found=repr(url)
            )
    return licenses, credits
