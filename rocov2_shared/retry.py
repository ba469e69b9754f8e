"""How long to wait before a request is made again."""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_BACKOFF = 60.0
"""Seconds; without a request of the server, pauses double from one second up to this."""
LONGEST_WAIT = 900.0
"""Seconds; if a server asks for a longer pause, the command ends and reports it."""
_DAY = 86_400.0


def asked_pause(retry_after: str | None) -> float:
    """Return the seconds that a server asks for, at most a day; 0 if it asks for none.

    Args:
        retry_after: value of the header Retry-After: seconds or an HTTP date; anything else counts as none.
    """
    value = (retry_after or "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _DAY)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(date.timestamp() - time.time(), 0.0), _DAY)


def choose_pause(failures: int, asked: float) -> float:
    """Return the seconds to wait after this many failures in a row: what the server asks for, or 1, 2, 4 and so on."""
    return asked or min(2.0 ** (failures - 1), LONGEST_BACKOFF)
