"""The table of verbs: what `rocov2 --help` prints, known without importing a verb."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """One verb; its command is `main` of the module `rocov2_commands.VERB`.

    Attributes:
        summary: one sentence about it.
        alias: the other way to start it, in a clone of the project.
        reads_parquet: whether it reads or writes Parquet files.
    """

    summary: str
    alias: str
    reads_parquet: bool = True


VERBS = {
    "download": Verb(
        "Download the raw release from Zenodo and verify every file.",
        "python scripts/download_release.py",
        reads_parquet=False,
    ),
    "convert": Verb(
        "Convert the raw release to a Parquet repository.",
        "python scripts/convert_to_parquet.py",
    ),
    "check": Verb(
        "Check a repository against every rule and report all violations.",
        "python scripts/check_repository.py",
    ),
    "show": Verb(
        "Show what load_dataset returns for a repository.",
        "python scripts/show_repository.py",
    ),
    "preview": Verb(
        "Write the card and the first rows of a repository as HTML pages.",
        "python -m rocov2_build.preview",
    ),
    "publish": Verb(
        "Check, upload, verify and tag a repository on the Hub.",
        "python scripts/publish_to_hub.py",
    ),
    "export": Verb(
        "Export a repository to the formats of other tools.",
        "python scripts/export.py",
    ),
    "score": Verb(
        "Score a submission of ImageCLEFmedical Caption against a split.",
        "python -m rocov2_tasks.score",
    ),
    "baseline": Verb(
        "Fit and score small concept detectors and captioners.",
        "python -m rocov2_tasks.baseline",
    ),
    "explore": Verb(
        "Search the images and captions of a repository in a browser.",
        "python -m rocov2_tasks.explore",
    ),
}
