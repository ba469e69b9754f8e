"""The texts of a repository's splits, for what is scored and what learns from them: loaded by `load_dataset`."""

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
    """What a number that was measured on a repository belongs to, from its `conversion.json`.

    Attributes:
        root: absolute folder, or `hf://datasets/ORG/NAME@COMMIT`: what is loaded from there is of that commit.
        release: `2.0.1` or `1`; `sample`, which is none; None where it was not held against one (`--release any`).
        partial: whether it holds a part of it.
        rows_sha256: hash of its rows: equal where the rows are.
    """

    root: str
    release: str | None
    partial: bool
    rows_sha256: str

    def __str__(self) -> str:
        """For a person, such as `ROCOv2 2.0.1, rows 69928f86973b`."""
        named = {None: "no known release", "sample": "the sample"}
        what = named.get(self.release, f"ROCOv2 {self.release}")
        part = "part of " if self.partial and self.release != "sample" else ""
        return f"{part}{what}, rows {self.rows_sha256[:12]}"


def read_provenance(repository: str) -> Provenance:
    """Read what `repository` was made of.

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
        lambda stated: Provenance(root, stated["release"], stated["partial"], stated["rows_sha256"]["text"]),
        "build the repository again, or download that file again",
    )


def load_texts(repository: str, split: str, columns: Sequence[str], limit: int | None = None) -> dict[str, list[Any]]:
    """Columns of the configuration `text`, as lists; of the first `limit` rows.

    Args:
        repository: folder, `ORG/NAME` on the Hub, or `hf://datasets/ORG/NAME[@REVISION]`.
        split: `train`, `validation` or `test`.

    Raises:
        FileNotFoundError: there is no repository, or one of its files is missing.
        UserError: it has no such split, or a file of it is damaged.
    """
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        rows = rocov2.load(repository, "text", split=split, columns=columns)
    except ValueError as error:
        raise UserError(str(error)) from error
    except DatasetsError as error:
        raise UserError(
            f"{repository}: the texts of {split} cannot be read ({error.__cause__ or error}): find out what is wrong with "
            "check_repository.py, or build it again"
        ) from error
    finally:
        if shown:
            datasets.enable_progress_bars()
    if limit is not None:
        rows = rows.select(range(min(limit, len(rows))))
    return {name: list(rows[name]) for name in columns}
