"""Documents of a repository, read so that whatever their bytes are is a violation and never an exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rocov2_build.card.texts import split_front_matter
from rocov2_build.checks.violations import Check
from rocov2_shared.json_values import parse_json, read_limited
from rocov2_shared.system_errors import describe_os_error


def read_content(check: Check, name: str) -> bytes | None:
    """Return the content of a file; None if it is missing (`check_names` reports that) or cannot be read."""
    if name not in check.files:
        return None
    try:
        return read_limited(check.root / name)
    except OSError as error:
        check.add("damaged-file", name, expected="a file that can be read", found=describe_os_error(error))
    except ValueError as error:
        check.add("damaged-file", name, expected="a smaller file", found=error)
    return None


def read_json(check: Check, name: str) -> Any:
    """Return the value in a JSON file; None if the file is missing or damaged."""
    content = read_content(check, name)
    if content is None:
        return None
    try:
        value = parse_json(content)
    except ValueError as error:
        check.add("damaged-file", name, expected="JSON", found=error)
        return None
    if not isinstance(value, dict):
        check.add("damaged-file", name, expected="an object", found=type(value).__name__)
        return None
    return value


def read_card(check: Check, name: str) -> dict[Any, Any] | None:
    """Return the YAML at the top of the card; None if the file is missing or damaged, or begins with something else."""
    content = read_content(check, name)
    if content is None:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        check.add("damaged-file", name, expected="UTF-8", found=error)
        return None
    try:
        metadata, _ = split_front_matter(text)
    except ValueError as error:
        check.add("yaml", name, expected="YAML", found=error)
        return None
    if not metadata:
        check.add("yaml", name, expected="YAML between two lines ---", found="none")
        return None
    return metadata


def describe_absence(path: Path) -> str:
    """Return what is at the path of a file that is missing."""
    if path.is_dir():
        return "a folder"
    return "a link to a missing file" if path.is_symlink() else "none"
