"""The proxy and the certificates of a request, as the environment names them; user names and passwords are never shown."""

from __future__ import annotations

import base64
import os
import re
import ssl
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from typing import NamedTuple
from urllib.parse import unquote
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import urllib3
from urllib3.util import Url, parse_url

from rocov2_shared.errors import UserError

_HTTP = ("http", "https")
_SOCKS = ("socks4", "socks4a", "socks5", "socks5h")
_BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def without_login(text: str) -> str:
    """Return a text with the user and password of the addresses in it masked, and all before the last @ of an address.

    >>> without_login("https://user:secret@example.org/records/1")
    'https://***@example.org/records/1'
    """
    return re.sub(r"://[^\s]*@", "://***@", text)


class Proxy(NamedTuple):
    """A proxy: its address without user and password, these two, and the name of the variable that sets it."""

    url: str
    user: str | None
    password: str
    variable: str

    @property
    def is_socks(self) -> bool:
        """Return whether it speaks SOCKS instead of HTTP."""
        return self.url.startswith(_SOCKS)

    def __str__(self) -> str:
        """Return the address, with the user and password masked."""
        return self.url if self.user is None else self.url.replace("://", "://***@", 1)


def find_proxy(url: str) -> Proxy | None:
    """Return the proxy for an address, None for a direct connection.

    The variables are `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case; without them, macOS and
    Windows have settings of the system.

    Raises:
        LocationValueError: of urllib3, if the address is invalid.
        UserError: the variable does not contain the address of a proxy.
    """
    parsed = parse_url(url)
    proxies = getproxies()
    value = proxies.get(str(parsed.scheme)) or proxies.get("all")
    if not value or _is_direct(parsed):
        return None
    names = [name for kind in (parsed.scheme, "all") for name in (f"{kind}_proxy", f"{kind}_proxy".upper())]
    variable = next((name for name in names if os.environ.get(name) == value), "the proxy in the system's settings")
    return _parse_proxy(value, variable)


def _is_direct(url: Url) -> bool:
    host = url.host or ""
    if proxy_bypass(f"{host}:{url.port}" if url.port else host):
        return True
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    entries = (entry.strip().strip("[]") for entry in getproxies_environment().get("no", "").split(","))
    return any(_is_in_network(address, entry) for entry in entries)


def _is_in_network(address: object, network: str) -> bool:
    """Return whether an IP address is in a network such as `10.0.0.0/8`, which the standard library does not know."""
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def _parse_proxy(value: str, variable: str) -> Proxy:
    try:
        parsed = parse_url(value if "://" in value else f"http://{value}")
    except urllib3.exceptions.LocationValueError:
        parsed = Url()
    # A password with a /, ? or # that is not encoded would be cut there, and its beginning shown as host and port.
    is_cut = (parsed.path or "/", parsed.query, parsed.fragment) != ("/", None, None)
    if parsed.scheme not in _HTTP + _SOCKS or not parsed.host or is_cut:
        raise UserError(
            f"{variable} must be the address of a proxy, http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with special "
            "characters of the password encoded (@ as %40, / as %2F, ...). It is not shown, since it may contain a password"
        )
    user, _, password = (parsed.auth or "").partition(":")
    port = f":{parsed.port}" if parsed.port else ""
    url = f"{parsed.scheme}://{parsed.host}{port}"
    return Proxy(url, unquote(user) if parsed.auth is not None else None, unquote(password), variable)


def open_pool(proxy: Proxy | None, certificates: ssl.SSLContext, timeout: urllib3.Timeout) -> urllib3.PoolManager:
    """Return the connections through a proxy, or without one.

    Raises:
        UserError: a package for this kind of proxy is missing.
    """
    if proxy is None:
        return urllib3.PoolManager(ssl_context=certificates, timeout=timeout)
    if proxy.is_socks:
        if find_spec("socks") is None:
            raise UserError(f"{proxy.variable}: a SOCKS proxy needs the package PySocks: pip install PySocks")
        from urllib3.contrib.socks import SOCKSProxyManager  # fails without PySocks

        return SOCKSProxyManager(proxy.url, proxy.user, proxy.password, ssl_context=certificates, timeout=timeout)
    headers = {}
    if proxy.user is not None:
        secret = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {secret}"
    return urllib3.ProxyManager(
        proxy.url,
        proxy_headers=headers,
        ssl_context=certificates,
        proxy_ssl_context=certificates,
        timeout=timeout,
    )


def trusted_certificates() -> ssl.SSLContext:
    """Return the certificates that are trusted: those of the system, or of a file or folder that the environment names.

    Raises:
        UserError: it has no certificates.
    """
    variable = next((name for name in _BUNDLES if os.environ.get(name)), None)
    if variable is None:
        return ssl.create_default_context()
    place = os.environ[variable]
    is_folder = os.path.isdir(place)
    try:
        context = ssl.create_default_context(cafile=None if is_folder else place, capath=place if is_folder else None)
    except OSError as error:  # an SSLError is one, too
        raise UserError(
            f"{variable} must name a PEM file with certificates, or a folder of them, got {place}"
        ) from error
    # Since 3.13 Python refuses certificates that lack a field of RFC 5280, such as many that companies make themselves.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
