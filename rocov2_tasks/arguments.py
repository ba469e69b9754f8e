"""Checks of arguments: an error names the argument, shows its value and says what is allowed."""

from __future__ import annotations

import numbers
from collections.abc import Collection, Iterable, Iterator, Set
from typing import Any

import numpy as np

from rocov2_shared.sizes import parse_size

Integer = int | np.integer[Any]
"""An integer of Python or NumPy."""

MOST = 2**63 - 1
"""The largest integer, by default: larger ones do not fit into an int64."""

_SHOWN = 100
"""Characters of a value that a message shows."""


def shown(value: Any) -> str:
    """Return a value in short for a message."""
    try:
        text = repr(value)
    except Exception:  # such as an integer of more digits than Python converts
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def plain_integer(value: Any) -> int | None:
    """Return any integral number, also one of NumPy, as a plain integer; None for all else: True, 3.0, "3", arrays."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        return None
    return int(value)


def require_integer(option: str, value: Any, least: int, most: int = MOST) -> int:
    """Return an integer as a plain one, which JSON takes.

    Raises:
        ValueError: `value` is not an integer from `least` to `most`; integers of NumPy are, arrays are not.
    """
    number = plain_integer(value)
    if number is None or not least <= number <= most:
        unbounded = most == MOST and (number is None or number < least)
        limit = f"of at least {least}" if unbounded else f"from {least:,} to {most:,}"
        raise ValueError(f"{option}={shown(value)}: expected an integer {limit}")
    return number


def require_flag(option: str, value: Any) -> bool:
    """Return True or False; also for those of NumPy, and for 1 and 0.

    Raises:
        ValueError: `value` is something else.
    """
    if isinstance(value, (bool, np.bool_)) or plain_integer(value) in (0, 1):
        return bool(value)
    raise ValueError(f"{option}={shown(value)}: expected True or False")


def require_choice(option: str, value: Any, choices: Collection[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{option}={shown(value)}: expected one of {', '.join(choices)}")


def number_of_bytes(option: str, value: str | int) -> int:
    """Return the bytes of a size: a positive integer, or text such as "64MB" (10^6) or "64MiB" (2^20).

    Raises:
        ValueError: `value` is not a size, or not positive.
    """
    number = plain_integer(value)
    try:
        if number is not None:
            return require_integer(option, min(number, MOST), 1)
        if not isinstance(value, str):
            raise TypeError
        return parse_size(value)
    except (TypeError, ValueError):
        raise ValueError(f'{option}={shown(value)}: expected a number of bytes, or a size such as "64MB"') from None


def strings_of(option: str, value: str | Iterable[str], what: str, ordered: bool = False) -> tuple[str, ...]:
    """Return one string, or the strings of a list (or of a set, unless they must be `ordered`), as a tuple.

    Raises:
        ValueError: the collection is empty or contains other values; it is an iterator, which would be used up by the first
            of several splits.
    """
    if isinstance(value, str):
        return (value,)
    fit = isinstance(value, Iterable) and not isinstance(value, Iterator) and not (ordered and isinstance(value, Set))
    strings = tuple(value) if fit else ()
    if not strings or not all(isinstance(string, str) for string in strings):
        unordered = ": a set has no order" if isinstance(value, Set) and ordered and value else ""
        raise ValueError(f"{option}={shown(value)}{unordered}: expected {what}")
    return strings
