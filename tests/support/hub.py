"""A stand-in of the Hugging Face Hub on the loopback interface, which serves local folders as dataset repositories.

The tests start the real clients (`datasets`, `huggingface_hub`) in processes of their own and point them here, so that
what is tested is what a user of the published dataset runs. Only reading is answered; `hub_writing.py` adds the rest.
A repository has no history: its one commit is derived from the content of its folder, so that a changed folder is a new
commit on `main`.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlencode

LARGE_FILE_SIZE = 10_000_000
LARGE_FILE_SUFFIXES = frozenset({".jpeg", ".jpg", ".parquet", ".png", ".zip"})
TIMESTAMP = "2024-01-01T00:00:00.000Z"
CHUNK_SIZE = 1 << 18


@dataclass
class Request:
    """A request to the listener "hub" or "storage", path still quoted; of its answer, status and bytes of the body."""

    listener: str
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Message
    body: bytes
    status: int = 0
    bytes_sent: int = 0

    @property
    def has_authorization(self) -> bool:
        return "Authorization" in self.headers


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes | Path


Route = tuple[str, str, str, Callable[..., Response]]


class HubError(Exception):
    """An error answer. Clients choose the exception that they raise by the code, not by the status."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        headers |= {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
        self.response = Response(status, headers, json.dumps({"error": message}).encode())


class Snapshot:
    """The current state of a repository: `items` has its files and folders by path, as the tree endpoint lists them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items: dict[str, dict[str, Any]] = {}
        for local in sorted(folder.rglob("*")):
            path, status = local.relative_to(folder).as_posix(), local.stat()
            if local.is_file():
                changes = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
                self.items[path] = {"type": "file", "path": path, **identify(local, status.st_size, *changes)}
            else:
                self.items[path] = {"type": "directory", "path": path, "size": 0, "oid": git_oid("tree", path.encode())}
        self.commit = git_oid("commit", json.dumps(self.items).encode())


class Hub:
    """Serves `{"org/name": folder}` while the context is open, large files from a second listener as the Hub does.

    `requests` records what was asked of both listeners. `delay` is waited before every answer, in seconds, as the
    distance to a real server; `page_size` is the number of items on one page of a tree listing. A route is a listener,
    a method (GET includes HEAD), a pattern for the quoted path, and a handler, which gets the groups of the pattern.
    """

    def __init__(self, repositories: Mapping[str, Path | str], *, delay: float = 0.0, page_size: int = 1000) -> None:
        self.repositories = {repo_id: Path(folder).resolve(strict=True) for repo_id, folder in repositories.items()}
        self.delay, self.page_size = delay, page_size
        self.requests: list[Request] = []
        repo_id, revision, path = "(?P<repo_id>[^/]+/[^/]+)", "(?P<revision>[^/]+)", "(?P<path>.+)"
        api = f"/api/datasets/{repo_id}"
        self.routes: list[Route] = [
            ("hub", "GET", "/api/whoami-v2", self._whoami),
            ("hub", "GET", f"{api}(?:/revision/{revision})?", self._info),
            ("hub", "GET", f"{api}/refs", self._refs),
            ("hub", "GET", f"{api}/tree/{revision}(?:/{path})?", self._tree),
            ("hub", "POST", f"{api}/paths-info/{revision}", self._paths_info),
            ("hub", "GET", f"/datasets/{repo_id}/resolve/{revision}/{path}", self._resolve),
            # Ids of one segment, which match none of the above, have to be reported as unknown repositories.
            ("hub", "GET", f"(?:/api)?/datasets/(?:{repo_id}.*|[^/]+)", self._unknown),
            ("storage", "GET", f"/{repo_id}/(?P<sha256>[0-9a-f]+)", self._storage),
        ]

    def __enter__(self) -> Self:
        self._listeners = [_Listener(name, self) for name in ("hub", "storage")]
        self.endpoint = f"http://127.0.0.1:{self._listeners[0].server_port}"
        # Another port is not enough: some versions of huggingface_hub compare host names alone, and would follow the
        # redirect of a HEAD request to an answer that lacks the headers of the Hub.
        self.storage_endpoint = f"http://localhost:{self._listeners[1].server_port}"
        for listener in self._listeners:
            # The default interval would let every test wait up to half a second for each listener to stop.
            threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()

    def environment(self, home: Path | str) -> dict[str, str]:
        """Variables for a client process, which reads them at import. `home` is an empty folder for its caches."""
        switches = ("HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS")
        values = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(home), "HF_TOKEN": "", "HF_UPDATE_DOWNLOAD_COUNTS": "0"}
        return values | dict.fromkeys(switches, "1") | dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")

    def receive(self, listener: str, method: str, path: str, stream: io.BufferedIOBase, size: int) -> bytes:
        """The body of a request."""
        return stream.read(size)

    def answer(self, request: Request) -> Response:
        """The answer of the first route that fits the request; a HubError is an answer as well."""
        if ".." in unquote(request.path).split("/"):
            raise HubError(400, "A path must not contain '..'")
        kind = (request.listener, request.method.replace("HEAD", "GET"))
        for listener, method, pattern, handler in self.routes:
            if kind == (listener, method) and (match := re.fullmatch(pattern, request.path)):
                return handler(request, **{name: unquote(value) for name, value in match.groupdict().items() if value})
        raise HubError(404, "Endpoint not found")

    def snapshot(self, repo_id: str, revision: str = "main") -> Snapshot:
        """The repository at a revision, or the error answer that names what is missing."""
        if repo_id not in self.repositories:
            raise HubError(404, "Repository not found", "RepoNotFound")
        snapshot = Snapshot(self.repositories[repo_id])
        if revision not in ("main", snapshot.commit):
            raise HubError(404, "Invalid rev id", "RevisionNotFound")
        return snapshot

    def _whoami(self, request: Request) -> Response:
        if not request.has_authorization:
            raise HubError(401, "Invalid username or password.")
        return json_response({"type": "user", "name": "tester", "fullname": "Tester", "orgs": [], "auth": {}})

    def _info(self, request: Request, repo_id: str, revision: str = "main") -> Response:
        snapshot = self.snapshot(repo_id, revision)
        info: dict[str, Any] = {"id": repo_id, "author": repo_id.partition("/")[0], "sha": snapshot.commit}
        info |= {"private": False, "gated": False, "disabled": False, "tags": [], "cardData": {}}
        info |= {"downloads": 0, "likes": 0, "lastModified": TIMESTAMP, "createdAt": TIMESTAMP}
        info["siblings"] = [{"rfilename": path} for path, item in snapshot.items.items() if item["type"] == "file"]
        return json_response(info)

    def _refs(self, request: Request, repo_id: str) -> Response:
        main = {"name": "main", "ref": "refs/heads/main", "targetCommit": self.snapshot(repo_id).commit}
        return json_response({"branches": [main], "converts": [], "tags": [], "pullRequests": []})

    def _tree(self, request: Request, repo_id: str, revision: str, path: str = "") -> Response:
        snapshot = self.snapshot(repo_id, revision)
        if path and snapshot.items.get(path, {}).get("type") != "directory":
            raise HubError(404, "Folder not found", "EntryNotFound")
        prefix = f"{path}/" if path else ""
        depth = None if is_true(request.query, "recursive") else prefix.count("/")
        paths = [path for path in snapshot.items if path.startswith(prefix) and depth in (None, path.count("/"))]
        start = int(request.query.get("cursor", ["0"])[0])
        stop = start + self.page_size
        following = urlencode({**request.query, "cursor": [stop]}, doseq=True)
        headers = {"Link": f'<{self.endpoint}{request.path}?{following}>; rel="next"'} if stop < len(paths) else {}
        return json_response(list_items(snapshot, paths[start:stop], request.query), **headers)

    def _paths_info(self, request: Request, repo_id: str, revision: str) -> Response:
        form = parse_qs(request.body.decode())
        return json_response(list_items(self.snapshot(repo_id, revision), form.get("paths", []), form))

    def _resolve(self, request: Request, repo_id: str, revision: str, path: str) -> Response:
        snapshot = self.snapshot(repo_id, revision)
        headers = {"X-Repo-Commit": snapshot.commit}
        item = snapshot.items.get(path, {})
        if item.get("type") != "file":
            raise HubError(404, "Entry not found", "EntryNotFound", **headers)
        if "lfs" not in item:
            return Response(200, headers | {"ETag": f'"{item["oid"]}"'}, snapshot.folder / path)
        sha256 = item["lfs"]["oid"]
        headers |= {"X-Linked-Size": str(item["size"]), "X-Linked-Etag": f'"{sha256}"'}
        return Response(302, headers | {"Location": f"{self.storage_endpoint}/{repo_id}/{sha256}"}, b"")

    def _unknown(self, request: Request, repo_id: str = "") -> Response:
        self.snapshot(repo_id)
        raise HubError(404, "Endpoint not found")

    def _storage(self, request: Request, repo_id: str, sha256: str) -> Response:
        snapshot = self.snapshot(repo_id)
        for path, item in snapshot.items.items():
            if "lfs" in item and item["lfs"]["oid"] == sha256:
                return Response(200, {"ETag": f'"{sha256}"'}, snapshot.folder / path)
        raise HubError(404, "Object not found")


def git_oid(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


@cache
def identify(local: Path, size: int, *changes: int) -> dict[str, Any]:
    """Size and identifiers of a file, kept until its size or `changes` differ, as every request needs those of all."""
    if size <= LARGE_FILE_SIZE and local.suffix.lower() not in LARGE_FILE_SUFFIXES:
        return {"size": size, "oid": git_oid("blob", local.read_bytes())}
    with local.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    lfs = {"oid": sha256, "size": size, "pointerSize": len(pointer)}
    return {"size": size, "oid": git_oid("blob", pointer), "lfs": lfs}


def is_true(parameters: Mapping[str, list[str]], name: str) -> bool:
    return parameters.get(name, [""])[0].lower() in ("true", "1")


def list_items(snapshot: Snapshot, paths: list[str], parameters: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """The items of a listing, without the paths that do not exist."""
    commit = {"lastCommit": {"id": snapshot.commit, "title": "Upload dataset", "date": TIMESTAMP}}
    extra = commit if is_true(parameters, "expand") else {}
    return [snapshot.items[path] | extra for path in paths if path in snapshot.items]


def json_response(value: object, **headers: str) -> Response:
    return Response(200, {"Content-Type": "application/json", **headers}, json.dumps(value).encode())


def requested_range(header: str, size: int) -> range | None:
    """The bytes that a Range header asks for, none of them if it is past the end, None if there is no single range."""
    match = re.fullmatch(r"bytes=(?:(\d+)-(\d*)|-(\d+))", header)
    if match and match[3]:
        return range(max(0, size - int(match[3])), size)
    return range(int(match[1]), min(int(match[2] or size) + 1, size)) if match else None


class _Listener(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(self, name: str, hub: Hub) -> None:
        self.name, self.hub = name, hub
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that has read enough of a stream closes the connection in the middle of a body.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are written separately; with Nagle's algorithm the body would wait for a delayed acknowledgement.
    disable_nagle_algorithm = True
    server: _Listener

    def log_message(self, format: str, *args: Any) -> None:
        """Silent, as `Hub.requests` is the log."""

    def _respond(self) -> None:
        hub, (path, _, query) = self.server.hub, self.path.partition("?")
        if self.server.socket.fileno() < 0:
            raise ConnectionAbortedError("The Hub is closed, but a client has kept its connection")
        content = hub.receive(
            self.server.name, self.command, path, self.rfile, int(self.headers.get("Content-Length", 0))
        )
        request = Request(self.server.name, self.command, path, parse_qs(query), self.headers, content)
        hub.requests.append(request)
        time.sleep(hub.delay)
        try:
            status, headers, body = hub.answer(request)
        except HubError as error:
            status, headers, body = error.response
        with body.open("rb") if isinstance(body, Path) else io.BytesIO(body) as stream:
            size = stream.seek(0, io.SEEK_END)
            span = range(size)
            if status == 200 and (asked := requested_range(self.headers.get("Range", ""), size)) is not None:
                span, status = asked, 206 if asked else 416
                headers = {**headers, "Content-Range": f"bytes {f'{asked[0]}-{asked[-1]}' if asked else '*'}/{size}"}
            # Noted before it is sent, so that a client that has a whole answer finds it in the record.
            request.status = status
            self.send_response(status)
            for name, value in {**headers, "Accept-Ranges": "bytes", "Content-Length": str(len(span))}.items():
                self.send_header(name, value)
            self.end_headers()
            stream.seek(span.start)
            for start in span[::CHUNK_SIZE] if self.command != "HEAD" else ():
                chunk = stream.read(min(CHUNK_SIZE, span.stop - start))
                request.bytes_sent += len(chunk)
                self.wfile.write(chunk)

    do_GET = do_HEAD = do_POST = do_PUT = _respond  # noqa: N815 (names of the base class)
