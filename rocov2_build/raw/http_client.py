"""HTTP requests with a user agent, through the proxies of the environment.

Pauses grow with each failure, or are as long as the server asks.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import urljoin

import urllib3

from rocov2_build.raw.proxies import Proxy, find_proxy, open_pool, trusted_certificates, without_login
from rocov2_shared.errors import UserError
from rocov2_shared.retry import LONGEST_WAIT, asked_pause, choose_pause
from rocov2_shared.terminal import format_seconds

AGENT = "rocov2-hub (download of the dataset ROCOv2)"
TRIES = 9
"""Consecutive failures that end the command."""
TRIES_UNMET = 4
"""The same for a server that has never answered: a wrong address, or no network."""

_TIMEOUT = urllib3.Timeout(connect=30, read=60)
_ONCE = urllib3.Retry(connect=0, read=0, other=0, respect_retry_after_header=False)
_REDIRECTS = 5
_BUSY = (408, 429)
_PROXY_LOGIN = 407
_TUNNEL = re.compile(r"Tunnel connection failed: ((\d+).*)")  # of http.client, without a type of its own


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
        self._pools: dict[Proxy | None, urllib3.PoolManager] = {}
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
        if not _is_http(url):
            raise UserError(f"the address must begin with https:// or http://, got {without_login(url)}")
        try:
            response = self._follow(url, headers)
        except urllib3.exceptions.LocationValueError as error:
            raise UserError(without_login(f"invalid server address {url} ({error})")) from error
        self._tries = TRIES
        try:
            if response.status in _BUSY or response.status >= 500:
                raise BrokenOffError(f"the server answers {response.status}", asked_pause(response.headers))
            if response.status not in (200, 206, 416):
                reason = f"the server answers {response.status} {response.reason or ''}"
                raise ServerError(f"{without_login(url)}: {reason}".rstrip())
            yield response
        except urllib3.exceptions.HTTPError as error:  # while the body is read; an OSError is about the disk
            raise BrokenOffError(_reason(error)) from error
        finally:
            response.close()

    def _follow(self, url: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        """Return the first answer that is not a redirect: each address of a chain has a proxy of its own, or none."""
        for _ in range(_REDIRECTS + 1):
            proxy = find_proxy(url)
            try:
                response = self._pool(proxy).request(
                    "GET",
                    url,
                    headers={"User-Agent": AGENT} | headers,
                    redirect=False,
                    retries=_ONCE,
                    preload_content=False,
                )
            except urllib3.exceptions.HTTPError as error:
                raise _judge(error, url, proxy) from error
            if proxy and response.status == _PROXY_LOGIN:
                response.close()
                raise _refuse(proxy, url, f"{response.status} {response.reason or ''}")
            location = response.get_redirect_location()
            if not location:
                return response
            response.close()
            url = urljoin(url, location)
            if not _is_http(url):
                where = without_login(url)
                raise ServerError(f"the server redirects to {where}, which does not begin with https:// or http://")
        raise BrokenOffError("the connection failed: too many redirects")

    def _pool(self, proxy: Proxy | None) -> urllib3.PoolManager:
        if proxy not in self._pools:
            self._pools[proxy] = open_pool(proxy, self._certificates, _TIMEOUT)
        return self._pools[proxy]

    @cached_property
    def _certificates(self) -> ssl.SSLContext:
        return trusted_certificates()

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


def _is_http(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _judge(error: urllib3.exceptions.HTTPError, url: str, proxy: Proxy | None) -> Exception:
    """Return what a failed connection means: it may be tried again, unless a certificate or the proxy is at fault."""
    causes = list(_causes(error))
    is_proxy = any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in causes)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            host = _host(proxy.url if proxy and is_proxy else url)
            return ServerError(
                f"{host}: its certificate cannot be verified ({cause.verify_message.rstrip('.')}). If your network puts a "
                "certificate of its own in place, set REQUESTS_CA_BUNDLE to a PEM file that contains that one; else check "
                "the clock of this computer"
            )
    if proxy and (is_proxy or proxy.is_socks or _TUNNEL.fullmatch(str(causes[-1]))):
        return _judge_proxy(causes, url, proxy)
    return BrokenOffError(_reason(error))


def _judge_proxy(causes: list[BaseException], url: str, proxy: Proxy) -> Exception:
    """Return what a failure of a proxy means; the client of SOCKS does not tell it from a failure of the server."""
    answer = _TUNNEL.fullmatch(str(causes[-1]))
    if answer and int(answer[2]) < 500 and int(answer[2]) not in _BUSY:
        return _refuse(proxy, url, answer[1])
    if answer:
        return BrokenOffError(f"the proxy {proxy} answers {answer[1]}")
    if any("WRONG_VERSION_NUMBER" in str(cause) for cause in causes) and proxy.url.startswith("https:"):
        return ServerError(
            f"the proxy {proxy} does not speak TLS: write http:// instead of https:// in {proxy.variable}"
        )
    return BrokenOffError(f"the proxy {proxy}: {_reason(causes[0])}")


def _refuse(proxy: Proxy, url: str, answer: str) -> ServerError:
    remedy = (
        f"set {proxy.variable} to http://USER:PASSWORD@{proxy.url.partition('://')[2]}"
        if answer.startswith(str(_PROXY_LOGIN))
        else "ask whoever runs the proxy, or name the host in no_proxy if this computer reaches it without the proxy"
    )
    return ServerError(f"the proxy {proxy} answers {answer.strip()} to a request for {_host(url)}: {remedy}")


def _host(url: str) -> str:
    return urllib3.util.parse_url(url).host or url


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised for, the innermost last."""
    inner: object = error
    while isinstance(inner, BaseException):
        yield inner
        inner = inner.reason if isinstance(inner, urllib3.exceptions.MaxRetryError) else (inner.args or ("",))[-1]


def _reason(error: BaseException) -> str:
    """Return the innermost cause, without the objects that urllib3 puts before it."""
    *_, innermost = _causes(error)
    return f"the connection failed: {str(innermost).rpartition(': ')[2]}"
