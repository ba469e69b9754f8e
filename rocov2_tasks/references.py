"""The texts of a repository's splits, for what is scored and what learns from them: loaded by `load_dataset`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
from datasets.exceptions import DatasetsError

import rocov2
from rocov2_errors import UserError


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
