"""The reference texts of a repository, for measures and baselines, and where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
from datasets.exceptions import DatasetsError

import rocov2
from rocov2_shared.conversion import read_conversion
from rocov2_shared.errors import UserError


@dataclass(frozen=True)
class Provenance:
    """The data that a score belongs to, from the `conversion.json` of the repository.

    Attributes:
        root: absolute folder, or `hf://datasets/ORG/NAME@COMMIT`, from which that commit is loaded.
        release: `2.0.1`, `1`, or `sample` (not a release); None if it was built with `--release any`.
        partial: whether the repository contains only a part of the release.
        rows_sha256: hash of its rows.
    """

    root: str
    release: str | None
    partial: bool
    rows_sha256: str

    def __str__(self) -> str:
        """Return words for a person, such as `ROCOv2 2.0.1, rows 69928f86973b`."""
        named = {None: "no known release", "sample": "the sample"}
        what = named.get(self.release, f"ROCOv2 {self.release}")
        part = "part of " if self.partial and self.release != "sample" else ""
        return f"{part}{what}, rows {self.rows_sha256[:12]}"


def read_provenance(repository: str) -> Provenance:
    """Read where the rows of `repository` come from.

    Raises:
        FileNotFoundError: there is no repository.
        UserError: its dataset_infos.json or conversion.json is damaged.
    """
    try:
        root = rocov2.Repository.open(repository).root
    except ValueError as error:
        raise UserError(str(error)) from error
    return read_conversion(
        root,
        lambda content: Provenance(root, content["release"], content["partial"], content["rows_sha256"]["text"]),
        "build the repository again, or download that file again",
    )


def load_texts(repository: str, split: str, columns: Sequence[str], limit: int | None = None) -> dict[str, list[Any]]:
    """Return columns of the configuration `text` as lists, of at most `limit` rows.

    Args:
        repository: folder, `ORG/NAME` on the Hub, or `hf://datasets/ORG/NAME[@REVISION]`.
        split: `train`, `validation` or `test`.

    Raises:
        FileNotFoundError: there is no repository, or one of its files is missing.
        UserError: the repository does not have the split, or one of its files is damaged.
    """
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        rows = rocov2.load(repository, "text", split=split, columns=columns)
    except ValueError as error:
        raise UserError(str(error)) from error
    except DatasetsError as error:
        raise UserError(
            f"{repository}: the texts of {split} cannot be read ({error.__cause__ or error}): check the repository with "
            "rocov2 check, or build it again"
        ) from error
    finally:
        if shown:
            datasets.enable_progress_bars()
    if limit is not None:
        rows = rows.select(range(min(limit, len(rows))))
    return {name: list(rows[name]) for name in columns}
