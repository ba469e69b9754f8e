"""The downloader behind proxies, and with certificates of the user's network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rocov2_build.download import download_release
from rocov2_build.raw import proxies
from rocov2_build.raw.proxies import Proxy as FoundProxy
from rocov2_build.raw.proxies import find_proxy
from rocov2_shared.errors import UserError
from tests.conftest import Run
from tests.support.proxy import Proxy, make_certificate, serve_with
from tests.support.zenodo import CONTENTS, Answer, Zenodo, files_in

pytestmark = pytest.mark.usefixtures("no_settings")

TABLES = {name: content for name, content in CONTENTS.items() if name.endswith(".csv")}
PASSWORD = "p@ss:w/ö%"  # noqa: S105
LOGIN, ENCODED = f"me:{PASSWORD}", "me:p%40ss%3Aw%2F%C3%B6%25"
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no exception from it, and the certificates of the system."""
    names = [f"{name}_proxy" for name in ("http", "https", "all", "no")]
    for name in (*names, *map(str.upper, names), *BUNDLES, "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def secure(certificate: Path) -> Iterator[Zenodo]:
    """A server of HTTPS, with a certificate that no system knows."""
    with Zenodo(CONTENTS, tls=serve_with(certificate)) as server:
        yield server


def fetch(zenodo: Zenodo, raw: Path) -> None:
    """Download the tables."""
    download_release(raw, csv_only=True, base_url=zenodo.url)
    assert files_in(raw) == TABLES


def fail(zenodo: Zenodo, raw: Path) -> str:
    """A download of the tables that fails: its message without the manual steps."""
    with pytest.raises(UserError) as error:
        download_release(raw, csv_only=True, base_url=zenodo.url)
    return str(error.value).partition("\n")[0]


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_http_goes_through_the_proxy(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    with Proxy(LOGIN) as proxy:
        monkeypatch.setenv(variable, f"http://{ENCODED}@{proxy.address}")
        fetch(zenodo, tmp_path)
    assert [request.target for request in proxy.passed] == [
        f"{zenodo.url}{request.path}" for request in zenodo.requests
    ]
    assert {request.login for request in proxy.passed} == {LOGIN}
    assert all("Proxy-Authorization" not in request.headers for request in zenodo.requests)


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize("login", ["", LOGIN])
def test_https_goes_through_a_tunnel(
    secure: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path, variable: str, login: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("http_proxy", "http://not.this.one.invalid")
    with Proxy(login) as proxy:
        monkeypatch.setenv(variable, f"{ENCODED}@{proxy.address}" if login else proxy.url)  # with or without http://
        fetch(secure, tmp_path)
    (tunnel,) = set(proxy.passed)
    assert tunnel == ("CONNECT", secure.url.removeprefix("https://"), login)
    assert all("Proxy-Authorization" not in request.headers for request in secure.requests)


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize(
    "value", ["127.0.0.1", "*", "example.org, 127.0.0.0/8", "127.0.0.1:{port}", "::1/128,127.0.0.1/32"]
)
def test_no_proxy_is_honoured(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv(variable, value.format(port=zenodo.url.rpartition(":")[2]))
        fetch(zenodo, tmp_path)
    assert proxy.passed == []


@pytest.mark.parametrize("value", ["example.org", "10.0.0.0/8", "27.0.0.1", "127.0.0.1:1", "/,127", ""])
def test_no_proxy_of_other_hosts_is_not_taken(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", value)
        fetch(zenodo, tmp_path)
    assert len(proxy.passed) == len(zenodo.requests) == 12


def test_each_address_of_a_redirect_has_its_own_proxy(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = next(iter(TABLES))
    direct = f"{zenodo.url.replace('127.0.0.1', 'localhost')}/storage/files/{name}/content"
    zenodo.plan(name, [Answer(status=302, headers={"Location": direct})])
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "localhost")
        fetch(zenodo, tmp_path)
    assert (len(proxy.passed), len(zenodo.requests)) == (12, 13)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("given", ["", "me:wrong-secret@"])
def test_a_proxy_that_asks_for_a_password_is_not_asked_again(
    zenodo: Zenodo,
    secure: Zenodo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    scheme: str,
    given: str,
) -> None:
    with Proxy(LOGIN) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{given}{proxy.address}")
        told = fail(secure if scheme == "https" else zenodo, tmp_path)
    shown = f"http://{'***@' if given else ''}{proxy.address}"
    answer = "answers 407 Proxy Authentication Required to a request for 127.0.0.1"
    remedy = f"set {scheme}_proxy to http://USER:PASSWORD@{proxy.address}"
    assert told == f"the proxy {shown} {answer}: {remedy}"
    assert (len(proxy.passed), pauses) == (1, [])


def test_a_proxy_that_refuses_the_host_is_not_asked_again(
    secure: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    with Proxy(refuses=403) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        told = fail(secure, tmp_path)
    assert told.startswith(
        f"the proxy {proxy.url} answers 403 Forbidden to a request for 127.0.0.1: ask whoever runs the"
    )
    assert (len(proxy.passed), pauses) == (1, [])


def test_a_busy_proxy_is_asked_again(
    secure: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    with Proxy(refuses=503) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@{proxy.address}")
        told = fail(secure, tmp_path)
    answer = f"the proxy http://***@{proxy.address} answers 503 Service Unavailable, 4 times in a row"
    assert told == f"{secure.url}{secure.record_path}: {answer}"
    assert pauses == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(
    zenodo: Zenodo,
    secure: Zenodo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    capsys: pytest.CaptureFixture[str],
    scheme: str,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    monkeypatch.setenv(f"{scheme}_proxy", f"http://me:secret@{address}")
    server = secure if scheme == "https" else zenodo
    refused = f"the proxy http://***@{address}: the connection failed: [Errno 111] Connection refused"
    assert fail(server, tmp_path) == f"{server.url}{server.record_path}: {refused}, 4 times in a row"
    assert len(pauses) == 3
    assert "secret" not in capsys.readouterr().err


def test_a_socks_proxy_that_is_not_there_is_named(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    pytest.importorskip("socks")
    monkeypatch.setenv("all_proxy", "socks5h://me:secret@127.0.0.1:9")
    shown = "the proxy socks5h://***@127.0.0.1:9: the connection failed"
    assert fail(zenodo, tmp_path).startswith(f"{zenodo.url}{zenodo.record_path}: {shown}")
    assert len(pauses) == 3


def test_a_proxy_that_does_not_speak_tls(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", f"https://me:secret@{proxy.address}")
        told = fail(zenodo, tmp_path)
    shown = f"https://***@{proxy.address}"
    assert told == f"the proxy {shown} does not speak TLS: write http:// instead of https:// in http_proxy"
    assert pauses == []


@pytest.mark.parametrize(
    "value",
    [
        *("http://me:secret@", "http://", "ftp://me:secret@proxy", "file:///secret", "http://me:12/secret@proxy:3128"),
        *(
            "http://me:12?secret@proxy",
            "http://me:12#secret@proxy",
            "http://me:secret@proxy:port",
            "http://secret@[",
            "://",
        ),
    ],
)
def test_an_invalid_proxy_is_told_without_its_password(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float], value: str
) -> None:
    monkeypatch.setenv("http_proxy", value)
    told = fail(zenodo, tmp_path)
    assert told.startswith(
        "http_proxy must be the address of a proxy, http://HOST:PORT or http://USER:PASSWORD@HOST:PORT"
    )
    assert "secret" not in told
    assert "12" not in told
    assert pauses == []


def test_the_parts_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5h://me@[::1]:1080")
    assert find_proxy("https://zenodo.org/") == FoundProxy("socks5h://[::1]:1080", "me", "", "all_proxy")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{ENCODED}@proxy/")
    found = find_proxy("https://zenodo.org/")
    assert found == FoundProxy("http://proxy", "me", PASSWORD, "HTTPS_PROXY")
    assert str(found) == "http://***@proxy"
    monkeypatch.setenv("https_proxy", "")  # an empty one in lower case switches the other off
    monkeypatch.setenv("all_proxy", "")
    assert find_proxy("https://zenodo.org/") is None


def test_a_socks_proxy_needs_its_package(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)
    assert fail(zenodo, tmp_path) == "all_proxy: a SOCKS proxy needs the package PySocks: pip install PySocks"
    assert pauses == []


@pytest.mark.parametrize("variable", BUNDLES)
def test_a_certificate_of_one_s_own_is_taken(
    secure: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Path, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    fetch(secure, tmp_path)


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [
        ("IP:127.0.0.1", False, "self-signed certificate"),
        ("DNS:elsewhere.test", True, "IP address mismatch, certificate is not valid for '127.0.0.1'"),
    ],
)
def test_a_certificate_that_cannot_be_verified_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float], name: str, trusted: bool, reason: str
) -> None:
    certificate = make_certificate(tmp_path, name)
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with Zenodo(CONTENTS, tls=serve_with(certificate)) as zenodo:
        told = fail(zenodo, tmp_path / "raw")
    assert told.replace("self signed", "self-signed") == (
        f"127.0.0.1: its certificate cannot be verified ({reason}). If your network puts a certificate of its own in place, "
        "set REQUESTS_CA_BUNDLE to a PEM file that contains that one; else check the clock of this computer"
    )
    assert (zenodo.requests, pauses) == ([], [])


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("variable", BUNDLES)
def test_a_bundle_without_certificates(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: bytes | None
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv(variable, str(path))
    expected = f"{variable} must name a PEM file with certificates, or a folder of them, got {path}"
    assert fail(zenodo, tmp_path / "raw") == expected


def test_the_command_behind_a_proxy(
    secure: Zenodo, tmp_path: Path, environment: dict[str, str], run: Run, certificate: Path
) -> None:
    settings = {name: value for name, value in environment.items() if name.lower() != "no_proxy"}
    with Proxy(LOGIN) as proxy:
        settings |= {
            "HTTPS_PROXY": f"http://{ENCODED}@{proxy.address}",
            "http_proxy": f"http://me:secret@{proxy.address}",
            "REQUESTS_CA_BUNDLE": str(certificate),
        }
        done = run("download_release", "--csv-only", "--base-url", secure.url, env=settings)
        failed = run("download_release", "other", "--base-url", secure.url.replace("https:", "http:"), env=settings)
    assert (done.returncode, failed.returncode) == (0, 1)
    assert files_in(tmp_path / "raw") == TABLES
    assert {request.method for request in proxy.passed} == {"CONNECT", "GET"}
    assert failed.stderr.startswith(f"Error: the proxy http://***@{proxy.address} answers 407 ")
    assert not any(secret in done.stderr + failed.stderr for secret in (PASSWORD, ENCODED, "secret", "Traceback"))
