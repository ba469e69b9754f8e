"""HTTP requests with a user agent, and with pauses that grow with each failure or are as long as the server asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import urllib3

from rocov2_shared.errors import UserError
from rocov2_shared.retry import LONGEST_WAIT, asked_pause, choose_pause
from rocov2_shared.terminal import format_seconds

AGENT = "rocov2-hub (download of the dataset ROCOv2)"
TRIES = 9
"""Consecutive failures that end the command."""
TRIES_UNMET = 4
"""The same for a server that has never answered: a wrong address, or no network."""

_TIMEOUT = urllib3.Timeout(connect=30, read=60)
_REDIRECTS = urllib3.Retry(redirect=5, connect=0, read=0, other=0, respect_retry_after_header=False)


class ServerError(UserError):
    """The server is at fault: its files have to be downloaded by hand, or later."""


class BrokenOffError(Exception):
    """A request that may be repeated; `pause` is the number of seconds that the server asks for, or 0."""

    def __init__(self, reason: str, pause: float = 0.0) -> None:
        super().__init__(reason)
        self.pause = pause


class Server:
    """An HTTP client that counts consecutive failures.

    Args:
        report: called before every pause, with the step and the text.
    """

    def __init__(self, report: Callable[[str, str], None]) -> None:
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT)
        self._report = report
        self._tries = TRIES_UNMET
        self._failures = 0

    def succeeded(self) -> None:
        """Count failures from the beginning again."""
        self._failures = 0

    @contextmanager
    def get(self, url: str, headers: dict[str, str]) -> Iterator[urllib3.BaseHTTPResponse]:
        """Make one request; the answer has status 200, 206 or 416, and its body is still unread.

        Raises:
            BrokenOffError: the server is busy, or the connection broke.
            ServerError: the server refuses.
            UserError: the address is invalid.
        """
        if not url.startswith(("https://", "http://")):
            raise UserError(f"the address must begin with https:// or http://, got {url}")
        try:
            response = self._pool.request(
                "GET", url, headers={"User-Agent": AGENT} | headers, retries=_REDIRECTS, preload_content=False
            )
        except urllib3.exceptions.LocationValueError as error:
            raise UserError(f"invalid server address {url} ({error})") from error
        except urllib3.exceptions.HTTPError as error:
            raise BrokenOffError(_reason(error)) from error
        self._tries = TRIES
        try:
            if response.status in (408, 429) or response.status >= 500:
                raise BrokenOffError(
                    f"the server answers {response.status}", asked_pause(response.headers.get("Retry-After"))
                )
            if response.status not in (200, 206, 416):
                raise ServerError(f"{url}: the server answers {response.status} {response.reason or ''}".rstrip())
            yield response
        except urllib3.exceptions.HTTPError as error:  # while the body is read; an OSError is about the disk
            raise BrokenOffError(_reason(error)) from error
        finally:
            response.close()

    def pause(self, what: str, error: BrokenOffError) -> None:
        """Wait before the next try.

        Raises:
            ServerError: too many consecutive failures, or the server asks for too long a pause.
        """
        self._failures += 1
        if self._failures >= self._tries:
            raise ServerError(f"{what}: {error}, {self._failures} times in a row") from error
        seconds = choose_pause(self._failures, error.pause)
        if seconds > LONGEST_WAIT:
            asked = format_seconds(seconds)
            raise ServerError(f"{what}: {error} and asks for a pause of {asked}: try again after it") from error
        self._report("Waiting", f"{what}: {error}; again in {seconds:.0f} s")
        time.sleep(seconds)


def _reason(error: BaseException) -> str:
    """Return the innermost cause, without the objects that urllib3 puts before it."""
    while True:
        inner = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) else (error.args or ("",))[-1]
        if not isinstance(inner, BaseException):
            return f"the connection failed: {str(error).rpartition(': ')[2]}"
        error = inner
