"""The server of the page: it answers what the page asks, and lets the browser load nothing from other hosts."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs

from rocov2_tasks.explorer.address import link_to
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.page import show_page
from rocov2_tasks.explorer.pictures import Pictures
from rocov2_tasks.explorer.searching import Explorer

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src 'self' data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
    )
)
_HEADERS = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

_LONGEST_BODY = 1_000_000
"""Bytes of a request that are read, and ignored: the page sends none."""

_IDLE = 60.0
"""Seconds after which a connection without requests is closed."""

_SEARCHES = 4
"""Searches that are made at the same time."""

_PICTURE = re.compile(r"/image/(?P<config>\w+)/(?P<split>\w+)/(?P<row>[0-9]{1,9})\.jpg")
_TEXTS = {"/style.css": "text/css", "/script.js": "text/javascript"}


@dataclass(frozen=True)
class Answer:
    """The answer to a request."""

    body: bytes
    type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def _say(status: int, text: str) -> Answer:
    return Answer(f"{text}\n".encode(), status=status)


class Pages:
    """The answers about a collection, by path and query."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._explorer = Explorer(collection)
        self._pictures = Pictures(collection)
        self.close = self._pictures.close
        self._searches = threading.BoundedSemaphore(_SEARCHES)
        self._texts = {
            path: Answer((files(__package__) / path[1:]).read_bytes(), f"{type}; charset=utf-8")
            for path, type in _TEXTS.items()
        }
        self._paths: dict[str, Callable[[str], Answer]] = {
            "/": self._page,
            "/random": self._random,
            "/concepts.json": self._concepts,
            "/ids.csv": self._ids,
        }

    def answer(self, path: str, query: str) -> Answer:
        """Return the answer to a request."""
        if path in self._texts:
            return self._texts[path]
        picture = _PICTURE.fullmatch(path)
        if picture:
            return self._picture(picture["config"], picture["split"], int(picture["row"]))
        if path not in self._paths:
            return _say(404, "There is no such page.")
        with self._searches:
            return self._paths[path](query)

    def _page(self, query: str) -> Answer:
        found = self._explorer.open(query)
        self._pictures.expect(found.view.filter.config, found.rows)
        html = show_page(self._explorer, found).encode("utf-8", "replace")
        return Answer(html, "text/html; charset=utf-8", headers={"Cache-Control": "no-store"})

    def _random(self, query: str) -> Answer:
        return Answer(b"", status=303, headers={"Location": link_to(self._explorer.random(query))})

    def _concepts(self, query: str) -> Answer:
        typed = "".join(parse_qs(query, errors="replace").get("find", [])[-1:])
        body = json.dumps(self._explorer.offer(query, typed)).encode()
        return Answer(body, "application/json", headers={"Cache-Control": "no-store"})

    def _ids(self, query: str) -> Answer:
        try:
            rows = self._collection.ids(self._explorer.read(query).filter)
        except ValueError as error:
            return _say(404, str(error))
        buffer = io.StringIO()
        csv.writer(buffer).writerows([("image_id", "split"), *rows])
        headers = {"Content-Disposition": 'attachment; filename="rocov2-ids.csv"', "Cache-Control": "no-store"}
        return Answer(buffer.getvalue().encode("utf-8", "replace"), "text/csv; charset=utf-8", headers=headers)

    def _picture(self, config: str, split: str, row: int) -> Answer:
        if config not in self._collection.configs or row >= self._collection.counts.get(split, 0):
            return _say(404, "There is no such image.")
        try:
            image = self._pictures.read(config, split, row)
        except (LookupError, ValueError, OSError) as error:
            # 404 and not an error of the server: the page shows the text in place of the picture.
            return _say(404, str(error) or "There is no such image.")
        return Answer(image, "image/jpeg", headers={"Cache-Control": "private, max-age=3600"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "rocov2", ""
    timeout = _IDLE
    pages: Pages

    def do_GET(self) -> None:
        """Answer a request."""
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # its body would be read as the next request
        path, _, query = self.path.partition("?")
        try:
            answer = self.pages.answer(path, query)
        except Exception:  # a fault of the program; the reader gets a sentence, and its owner the traceback
            traceback.print_exc(file=sys.stderr)
            answer = _say(500, "The explorer failed. Its terminal shows why.")
        self._send(answer)

    def do_HEAD(self) -> None:
        """Answer a request without the body."""
        self.do_GET()

    def __getattr__(self, name: str) -> Any:
        # Every other method: the base class would answer that the server does not support it (501).
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        """Refuse a request that would change something, after its body is read, so that the client gets the answer."""
        self.close_connection = True
        length = self.headers.get("Content-Length", "0")
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        too_long = chunked or not length.isdecimal() or int(length) > _LONGEST_BODY
        self._send(_say(413 if too_long else 404, "The explorer takes no such request."))
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1.0)
            left = 4 * _LONGEST_BODY
            while left > 0 and (part := self.connection.recv(1 << 16)):
                left -= len(part)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": answer.type, "Content-Length": str(len(answer.body)), **_HEADERS, **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing: the terminal is for what its owner has to know."""


class Server(ThreadingHTTPServer):
    """The page of a collection at an address of this machine, served in threads from `start` to `close`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, collection: Collection, host: str, port: int) -> None:
        self.address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        self._pages = Pages(collection)
        super().__init__((host, port), type("Handler", (_Handler,), {"pages": self._pages}))
        name = f"[{host}]" if ":" in host else host
        self.url = f"http://{name}:{self.server_port}/"

    def server_bind(self) -> None:
        """Bind without the base class's look-up of the host's full name, which takes seconds where no name server answers."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def start(self) -> None:
        """Begin to answer."""
        threading.Thread(target=self.serve_forever, name="server", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()
        self._pages.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing of browsers that went away before they got their answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
