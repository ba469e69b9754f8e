"""The writing half of the stand-in of the Hub: repositories that are made, written by commits, branched and tagged.

A repository here has a history: each commit is a folder that is never changed again, so the reading half in `hub.py`
serves any revision of it. Large contents are sent to the other listener first, as to the Hub's storage, and known by their
SHA-256 from then on, whatever becomes of the command that sent them. Faults can be put on any request.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.hub import (
    LARGE_FILE_SIZE,
    LARGE_FILE_SUFFIXES,
    Hub,
    HubError,
    Request,
    Response,
    Snapshot,
    git_oid,
    json_response,
)

TOKEN = "hf_aTokenThatMustNeverBeShown"  # noqa: S105 (known to the stand-in alone)
READ_TOKEN = "hf_aTokenThatMayOnlyRead"  # noqa: S105
FIRST_FILES = {".gitattributes": b"*.parquet filter=lfs diff=lfs merge=lfs -text\n"}
"""What the Hub puts into a new repository."""


@dataclass
class History:
    """One repository: snapshots by commit, commits by branch and tag."""

    private: bool = False
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What happens to the first `times` requests of this method whose path matches, before they are answered.

    `action` may raise a HubError as the answer, or a ConnectionError, which closes the connection. With `cut` the
    connection is closed in the middle of the body instead.
    """

    method: str
    path: str
    action: Callable[[Request], object] = lambda request: None
    times: int = 1
    cut: bool = False

    def takes(self, method: str, path: str) -> bool:
        """Whether it strikes this request; counts it."""
        if self.times and method == self.method and re.search(self.path, path):
            self.times -= 1
            return True
        return False


def refuse(status: int, **headers: str) -> Callable[[Request], object]:
    """The action of a fault that is an answer of the Hub."""

    def action(request: Request) -> object:
        raise HubError(status, "refused by the test", **headers)

    return action


def close_connection(request: Request) -> object:
    """The action of a fault that is no answer at all."""
    raise ConnectionAbortedError("closed by the test")


class WritingHub(Hub):
    """A Hub with repositories under the folder `store`, none at first.

    Attributes:
        histories: repositories by id.
        faults: what goes wrong; may be changed while requests come in.
        organizations: where TOKEN may write.
        tamper: called with the folder of every new commit before it is seen.
    """

    def __init__(self, store: Path, **options: Any) -> None:
        super().__init__({}, **options)
        self.store = store
        self.histories: dict[str, History] = {}
        self.faults: list[Fault] = []
        self.organizations = ["org"]
        self.tamper: Callable[[Path], object] = lambda folder: None
        self._lock = threading.RLock()
        repo_id, revision = "(?P<repo_id>[^/]+/[^/]+)", "(?P<revision>[^/]+)"
        api = f"/api/datasets/{repo_id}"
        self.routes = [
            ("hub", "POST", "/api/repos/create", self._create),
            ("hub", "POST", "/api/validate-yaml", self._validate),
            ("hub", "POST", f"{api}/preupload/{revision}", self._preupload),
            ("hub", "POST", f"/datasets/{repo_id}\\.git/info/lfs/objects/batch", self._batch),
            ("hub", "POST", f"/datasets/{repo_id}/verify", self._verify),
            ("hub", "POST", f"{api}/commit/{revision}", self._commit),
            ("hub", "GET", f"{api}/xet-write-token/{revision}", self._xet_token),
            ("hub", "POST", f"{api}/branch/(?P<branch>[^/]+)", self._branch),
            ("hub", "POST", f"{api}/tag/{revision}", self._tag),
            ("storage", "PUT", "/objects/(?P<sha256>[0-9a-f]{64})", self._store),
            *self.routes,
        ]

    def environment(self, home: Path | str) -> dict[str, str]:
        return super().environment(home) | {"HF_TOKEN": TOKEN}

    def receive(self, listener: str, method: str, path: str, stream: io.BufferedIOBase, size: int) -> bytes:
        if any(fault.cut and fault.takes(method, path) for fault in self.faults):
            stream.read(size // 2)
            raise ConnectionAbortedError("cut by the test")
        return super().receive(listener, method, path, stream, size)

    def answer(self, request: Request) -> Response:
        for fault in self.faults:
            if not fault.cut and fault.takes(request.method, request.path):
                fault.action(request)
        if request.listener == "hub":
            self._authorize(request)
        return super().answer(request)

    def commit(self, repo_id: str, branch: str, changes: dict[str, bytes | None]) -> str:
        """Make a commit on a branch: contents by path, None for a file that goes; returns its id."""
        with self._lock:
            history = self.histories[repo_id]
            parent = history.branches.get(branch)
            before = history.snapshots[parent] if parent else None
            folder = self.store / "commits" / f"{sum(len(one.snapshots) for one in self.histories.values())}"
            folder.mkdir(parents=True)
            kept = {path for path, item in before.items.items() if item["type"] == "file"} if before else set()
            for path in sorted(kept - changes.keys()):
                assert before is not None
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                os.link(before.folder / path, folder / path)
            for path, content in changes.items():
                if content is not None:
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / path).write_bytes(content)
            self.tamper(folder)
            snapshot = Snapshot(folder)
            snapshot.commit = git_oid("commit", f"{parent} {json.dumps(snapshot.items)}".encode())
            history.snapshots[snapshot.commit] = snapshot
            history.branches[branch] = snapshot.commit
            return snapshot.commit

    def create(self, repo_id: str, private: bool = False) -> None:
        """Make a repository with its first commit."""
        self.histories[repo_id] = History(private)
        self.commit(repo_id, "main", dict(FIRST_FILES))

    def files(self, repo_id: str, revision: str = "main") -> dict[str, bytes]:
        """Contents by path of a revision."""
        snapshot = self.snapshot(repo_id, revision)
        paths = [path for path, item in snapshot.items.items() if item["type"] == "file"]
        return {path: (snapshot.folder / path).read_bytes() for path in paths}

    def sent(self) -> list[int]:
        """Bytes of each content that was stored."""
        return [len(request.body) for request in self.requests if request.method == "PUT" and request.status == 200]

    def snapshot(self, repo_id: str, revision: str = "main") -> Snapshot:
        history = self.histories.get(repo_id)
        if history is None:
            raise HubError(404, "Repository not found", "RepoNotFound")
        commit = history.branches.get(revision) or history.tags.get(revision) or revision
        if commit not in history.snapshots:
            raise HubError(404, "Invalid rev id", "RevisionNotFound")
        return history.snapshots[commit]

    def _authorize(self, request: Request) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in (TOKEN, READ_TOKEN):
            raise HubError(401, "Invalid credentials in Authorization header")
        reads = request.method in ("GET", "HEAD") or "/paths-info/" in request.path
        organization = json.loads(request.body or b"{}")["organization"] if "repos/create" in request.path else None
        if organization is None and (match := re.match(r"/(?:api/)?datasets/([^/]+)/", request.path)):
            organization = match[1]
        if not reads and not token:
            raise HubError(401, "Invalid username or password.")
        if not reads and organization and (token != TOKEN or organization not in self.organizations):
            raise HubError(403, f"You don't have the rights to write under the namespace {organization}")

    def _create(self, request: Request) -> Response:
        asked = json.loads(request.body)
        repo_id = f"{asked['organization']}/{asked['name']}"
        if repo_id in self.histories:
            raise HubError(409, "You already created this dataset repo")
        self.create(repo_id, asked.get("private") or asked.get("visibility") == "private")
        return json_response({"url": f"{self.endpoint}/datasets/{repo_id}", "name": repo_id, "id": repo_id})

    def _info(self, request: Request, repo_id: str, revision: str = "main") -> Response:
        body = super()._info(request, repo_id, revision).body
        assert isinstance(body, bytes)
        return json_response(json.loads(body) | {"private": self.histories[repo_id].private})

    def _refs(self, request: Request, repo_id: str) -> Response:
        self.snapshot(repo_id)
        history = self.histories[repo_id]

        def listed(kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": refs[name]} for name in sorted(refs)]

        refs = {"branches": listed("heads", history.branches), "tags": listed("tags", history.tags)}
        return json_response({**refs, "converts": [], "pullRequests": []})

    def _validate(self, request: Request) -> Response:
        content = json.loads(request.body)["content"]
        if not content.startswith("---\n"):
            body = json.dumps({"errors": [{"message": "no YAML"}], "warnings": []}).encode()
            return Response(400, {"Content-Type": "application/json"}, body)
        return json_response({"errors": [], "warnings": []})

    def _preupload(self, request: Request, repo_id: str, revision: str) -> Response:
        items = self.snapshot(repo_id, revision).items
        answers = []
        for file in json.loads(request.body)["files"]:
            there = items.get(file["path"], {})
            large = file["size"] > LARGE_FILE_SIZE or Path(file["path"]).suffix in LARGE_FILE_SUFFIXES
            oid = there.get("lfs", there).get("oid")
            answers.append(
                {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}
            )
        return json_response({"files": answers})

    def _object(self, sha256: str) -> Path:
        return self.store / "objects" / sha256

    def _batch(self, request: Request, repo_id: str) -> Response:
        objects = []
        for wanted in json.loads(request.body)["objects"]:
            answer = {"oid": wanted["oid"], "size": wanted["size"]}
            if not self._object(wanted["oid"]).exists():
                upload = {"href": f"{self.storage_endpoint}/objects/{wanted['oid']}"}
                answer["actions"] = {
                    "upload": upload,
                    "verify": {"href": f"{self.endpoint}/datasets/{repo_id}/verify"},
                }
            objects.append(answer)
        return json_response({"transfer": "basic", "objects": objects})

    def _xet_token(self, request: Request, repo_id: str, revision: str) -> Response:
        # The client's own store in a folder; nobody can get a file out of it by its SHA-256.
        url, token, end = f"local://{self.store / 'xet'}", "any", int(time.time()) + 3600
        headers = {"X-Xet-Cas-Url": url, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(end)}
        return json_response({"casUrl": url, "accessToken": token, "exp": end}, **headers)

    def _store(self, request: Request, sha256: str) -> Response:
        if request.has_authorization:
            raise HubError(400, "The storage gets no token")
        if hashlib.sha256(request.body).hexdigest() != sha256:
            raise HubError(400, "Other bytes than announced")
        with self._lock:
            self._object(sha256).parent.mkdir(parents=True, exist_ok=True)
            self._object(sha256).write_bytes(request.body)
        return Response(200, {}, b"")

    def _verify(self, request: Request, repo_id: str) -> Response:
        asked = json.loads(request.body)
        if not self._object(asked["oid"]).exists():
            raise HubError(404, "Object not found")
        return json_response({})

    def _commit(self, request: Request, repo_id: str, revision: str) -> Response:
        lines = [json.loads(line) for line in request.body.splitlines()]
        with self._lock:
            self.snapshot(repo_id, revision)
            head = self.histories[repo_id].branches.get(revision)
            if lines[0]["value"].get("parentCommit", head) != head:
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            changes: dict[str, bytes | None] = {}
            for line in lines[1:]:
                value = line["value"]
                if line["key"] == "file":
                    changes[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    if not self._object(value["oid"]).exists():
                        raise HubError(400, f"{value['path']}: its content was never sent")
                    changes[value["path"]] = self._object(value["oid"]).read_bytes()
                else:
                    changes[value["path"]] = None
            commit = self.commit(repo_id, revision, changes)
        url = f"{self.endpoint}/datasets/{repo_id}/commit/{commit}"
        return json_response({"success": True, "commitOid": commit, "commitUrl": url})

    def _branch(self, request: Request, repo_id: str, branch: str) -> Response:
        commit = self.snapshot(repo_id, json.loads(request.body).get("startingPoint", "main")).commit
        return self._name(self.histories[repo_id].branches, branch, commit)

    def _tag(self, request: Request, repo_id: str, revision: str) -> Response:
        commit = self.snapshot(repo_id, revision).commit
        return self._name(self.histories[repo_id].tags, json.loads(request.body)["tag"], commit)

    def _name(self, refs: dict[str, str], name: str, commit: str) -> Response:
        if name in refs:
            raise HubError(409, "Reference exists already")
        refs[name] = commit
        return json_response({})

    def _storage(self, request: Request, repo_id: str, sha256: str) -> Response:
        for snapshot in self.histories[repo_id].snapshots.values():
            for path, item in snapshot.items.items():
                if item.get("lfs", {}).get("oid") == sha256:
                    return Response(200, {"ETag": f'"{sha256}"'}, snapshot.folder / path)
        raise HubError(404, "Object not found")
