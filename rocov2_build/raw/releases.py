"""The releases of ROCOv2: their Zenodo records, files and published numbers.

Numbers: Rückert et al., Scientific Data 11:688 (2024), and the releases' own files. Release 2.0.1 is release 1 less 291
images, not renumbered: ids have holes, and the highest ids are still those of release 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

RAW_SPLITS = ("train", "valid", "test")
"""Names of the splits in a release: the values of `rocov2.SPLITS`, which would import `datasets`, while `--help` needs only
the names of the releases. A test compares them."""

MAPPING_FILE = "cui_mapping.csv"
LICENSE_FILE = "license_information.csv"


def images_file(raw_split: str) -> str:
    """Name of the zip of a split (`train`, `valid`, `test`)."""
    return f"{raw_split}_images.zip"


def captions_file(raw_split: str) -> str:
    """Name of the table of captions of a split."""
    return f"{raw_split}_captions.csv"


def concepts_file(raw_split: str, manual: bool = False) -> str:
    """Name of the table of concepts of a split: all, or those curated by hand."""
    return f"{raw_split}_concepts{'_manual' if manual else ''}.csv"


HEADERS = {
    **{captions_file(raw): ("ID", "Caption") for raw in RAW_SPLITS},
    **{concepts_file(raw, manual): ("ID", "CUIs") for raw in RAW_SPLITS for manual in (False, True)},
    MAPPING_FILE: ("CUI", "Canonical name"),
    LICENSE_FILE: ("ID", "PMCID", "Attribution", "Link"),
}
"""First line of every table of a release."""

FILES = (*HEADERS, *(images_file(raw) for raw in RAW_SPLITS))
"""The 14 files of a release."""


@dataclass(frozen=True)
class Release:
    """One release. Keys of the dictionaries are the repository's splits; None where no number is published.

    Attributes:
        name: version as its Zenodo record states it.
        record: number of that record.
        licenses: licences that its images have.
        images: number of images.
        highest: number in the highest image id, None where unknown.
        concepts: number of concepts over all images of a split (`*_concepts.csv`).
        train_manual: in train, images by code of the manual list; "" counts the empty lists.
        note: what a user should know about it, one line of Markdown.
    """

    name: str
    record: int
    licenses: tuple[str, ...]
    images: dict[str, int]
    highest: dict[str, int | None]
    concepts: dict[str, int] | None = None
    train_manual: dict[str, int] | None = None
    note: str = ""

    @property
    def doi(self) -> str:
        """DOI of the record."""
        return f"10.5281/zenodo.{self.record}"

    @property
    def url(self) -> str:
        """Page of the record."""
        return f"https://zenodo.org/records/{self.record}"


_LICENSES = ("CC BY", "CC BY-NC")

RELEASES = {
    "2.0.1": Release(
        name="2.0.1",
        record=10821435,
        licenses=_LICENSES,
        images={"train": 59_958, "validation": 9_904, "test": 9_927},
        note="the latest; ids as in version 1, with holes",
        highest={"train": 60_163, "validation": None, "test": 9_972},
        concepts={"train": 200_734, "validation": 33_509, "test": 33_874},
        train_manual={
            "C0040405": 20_459,
            "C1306645": 16_603,
            "C0024485": 9_790,
            "C0041618": 8_305,
            "C0002978": 3_958,
            "C0032743": 350,
            "": 493,
            "C0817096": 5_463,
            "C0037303": 3_216,
            "C0023216": 2_293,
            "C0000726": 1_747,
            "C0030797": 1_257,
            "C1140618": 1_119,
            "C0037949": 1_073,
            "C0006141": 56,
            "C1999039": 7_111,
            "C1996865": 3_393,
            "C0205129": 1_868,
            "C0205106": 29,
        },
    ),
    "1": Release(
        name="1",
        record=8333645,
        licenses=_LICENSES,
        images={"train": 60_163, "validation": 9_945, "test": 9_972},
        note="291 images more, which were withdrawn later",
        highest={"train": 60_163, "validation": 9_945, "test": 9_972},
    ),
}

LATEST = "2.0.1"

SAMPLE = "sample"
SAMPLE_FIRST_NUMBER = 900_001
"""Image ids from this number on mark the project's own sample: no release has them."""


def image_number(image_id: str) -> int:
    """The number in an image id: `ROCOv2_2023_train_000001` -> 1."""
    return int(image_id.rpartition("_")[2])


def identify(counts: dict[str, int], lowest: int, highest: int) -> str | None:
    """Return the release with these numbers of images by split and these lowest and highest image numbers, or None."""
    if lowest >= SAMPLE_FIRST_NUMBER:
        return SAMPLE
    for release in RELEASES.values():
        if release.images == counts and highest <= max(number or 0 for number in release.highest.values()):
            return release.name
    return None


def describe_part(limit: int | None, splits: Iterable[str]) -> str | None:
    """Return the options that make a build a part of a release, such as `--limit 100 --split test`; None for the whole."""
    chosen = [f"--limit {limit}"] if limit else []
    return " ".join([*chosen, *(f"--split {split}" for split in sorted(set(splits)))]) or None
