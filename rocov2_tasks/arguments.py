"""Checks of arguments: an error names the argument, shows its value and says what is allowed."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

from rocov2_shared.sizes import parse_size


def require_integer(option: str, value: Any, least: int) -> None:
    """Raise ValueError unless `value` is an integer (also one of NumPy) of at least `least`."""
    try:
        right = not isinstance(value, bool) and operator.index(value) >= least
    except TypeError:
        right = False
    if not right:
        raise ValueError(f"{option}={value!r}: expected an integer of at least {least}")


def require_choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{option}={value!r}: expected one of {', '.join(choices)}")


def number_of_bytes(option: str, value: str | int) -> int:
    """Return the bytes of a size: a positive integer, or text such as "64MB" (10^6) or "64MiB" (2^20).

    Raises:
        ValueError: `value` is not a size, or not positive.
    """
    try:
        if isinstance(value, bool):  # an integer to Python: one byte
            raise TypeError
        return parse_size(value) if isinstance(value, str) else parse_size(str(operator.index(value)))
    except (TypeError, ValueError):
        raise ValueError(f'{option}={value!r}: expected a number of bytes, or a size such as "64MB"') from None


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
        raise ValueError(f"{option}={value!r}{unordered}: expected {what}")
    return strings
