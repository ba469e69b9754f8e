"""`conversion.json`: what a repository records of its own making. Both wings write and read it here.

Only `rocov2.py` opens it by itself, to hash it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NotRequired, TypedDict, TypeVar

from rocov2_shared.errors import UserError
from rocov2_shared.files import write_json

NAME = "conversion.json"

Value = TypeVar("Value")


class DamagedConversionError(UserError, ValueError):
    """`conversion.json` is not JSON, or does not record what is asked for."""


class RowGroups(TypedDict):
    """Rows and bytes of each row group of a file."""

    rows: list[int]
    bytes: list[int]


class FileRecord(TypedDict):
    """One Parquet file; `rows_sha256` is a hash of its rows, which another layout does not change."""

    rows: int
    bytes: int
    sha256: str
    rows_sha256: str
    footer_bytes: NotRequired[int]  # missing in repositories of older versions
    row_groups: NotRequired[RowGroups]


class Noted(TypedDict):
    """An image that is in the repository though there is something to know of it; `found` may be empty."""

    image_id: str
    code: str
    found: str


class LeftOut(TypedDict):
    """An image that is not in the repository, and why."""

    image_id: str
    code: str
    file: str
    found: str


class ConversionRecord(TypedDict):
    """The content of `conversion.json`, with its keys in their order."""

    project: dict[str, str]
    release: str | None
    partial: bool
    part: str | None
    rows_sha256: dict[str, str]
    """By configuration."""
    files: dict[str, FileRecord]
    """By path in the repository."""
    image_modes: dict[str, int]
    """Number of images by Pillow mode."""
    warnings: dict[str, int]
    """Number of cases by code."""
    noted: list[Noted]
    """The images behind the warnings that only the pictures themselves show."""
    left_out: list[LeftOut]
    versions: dict[str, str]
    plan: dict[str, Any]
    """Everything that decided the bytes of the files."""


def write_conversion(root: Path, conversion: ConversionRecord) -> None:
    """Write the `conversion.json` of the repository in the folder `root`."""
    write_json(root / NAME, conversion)


def read_conversion(root: str, take: Callable[[ConversionRecord], Value], remedy: str, expected: str = "") -> Value:
    """Return what `take` extracts from the `conversion.json` of a repository.

    Args:
        root: folder, or `hf://datasets/ORG/NAME@COMMIT`.
        take: extracts the wanted value from the parsed JSON, which may lack any key.
        remedy: what to do if the file is damaged, for the message.
        expected: what `take` extracts, for the message.

    Raises:
        DamagedConversionError: the file is not JSON, or has another form; a `UserError` and a `ValueError`.
        OSError: there is no such file, or it cannot be read.
    """
    path = f"{root}/{NAME}"
    try:
        return take(json.loads(_read(path)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = str(error) if isinstance(error, ValueError) else "it has another form"
        if isinstance(error, KeyError):
            found = f"{error} is missing"
        what = f", expected {expected}" if expected else ""
        raise DamagedConversionError(f"{path} is damaged{what} ({found}): {remedy}") from error


def _read(path: str) -> bytes:
    if "://" not in path:
        return Path(path).read_bytes()
    import fsspec  # only for repositories of the Hub

    with fsspec.open(path, "rb") as file:
        content: bytes = file.read()
        return content
