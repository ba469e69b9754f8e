"""The ids of the release: of an image, of an article and of a concept, each with its one pattern."""

from __future__ import annotations

import re

CUI = re.compile(r"C\d{7}", re.ASCII)
"""A UMLS concept code, such as `C0040405`."""

PMCID = re.compile(r"PMC\d+", re.ASCII)
"""A PubMed Central id of an article, such as `PMC4608653`."""

ARTICLE_LINK = re.compile(r"https?://[^\s/]+/(?:\S*/)?(?P<pmcid>PMC\d+)/*", re.ASCII)
"""A link to an article: its last part is the PubMed Central id. RE2, which pyarrow uses, reads the pattern alike."""


def image_id_pattern(*raw_splits: str) -> re.Pattern[str]:
    """Return the pattern of the image ids of these splits, named as in the release: `ROCOv2_2023_valid_012345`."""
    return re.compile(rf"ROCOv2_2023_(?:{'|'.join(raw_splits)})_\d{{6}}", re.ASCII)


def is_link_to(url: str, pmcid: str) -> bool:
    """Return whether `url` is a link to the article `pmcid`."""
    link = ARTICLE_LINK.fullmatch(url)
    return link is not None and link["pmcid"] == pmcid


def is_cui(text: str) -> bool:
    """Return whether `text` has the form of a CUI."""
    return CUI.fullmatch(text) is not None
