"""Values as tools give them, made plain or put into words. Only the standard library."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

LONGEST = 110
"""Characters of an error that are kept."""


def format_channels(count: int) -> str:
    """`1 channel`, `3 channels`."""
    return "1 channel" if count == 1 else f"{count} channels"


def plain(value: Any) -> Any:
    """A value without the types of NumPy, PyArrow and torch."""
    for method in ("as_py", "item"):
        if hasattr(value, method):
            try:
                return getattr(value, method)()
            except (ValueError, TypeError, RuntimeError):
                break
    return value


def as_list(value: Any) -> Any:
    """A list of strings from whatever stands for one."""
    for method in ("tolist", "to_pylist", "as_py"):
        if hasattr(value, method):
            value = getattr(value, method)()
    if isinstance(value, (list, tuple)):
        return [entry.decode() if isinstance(entry, bytes) else plain(entry) for entry in value]
    return value


def describe_null(raw: Any) -> str:
    """What a null became, in a word or two."""
    value = plain(raw)
    if value is None:
        return "None"
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if type(value).__name__ in ("NAType", "NaTType"):
        return type(value).__name__.removesuffix("Type")
    if isinstance(value, int) and abs(value) >= 1 << 31:
        return f"the number {value}"
    return repr(value)


def describe_error(error: BaseException) -> str:
    """Name and first line of an error, shortened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("An error occurred while calling"):  # py4j: the cause is in the next line
        lines = lines[1:]
    text = " ".join((lines[0] if lines else "").replace(os.getcwd() + "/", "").split()).removeprefix(": ")
    return f"{type(error).__name__}: {text if len(text) <= LONGEST else text[:LONGEST] + ' ...'}".rstrip(": ")


def attempt(probe: Callable[[], Any]) -> Any:
    """The result, or the error in a line: for what may fail without ending the probe."""
    try:
        return probe()
    except Exception as error:
        return describe_error(error)
