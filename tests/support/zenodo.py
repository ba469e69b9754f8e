"""A stand-in of Zenodo on the loopback interface: one record with its files, and every way in which a server fails.

A plan says how the next requests of a path are answered, one `Answer` each; what it does not cover is answered well.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import ssl
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from rocov2_build.download import download_release
from rocov2_build.raw.releases import FILES, LATEST, RELEASES
from rocov2_shared.errors import UserError

RECORD = RELEASES[LATEST].record
BIG = "train_images.zip"
BIG_SIZE = 300_000
LOCK = ".download.lock"
OWN = {".verified.json"}
BLOCK_SIZE = 1 << 14


def make_content(name: str) -> bytes:
    """What the file of this name holds: for each another, of another size but for the zips."""
    return random.Random(name).randbytes(BIG_SIZE if name.endswith(".zip") else 1000 + FILES.index(name))


CONTENTS = {name: make_content(name) for name in FILES}


def files_in(raw: Path) -> dict[str, bytes]:
    """All files of a folder but those that the downloader keeps for itself."""
    return {path.name: path.read_bytes() for path in raw.iterdir() if path.name not in OWN | {LOCK}}


def md5(content: bytes) -> str:
    """MD5 in hex."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Answer:
    """How one request is answered: correctly, except for what is listed here.

    Attributes:
        status: that of an answer without content (an error, a redirect); None for the file.
        headers: these instead of the usual ones; None leaves a header out.
        content: this instead of what is there.
        damage: offset of a byte that is sent wrong.
        cut: bytes of the body after which the connection ends.
        cut_at: offset in the file at which it ends.
        ranges: whether `Range` is understood.
        hold: whether nothing more comes after half of the body, until the server is closed.
    """

    status: int | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    content: bytes | None = None
    damage: int | None = None
    cut: int = sys.maxsize
    cut_at: int = sys.maxsize
    ranges: bool = True
    hold: bool = False


GOOD = Answer()


@dataclass
class Request:
    """A request, and of its answer the status and the bytes of the body."""

    method: str
    path: str
    headers: Message
    status: int = 0
    sent: int = 0


class Zenodo:
    """A server with one record; `entries` are what its JSON lists under `files`, and `requests` what was asked of it.

    Args:
        contents: files by name.
        number: of the record.
        tls: what a server of HTTPS needs.
    """

    def __init__(self, contents: Mapping[str, bytes], number: int = RECORD, tls: ssl.SSLContext | None = None) -> None:
        self.contents = contents
        self.number = number
        self._tls = tls
        self.record_path = f"/api/records/{number}"
        self.requests: list[Request] = []
        self._plans: dict[str, Iterator[Answer]] = {}
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        self._listener = _Listener(self)
        if self._tls:
            self._listener.socket = self._tls.wrap_socket(self._listener.socket, server_side=True)
        self.url = f"http{'s' if self._tls else ''}://127.0.0.1:{self._listener.server_port}"
        self.entries: dict[str, dict[str, Any]] = {
            name: {
                "key": name,
                "size": len(content),
                "checksum": f"md5:{md5(content)}",
                "links": {"self": f"{self.url}{self.path(name)}"},
            }
            for name, content in self.contents.items()
        }
        threading.Thread(target=self._listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.closed.set()
        self._listener.shutdown()
        self._listener.server_close()

    def path(self, name: str) -> str:
        """Path of a file's content."""
        return f"{self.record_path}/files/{name}/content"

    def plan(self, name: str | None, answers: Iterable[Answer]) -> None:
        """How the next requests of a file are answered; of the record itself, without a name."""
        self._plans[self.record_path if name is None else self.path(name)] = iter(answers)

    def asked(self, name: str | None) -> list[Request]:
        """The requests of a file, or of the record."""
        path = self.record_path if name is None else self.path(name)
        return [request for request in self.requests if request.path == path]

    def next_answer(self, path: str) -> Answer:
        """The answer that the plan has for a request of this path."""
        answer = next(self._plans.get(path, iter(())), GOOD)
        return answer if answer.status or self.find(path) is not None else Answer(status=404)

    def find(self, path: str) -> bytes | None:
        """The content under a path: that of a file also below `/storage/`, where redirects lead."""
        if path == self.record_path:
            return json.dumps({"id": self.number, "files": list(self.entries.values())}).encode()
        match = re.fullmatch(f"(?:{self.record_path}|/storage)/files/(.+)/content", path)
        return self.contents.get(match[1]) if match else None

    def begins(self, name: str) -> list[tuple[tuple[str | None, str | None], int, int]]:
        """Of each request of a file: its Range and If-Range; of the answer the status and the bytes of the body."""
        return [
            ((request.headers["Range"], request.headers["If-Range"]), request.status, request.sent)
            for request in self.asked(name)
        ]

    def by_hand(self, raw: Path, *names: str) -> str:
        """The advice to a person who still lacks these files."""
        return (
            f"\nBy hand: open {self.url}/records/{self.number}, download {', '.join(names)} into {raw}/, and run the same "
            "command again: it verifies what is there and fetches the rest."
        )

    def by_hand_without_record(self, raw: Path, *names: str, there: Sequence[str] = ()) -> str:
        """The advice to a person who lacks these files and cannot get the record."""
        has = f"{raw}/ has {len(there)} of {len(there) + len(names)} files: {', '.join(there)}.\n" if there else ""
        page = f"{self.url}/records/{self.number}"
        return (
            f"\n{has}By hand: get {', '.join(names)} from {page} or another copy of the release, put them into {raw}/, and "
            "run the same command again: without the record, it compares the files with each other."
        )

    def fetch(self, raw: Path) -> None:
        """A run that ends well."""
        download_release(raw, self.number, base_url=self.url)
        assert files_in(raw) == self.contents

    def fail(self, raw: Path) -> str:
        """A run that does not: its message, without the manual steps, which have to name what is missing."""
        with pytest.raises(UserError) as error:
            download_release(raw, self.number, base_url=self.url)
        missing = [name for name in FILES if not (raw / name).exists()]
        there = [name for name in FILES if name not in missing]
        told = str(error.value)
        for steps in (self.by_hand(raw, *missing), self.by_hand_without_record(raw, *missing, there=there)):
            if told.endswith(steps):
                return told.removesuffix(steps)
        raise AssertionError(f"no advice: {told}")


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that was killed may leave a thread in the middle of a file

    def __init__(self, zenodo: Zenodo) -> None:
        self.zenodo = zenodo
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that was interrupted, or has had enough, closes the connection in the middle of a body.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written separately; with Nagle's algorithm the body would wait for a delayed acknowledgement.
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Silent, as `Zenodo.requests` is the log."""

    def do_GET(self) -> None:
        zenodo = self.server.zenodo
        request = Request(self.command, self.path, self.headers)
        zenodo.requests.append(request)
        answer = zenodo.next_answer(self.path)
        found = b"" if answer.status else (zenodo.find(self.path) or b"")
        content = found if answer.content is None else answer.content
        headers: dict[str, str | None] = {"ETag": f'"{md5(content)}"', "Accept-Ranges": "bytes", **answer.headers}
        first = self._first(answer, headers["ETag"])
        status = answer.status or (200 if first is None else 206 if first < len(content) else 416)
        if status in (206, 416):
            span = f"{first}-{len(content) - 1}" if status == 206 else "*"
            headers = {"Content-Range": f"bytes {span}/{len(content)}", **headers}
        body = bytearray(content[first or 0 :])
        if answer.damage is not None and answer.damage >= (first or 0):
            body[answer.damage - (first or 0)] ^= 0xFF
        headers = {"Content-Length": str(len(body)), **headers}
        stop = max(0, min(len(body), answer.cut, answer.cut_at - (first or 0)))
        self.close_connection = headers["Content-Length"] != str(stop)
        # Noted before it is sent, so that a client that has a whole answer finds it in the record.
        request.status = status
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        for start in range(0, stop, BLOCK_SIZE):
            if answer.hold and start >= stop // 2:
                zenodo.closed.wait()
            block = body[start : min(start + BLOCK_SIZE, stop)]
            request.sent += len(block)
            self.wfile.write(block)

    def _first(self, answer: Answer, etag: str | None) -> int | None:
        """Offset from which the client resumes, None if it gets the whole file."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not asked or not answer.ranges or (condition is not None and condition != etag):
            return None
        return int(asked[1])
