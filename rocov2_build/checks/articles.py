"""The rule of `article_in_other_split`: it says where the articles of the images are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from rocov2_build.checks.row_faults import name_rows
from rocov2_build.checks.row_sequence import Part
from rocov2_build.checks.violations import Check

_FLAG = "article_in_other_split"


def check_articles(check: Check, splits: Mapping[str, Sequence[Part]], is_whole: bool) -> None:
    """Compare `article_in_other_split` with the articles of all splits.

    Args:
        check: collects the violations.
        splits: the files with images, by split.
        is_whole: whether the repository has all images of the release. In a part of it an article may be in a split that
            was left out: then its images only have to agree.
    """
    tables = [
        part.rows.select(["pmcid", _FLAG]).append_column("split", pa.array([split] * len(part.rows)))
        for split, parts in splits.items()
        for part in parts
    ]
    if not tables:
        return
    articles = pa.concat_tables(tables).drop_null().group_by("pmcid")
    found = articles.aggregate([("split", "count_distinct"), (_FLAG, "any")])
    several = pc.greater(found["split_count_distinct"], 1)
    # The flag counts the whole release: it is true for all images of an article or for none.
    right = several if is_whole else pc.or_(several, found[f"{_FLAG}_any"])
    pmcids = found["pmcid"].combine_chunks()
    for split, parts in splits.items():
        for part in parts:
            expected = right.take(pc.index_in(part.rows["pmcid"], pmcids))
            wrong = pc.indices_nonzero(pc.fill_null(pc.not_equal(part.rows[_FLAG], expected), False))
            if len(wrong):
                row = wrong[0].as_py()
                article, wanted = part.rows["pmcid"][row], str(expected[row]).lower()
                others = sorted(other for other in splits if other != split and _has(splits[other], str(article)))
                where = f"{article} is {'also in ' + ' and '.join(others) if others else f'only in {split}'}"
                if not others and wanted == "true":
                    where = f"as other images of {article} have"
                shown = f"{part.rows[_FLAG][row]}".lower()
                first = name_rows(str(part.rows["image_id"][row]), len(wrong))
                check.add("article", part.file, expected=f"{wanted} in {_FLAG}: {where}", found=f"{shown} in {first}")


def _has(parts: Sequence[Part], pmcid: str) -> bool:
    return any(pc.any(pc.equal(part.rows["pmcid"], pmcid)).as_py() for part in parts)
