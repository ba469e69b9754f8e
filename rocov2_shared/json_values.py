"""Strict JSON: what a file contains, or what is wrong with it, whatever its bytes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

MAX_BYTES = 200_000_000
"""A JSON file that is larger is not read."""

MAX_DEPTH = 40
"""Lists and objects within each other; the files of a repository have fewer than ten."""

_SHOWN = 120


class Fault(NamedTuple):
    """A value that differs from what is expected; `key` says where it is: `files["text/test.parquet"].rows`."""

    key: str
    expected: str
    found: str


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text in UTF-8.

    Raises:
        ValueError: it is not JSON, or contains what readers understand differently: a byte order mark, a key twice, NaN,
            infinite numbers, half of a surrogate pair, or deep nesting.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite
        )
        require_plain(value)
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} lists and objects within each other") from None
    return value


def read_limited(path: Path) -> bytes:
    """Return the content of a file of at most `MAX_BYTES`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is larger.
    """
    with path.open("rb") as file:
        # The size comes first, since a read makes room for all that it may get; a file that grows gives one byte more.
        size = os.fstat(file.fileno()).st_size
        data = file.read(min(size, MAX_BYTES) + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES:,} bytes")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {show(next(key for key in keys if keys.count(key) > 1))} occurs twice")
    return values


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"the number {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:_SHOWN]}")
    return number


def require_plain(value: Any) -> None:
    """Raise ValueError if a value is nested too deeply to walk, or contains text that no encoding has."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        for part in level:
            if isinstance(part, str) and not part.isascii():
                part.encode()
            if isinstance(part, dict):
                for key in part:
                    if isinstance(key, str) and not key.isascii():
                        key.encode()
        level = [
            inner
            for part in level
            if isinstance(part, dict | list)
            for inner in (part.values() if isinstance(part, dict) else part)
        ]
        if not level:
            return
    raise ValueError(f"more than {MAX_DEPTH} lists and objects within each other")


def show(value: Any) -> str:
    """Return a value as short JSON on one line, of ASCII alone: it may come from anybody's file."""
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def extend(key: str, part: object) -> str:
    """Return the key of a part of the value at `key`: `configs` and 2 give `configs[2]`."""
    if isinstance(part, str) and part.isidentifier() and part.isascii():
        return f"{key}.{part}" if key else part
    return f"{key}[{show(part)}]"


class _Anything:
    def __repr__(self) -> str:
        return "anything"


ANYTHING: Any = _Anything()
"""As an expected value: no value differs from it."""

MISSING: Any = object()


def differences(expected: Any, found: Any, key: str = "") -> Iterator[Fault]:
    """Yield where a value differs from the expected one, in the order of the expected keys; types count."""
    if expected is ANYTHING:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for part in [*expected, *(part for part in found if part not in expected)]:
            yield from differences(expected.get(part, MISSING), found.get(part, MISSING), extend(key, part))
    elif isinstance(expected, list) and isinstance(found, list):
        for i in range(max(len(expected), len(found))):
            one, other = (values[i] if i < len(values) else MISSING for values in (expected, found))
            faults = list(differences(one, other, extend(key, i)))
            yield from faults
            if faults and len(expected) != len(found):  # what is behind it has moved, and differs for that reason alone
                return
    elif type(expected) is not type(found) or expected != found:
        yield Fault(key, *("nothing" if value is MISSING else show(value) for value in (expected, found)))
