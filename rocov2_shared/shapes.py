"""Shapes of JSON values: which types, ranges and keys a file must have.

A shape takes a value and the key where it is, and yields a `Fault` for each part that differs:
`record(rows=whole(most=10))({"rows": -1}, "")` yields `Fault("rows", "a whole number from 0 to 10", "-1")`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from rocov2_shared.json_values import Fault, extend, show

Shape = Callable[[Any, str], Iterator[Fault]]

MISSING = "nothing"
"""What is found in place of a key that is missing."""


def _single(expected: str, holds: Callable[[Any], object]) -> Shape:
    def check(value: Any, key: str) -> Iterator[Fault]:
        if not holds(value):
            yield Fault(key, expected, show(value))

    return check


def anything(value: Any, key: str) -> Iterator[Fault]:
    """Take any value: the shape of all."""
    yield from ()


def whole(least: int = 0, most: int = 2**53) -> Shape:
    """Return the shape of a whole number in a range."""
    expected = f"a whole number from {least:,} to {most:,}"
    return _single(expected, lambda value: type(value) is int and least <= value <= most)


def text(pattern: str | None = None, expected: str = "text") -> Shape:
    """Return the shape of a text; the whole of it must match `pattern`, which `expected` words."""
    return _single(expected, lambda value: isinstance(value, str) and (not pattern or re.fullmatch(pattern, value)))


SHA256 = text("[0-9a-f]{64}", "a SHA-256, as 64 lower-case hex digits")

FLAG = _single("true or false", lambda value: isinstance(value, bool))


def choice(values: Collection[Any]) -> Shape:
    """Return the shape of one of some values."""
    allowed = ", ".join(map(show, values))
    return _single(f"one of {allowed}", lambda value: any(type(value) is type(one) and value == one for one in values))


def nullable(shape: Shape) -> Shape:
    """Return a shape that null has, too."""

    def check(value: Any, key: str) -> Iterator[Fault]:
        for fault in shape(value, key) if value is not None else ():
            yield fault._replace(expected=f"{fault.expected} or null") if fault.key == key else fault

    return check


def each(shape: Shape, keys: Shape | None = None) -> Shape:
    """Return the shape of an object, or of a list, whose values all have a shape; of an object also the keys."""
    kind, expected = (dict, "an object") if keys else (list, "a list")

    def check(value: Any, key: str) -> Iterator[Fault]:
        if not isinstance(value, kind):
            yield Fault(key, expected, show(value))
            return
        for name, part in value.items() if isinstance(value, dict) else enumerate(value):
            if keys:
                yield from keys(name, f"key of {key}" if key else "key")
            yield from shape(part, extend(key, name))

    return check


def record(optional: Collection[str] = (), **parts: Shape) -> Shape:
    """Return the shape of an object with these keys, of which `optional` may be missing; it may have others."""

    def check(value: Any, key: str) -> Iterator[Fault]:
        if not isinstance(value, dict):
            yield Fault(key, "an object", show(value))
            return
        for name, shape in parts.items():
            if name in value:
                yield from shape(value[name], extend(key, name))
            elif name not in optional:
                yield Fault(extend(key, name), "a value", MISSING)

    return check


def both(*shapes: Shape) -> Shape:
    """Return the shape of what has all of the shapes; a later one is asked only if the earlier ones fit."""

    def check(value: Any, key: str) -> Iterator[Fault]:
        for shape in shapes:
            faults = list(shape(value, key))
            yield from faults
            if faults:
                return

    return check
