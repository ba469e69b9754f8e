"""Numbers of bytes and of things, read and written in words."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]I?)?B?", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Return the number of bytes that a size means: `300MB` (10^6 each), `64MiB` (2^20 each), `1000`; case is ignored.

    A size above 2^63 - 1 means as much: no file is larger, and a larger number does not fit into a float or an int64.

    Raises:
        ValueError: `text` is not a size, or is less than one byte.
    """
    parts = _SIZE.fullmatch(text.strip())
    size = int(Decimal(parts[1]) * _UNITS[(parts[2] or "").upper()]) if parts else 0
    if size < 1:
        raise ValueError(f"invalid size {text!r}: use a number above 0 with a unit, e.g. 300MB or 8MiB")
    return min(size, 2**63 - 1)


def format_size(size: int) -> str:
    """Return a number of bytes as `6.3 GB` or `71 kB`: decimal units, two significant digits or more."""
    if size == 1:
        return "1 byte"
    number = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if number >= 10 or unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")


def format_count(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count with its noun: `1 problem`, `2 problems`, `1,204 images`; `plural` if it is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
