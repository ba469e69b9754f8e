"""The tables joined: one pandas row per image, with labels, names and licences derived; what cannot be is a problem."""

from __future__ import annotations

import re

import pandas as pd

from rocov2 import DIRECTIONS, LICENSES, MODALITIES, REGIONS, SPLITS, TEXT_FEATURES
from rocov2_build import releases
from rocov2_build.archives import Images
from rocov2_build.problems import Report
from rocov2_build.tables import CUI, Tables

_PMCID = re.compile(r"PMC\d+", re.ASCII)
# A space must follow, and no other condition: neither "CC BY-ND ..." nor "CC BY ND ..." may pass for "CC BY".
_ATTRIBUTION = re.compile(
    rf"({'|'.join(sorted(map(re.escape, LICENSES), key=len, reverse=True))})\s+(?!(?:NC|ND|SA)\b)(\S.*)", re.DOTALL
)
_LABELS = {
    "modality": {cui: label for label, cui in enumerate(MODALITIES.values()) if cui},
    "region": {cui: label for label, cui in enumerate(REGIONS.values())},
    "direction": {cui: label for label, cui in enumerate(DIRECTIONS.values())},
}
_MANUAL_CODES = frozenset(cui for codes in _LABELS.values() for cui in codes)
_COMBINED = list(MODALITIES).index("combined")
_XRAY = list(MODALITIES).index("X-ray")

MEASURED = ("width", "height")
"""Columns that only the image itself can tell; the shards' writer adds them."""

COLUMNS = ["split", *(name for name in TEXT_FEATURES if name not in MEASURED)]
"""Columns of a row: its split in the repository, then those of the features that the tables can tell."""


def join_tables(
    tables: Tables, images: dict[str, Images], release: releases.Release | None, report: Report
) -> pd.DataFrame:
    """One row per image that stands in every table and archive, with the columns of `COLUMNS`.

    Labels are int, or None where the release has none; lists are lists of str; `article_in_other_split` is bool; the rest
    is str.

    Args:
        tables: from `read_tables`.
        images: images by split of the repository.
        release: the named release, whose licences alone are then known; None for any.
        report: takes every problem; a row at fault stays in the result.

    Returns:
        The rows by split, in the order of the release's captions.
    """
    rows = pd.DataFrame(
        [
            (split, i, caption, part.concepts[i], part.manual[i], source.pmcid, source.attribution, source.url)
            for split, part in tables.splits.items()
            for i, caption in part.captions.items()
            if i in part.concepts and i in part.manual and i in images[split].members
            for source in [tables.sources.get(i)]
            if source
        ],
        columns=["split", "image_id", "caption", "cuis", "manual_cuis", "pmcid", "attribution", "url"],
    )
    _check_captions(rows, report)
    _check_concepts(rows, tables.names, report)
    rows["concept_names"] = [[tables.names.get(code, code) for code in codes] for codes in rows["cuis"]]
    _add_labels(rows, report)
    _add_licenses(rows, release.licenses if release else tuple(LICENSES), report)
    splits_of_article = rows.groupby("pmcid")["split"].nunique()
    rows["article_in_other_split"] = rows["pmcid"].map(splits_of_article) > 1
    report.warn("article-in-two-splits", int(rows["article_in_other_split"].sum()))
    return rows[COLUMNS]


def _check_captions(rows: pd.DataFrame, report: Report) -> None:
    for split, image_id, caption in rows[["split", "image_id", "caption"]].itertuples(index=False):
        if not caption.strip():
            file = releases.captions_file(SPLITS[split])
            report.add("empty-caption", file, image_id, expected="a caption", found=repr(caption))


def _check_concepts(rows: pd.DataFrame, names: dict[str, str], report: Report) -> None:
    unnamed: set[str] = set()
    for split, image_id, codes, manual in rows[["split", "image_id", "cuis", "manual_cuis"]].itertuples(index=False):
        all_file, manual_file = (releases.concepts_file(SPLITS[split], manual=manual) for manual in (False, True))
        for file, listed in ((all_file, codes), (manual_file, manual)):
            wrong = [code for code in listed if not CUI.fullmatch(code)]
            if wrong:
                report.add("malformed-cui", file, image_id, expected="C and seven digits", found=repr(wrong[0]))
            report.warn("repeated-cui", len(set(listed)) < len(listed))
        if not codes:
            report.add("empty-concepts", all_file, image_id, expected="at least one concept", found="none")
        report.warn("manual-not-first", codes[: len(manual)] != manual)
        unnamed.update(code for code in codes if code not in names)
    report.warn("cui-without-name", len(unnamed))


def _add_labels(rows: pd.DataFrame, report: Report) -> None:
    found: dict[str, list[int | None]] = {column: [] for column in _LABELS}
    for split, image_id, manual in rows[["split", "image_id", "manual_cuis"]].itertuples(index=False):
        file = releases.concepts_file(SPLITS[split], manual=True)
        modalities, regions, directions = (
            list(dict.fromkeys(codes[code] for code in manual if code in codes)) for codes in _LABELS.values()
        )
        unknown = [code for code in manual if code not in _MANUAL_CODES and CUI.fullmatch(code)]
        if unknown:
            expected = f"one of {len(_MANUAL_CODES)} codes"
            report.add("unknown-manual-code", file, image_id, expected=expected, found=unknown[0])
        if len(modalities) > 1:
            report.add("two-modalities", file, image_id, expected="one modality", found=";".join(manual))
        if manual and not modalities:
            report.add("no-modality", file, image_id, expected="a modality, or an empty list", found=";".join(manual))
        report.warn("two-regions", len(regions) > 1)
        report.warn("two-directions", len(directions) > 1)
        report.warn("region-without-xray", bool(regions or directions) and modalities != [_XRAY])
        found["modality"].append(modalities[0] if modalities else _COMBINED)
        found["region"].append(regions[0] if regions else None)
        found["direction"].append(directions[0] if directions else None)
    for column, labels in found.items():
        rows[column] = pd.Series(labels, dtype=object, index=rows.index)


def _add_licenses(rows: pd.DataFrame, known: tuple[str, ...], report: Report) -> None:
    licenses, credits = [], []
    for image_id, attribution, pmcid, url in rows[["image_id", "attribution", "pmcid", "url"]].itertuples(index=False):
        parsed = _ATTRIBUTION.fullmatch(attribution)
        license, credit = parsed.groups() if parsed else ("", "")
        if license not in known:
            expected = f"{', '.join(known)}, then whom to credit"
            report.add("unknown-license", releases.LICENSE_FILE, image_id, expected=expected, found=repr(attribution))
        licenses.append(license)
        credits.append(credit)
        if not _PMCID.fullmatch(pmcid):
            report.add("bad-source", releases.LICENSE_FILE, image_id, expected="PMC and digits", found=repr(pmcid))
        elif not (url.startswith(("https://", "http://")) and url.rstrip("/").endswith(f"/{pmcid}")):
            report.add("bad-source", releases.LICENSE_FILE, image_id, expected=f"a link to {pmcid}", found=repr(url))
    rows["license"] = licenses
    rows["attribution"] = credits
