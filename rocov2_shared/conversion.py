"""`conversion.json`: what a repository records of its own making. Both wings write and read it here.

Only `rocov2.py` opens it by itself, to hash it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict, TypeVar

from rocov2_shared.errors import UserError
from rocov2_shared.files import write_json
from rocov2_shared.json_values import MAX_BYTES, Fault, parse_json, read_limited
from rocov2_shared.shapes import FLAG, MISSING, SHA256, anything, both, each, nullable, record, text, whole
from rocov2_shared.sizes import format_count

NAME = "conversion.json"

CARD = "README.md"

DOCUMENTS = (CARD, "LICENSE.md", "dataset_infos.json", "croissant.json", "facts.json")
"""Files beside the Parquet files that every repository has and `conversion.json` records; a card with pictures has more."""

MAX_ROWS = 2_000_000
"""Rows of a file, twenty times those of all releases together. Readers plan in memory with the numbers of rows."""

_MAX_ALL_ROWS = 5 * MAX_ROWS
_MAX_SIZE = 10**13
"""Bytes of a file."""
_MAX_FOOTER = 10**8
"""Bytes of a footer, which readers fetch whole: a thousand times those of a shard."""

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


class DocumentRecord(TypedDict):
    """One file beside the Parquet files; README.md as it is in a folder, before publishing names the repository in it."""

    bytes: int
    sha256: str


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
    """By path in the repository, in the order of the rows."""
    documents: dict[str, DocumentRecord]
    """By path in the repository; all other files but this one and .gitattributes, to which the Hub adds."""
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
    content_sha256: NotRequired[str]
    """Hash of all other values (`hash_content`): it shows a change of those that no other file repeats."""


def _check_groups(value: Any, key: str) -> Iterator[Fault]:
    """Compare the row groups of a file with its totals."""
    groups = value.get("row_groups")
    if groups is None:
        return
    rows, sizes = groups["rows"], groups["bytes"]
    if len(rows) != len(sizes):
        yield Fault(f"{key}.row_groups.bytes", f"{format_count(len(rows), 'value')}, as in rows", f"{len(sizes)}")
    if sum(rows) != value["rows"]:
        yield Fault(f"{key}.rows", f"{sum(rows)}, the sum of its row groups", f"{value['rows']}")


def _check_total(value: Any, key: str) -> Iterator[Fault]:
    rows = sum(file["rows"] for file in value.values())
    if rows > _MAX_ALL_ROWS:
        yield Fault(key, f"at most {_MAX_ALL_ROWS:,} rows", f"{rows:,}")


_ROWS, _SIZE = whole(least=1, most=MAX_ROWS), whole(most=_MAX_SIZE)
_FILE = both(
    record(
        rows=_ROWS,
        bytes=_SIZE,
        sha256=SHA256,
        rows_sha256=SHA256,
        footer_bytes=whole(most=_MAX_FOOTER),
        row_groups=record(rows=each(whole(most=MAX_ROWS)), bytes=each(_SIZE)),
        optional=("footer_bytes", "row_groups"),
    ),
    _check_groups,
)
_COUNTS = each(whole(), keys=text())
_SHAPES = {
    "project": record(name=text(), version=text()),
    "release": nullable(text()),
    "partial": FLAG,
    "part": nullable(text()),
    "rows_sha256": each(SHA256, keys=text()),
    "files": both(each(_FILE, keys=text()), _check_total),
    "documents": each(record(bytes=_SIZE, sha256=SHA256), keys=text()),
    "image_modes": _COUNTS,
    "warnings": _COUNTS,
    "noted": each(record(image_id=text(), code=text(), found=text())),
    "left_out": each(record(image_id=text(), code=text(), file=text(), found=text())),
    "versions": each(text(), keys=text()),
    "plan": each(anything, keys=text()),
    "content_sha256": SHA256,
}
_SHAPE = record((), **_SHAPES)


def find_faults(content: Any) -> list[Fault]:
    """Return what of the parsed content of a `conversion.json` has another type or form, or cannot be."""
    return list(_SHAPE(content, ""))


def hash_content(content: Any) -> str:
    """Return the SHA-256 of all values of a `conversion.json` but this hash itself."""
    others = {key: value for key, value in content.items() if key != "content_sha256"}
    return hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()


def write_conversion(root: Path, conversion: ConversionRecord) -> None:
    """Write the `conversion.json` of the repository in the folder `root`."""
    write_json(root / NAME, conversion | {"content_sha256": hash_content(conversion)})


def read_conversion(root: str, take: Callable[[ConversionRecord], Value], remedy: str, expected: str = "") -> Value:
    """Return what `take` extracts from the `conversion.json` of a repository.

    Args:
        root: folder, or `hf://datasets/ORG/NAME@COMMIT`.
        take: extracts the wanted value from the parsed JSON, which may lack any key.
        remedy: what to do if the file is damaged, for the message.
        expected: what `take` extracts, for the message.

    Raises:
        DamagedConversionError: the file is not JSON, has another form, or contains numbers that cannot be; a `UserError`
            and a `ValueError`.
        OSError: there is no such file, or it cannot be read.
    """
    path = f"{root}/{NAME}"
    try:
        content = parse_json(_read(path))
        # A key at the top that is missing is reported when it is taken: not every reader needs all of them.
        faults = [fault for fault in find_faults(content) if fault.found != MISSING or fault.key not in _SHAPES]
        if faults:
            raise ValueError(describe_fault(faults[0]))
        return take(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = str(error) if isinstance(error, ValueError) else "it has another form"
        if isinstance(error, KeyError):
            found = f"{error} is missing"
        what = f", expected {expected}" if expected else ""
        raise DamagedConversionError(f"{path} is damaged{what} ({found}): {remedy}") from error


def describe_fault(fault: Fault) -> str:
    """Return a fault in words: `partial: expected true or false, found 1`."""
    return f"{fault.key or 'the whole'}: expected {fault.expected}, found {fault.found}"


def _read(path: str) -> bytes:
    if "://" not in path:
        return read_limited(Path(path))
    import fsspec  # only for repositories of the Hub

    with fsspec.open(path, "rb") as file:
        content: bytes = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
    return content
