"""Articles: their years, and their numbers of images."""

from __future__ import annotations

from pathlib import Path

from rocov2_build.facts.compute import compute_row_facts
from tests.build.facts.test_compute import in_splits
from tests.support.raw import make_raw


def test_years_and_numbers_of_images_of_articles(tmp_path: Path) -> None:
    raw = make_raw(14, 2, 1)
    for image, attribution in zip(
        raw.splits["train"],
        [
            "CC BY A (2019)",
            "CC BY B et al. (2021a)",
            "CC BY C (2021) ",
            "CC BY D 2021",
            "CC BY (2020) E",
            "CC BY F (1820)",
        ],
        strict=False,
    ):
        image.attribution = attribution
    for image in [image for split in raw.splits.values() for image in split][6:]:
        image.attribution = "CC BY G (2021)"
    for image in raw.splits["train"]:
        image.pmcid, image.link = "PMC1", "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC1"
    articles = compute_row_facts(raw.build(tmp_path / "rocov2"))["articles"]
    assert articles["years"] == {
        "2019": in_splits(1, 0, 0),
        "2021": in_splits(10, 2, 1),
        "unknown": in_splits(3, 0, 0),
    }
    assert articles["histogram"]["articles"][-1] == 1  # 14 or more images, in the last bin
