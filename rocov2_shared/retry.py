"""How long to wait before a request is made again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

LONGEST_BACKOFF = 60.0
"""Seconds; without a request of the server, pauses double from one second up to this."""
LONGEST_WAIT = 900.0
"""Seconds; if a server asks for a longer pause, the command ends and reports it."""
_DAY = 86_400.0
_REPORT_SECONDS = 60.0

_LIMIT = re.compile(r";\s*([rt])\s*=\s*(\d{1,9})(?!\d)", re.ASCII)


class Headers(Protocol):
    """Headers of an answer, whose names are found in any case."""

    def get(self, name: str, /) -> str | None: ...


def asked_pause(headers: Headers) -> float:
    """Return the seconds that a server asks to wait, at most a day; 0 if it asks for no pause.

    Args:
        headers: of its answer. `Retry-After` is a number of seconds or an HTTP date. `RateLimit` has an item for each limit,
            such as `"api";r=0;t=124`: no request left for 124 seconds (IETF draft httpapi-ratelimit-headers); limits with
            requests left do not count. Anything else counts as no pause.
    """
    return min(max(_retry_after(headers.get("Retry-After") or ""), _rate_limit(headers.get("RateLimit") or "")), _DAY)


def _retry_after(value: str) -> float:
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(date.timestamp() - time.time(), 0.0)


def _rate_limit(value: str) -> float:
    limits = [{name: int(number) for name, number in _LIMIT.findall(item)} for item in value.split(",")]
    used_up = [limit["t"] for limit in limits if limit.get("r") == 0 and limit.get("t")]
    return max(used_up) + 1.0 if used_up else 0.0  # the server rounds to whole seconds


def choose_pause(failures: int, asked: float) -> float:
    """Return the seconds to wait after this many failures in a row: what the server asks for, or 1, 2, 4 and so on."""
    return asked or min(2.0 ** (failures - 1), LONGEST_BACKOFF)


def wait(seconds: float, report: Callable[[float], object]) -> None:
    """Wait, and report the seconds that are left: at once, and then every minute."""
    while seconds > 0:
        report(seconds)
        time.sleep(min(seconds, _REPORT_SECONDS))
        seconds -= _REPORT_SECONDS
