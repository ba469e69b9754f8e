"""A proxy on the loopback interface, which forwards HTTP and tunnels HTTPS; and certificates for servers of tests."""

from __future__ import annotations

import http.client
import select
import shutil
import socket
import ssl
import subprocess
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import urlsplit

import pytest


class Passed(NamedTuple):
    """A request to a proxy: method, what it is for, and the user and password that came with it."""

    method: str
    target: str
    login: str


class Proxy:
    """A proxy; `passed` lists the requests to it.

    Args:
        login: `user:password` that it asks for.
        refuses: the status with which it answers everything.
    """

    def __init__(self, login: str = "", refuses: int | None = None) -> None:
        self.login = login
        self.refuses = refuses
        self.passed: list[Passed] = []

    def __enter__(self) -> Self:
        self._listener = _Listener(self)
        self.address = f"127.0.0.1:{self._listener.server_port}"
        self.url = f"http://{self.address}"
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown()
        self._listener.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: object) -> None:
        """Silent, as `Proxy.passed` is the log."""

    def _is_let_through(self) -> bool:
        proxy = self.server.proxy
        login = b64decode(self.headers.get("Proxy-Authorization", "").removeprefix("Basic ")).decode()
        proxy.passed.append(Passed(self.command, self.path, login))
        status = proxy.refuses or (407 if login != proxy.login else None)
        if status is None:
            return True
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False

    def do_CONNECT(self) -> None:
        if not self._is_let_through():
            return
        host, _, port = self.path.rpartition(":")
        self.close_connection = True
        with socket.create_connection((host, int(port))) as server:
            self.send_response(200)
            self.end_headers()
            other = {server: self.connection, self.connection: server}
            while True:
                for end in select.select(list(other), [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    other[end].sendall(data)

    def do_GET(self) -> None:
        if not self._is_let_through():
            return
        address = urlsplit(self.path)
        connection = http.client.HTTPConnection(address.netloc)
        headers = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
        connection.request("GET", address.path, headers=headers)
        with connection.getresponse() as answer:
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        connection.close()


def make_certificate(folder: Path, name: str = "IP:127.0.0.1") -> Path:
    """Make a PEM file with a key and a certificate for a host, signed by itself; without OpenSSL the test is left out."""
    if shutil.which("openssl") is None:
        pytest.skip("the command openssl is missing")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    return certificate


def serve_with(certificate: Path) -> ssl.SSLContext:
    """Return what a server needs to show a certificate of `make_certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context
