"""Checks of arguments, with the bad value and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets.utils.py_utils import convert_file_size_to_int


def require_integer(option: str, value: Any, least: int) -> None:
    """Raise ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{option}={value!r}: expected an integer from {least} on")


def require_choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{option}={value!r}: expected one of {', '.join(choices)}")


def number_of_bytes(option: str, value: str | int) -> int:
    """Bytes of a size such as "64MB" (10^6) or "64MiB" (2^20).

    Raises:
        ValueError: it is none, or not positive.
    """
    try:
        size: int = convert_file_size_to_int(value)
    except (ValueError, TypeError, AttributeError):
        size = 0
    if size <= 0:
        raise ValueError(f'{option}={value!r}: expected a number of bytes, or a size such as "64MB"')
    return size
