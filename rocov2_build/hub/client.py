"""The requests that publishing makes to the Hub, repeated while it is busy. `refusals` has the words for its errors."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import GitRefInfo, RepoFile

from rocov2_build.hub.refusals import describe, explain, find_answer, find_pause, is_network_failure
from rocov2_build.hub.uploads import Upload
from rocov2_build.hub.watched_folder import describe_changes
from rocov2_shared.errors import UserError
from rocov2_shared.resuming import RESUME
from rocov2_shared.retry import LONGEST_WAIT, choose_pause, wait
from rocov2_shared.terminal import INTERRUPTED, echo, format_seconds

DATASET = "dataset"
TRIES = 5
"""How often a request is made while the Hub is busy."""

_BUSY = (429, 500, 502, 503, 504)

T = TypeVar("T")


class ChangedMeanwhileError(Exception):
    """The head of the branch is no longer the parent of the new commit."""


class HubRepository:
    """A dataset repository on the Hub.

    Args:
        repo_id: `org/name`.
        token: token with write access; None for anonymous requests.
        report: called before every pause, with the step and the text.
    """

    def __init__(self, repo_id: str, token: str | None, report: Callable[[str, str], None]) -> None:
        self.repo_id = repo_id
        self._token, self._report = token, report
        self._api = HfApi(token=token or False)
        self._operations: dict[str, CommitOperationAdd] = {}

    def is_private(self) -> bool | None:
        """Return whether the repository is private; None if it does not exist, or the token cannot see it."""
        try:
            return bool(self._request(lambda: self._api.repo_info(self.repo_id, repo_type=DATASET)).private)
        except UserError as error:
            answer = error.__cause__
            if not isinstance(answer, RepositoryNotFoundError) or (answer.response.status_code == 401 and self._token):
                raise
            return None

    def create(self, private: bool) -> None:
        """Create the repository."""
        self._request(lambda: self._api.create_repo(self.repo_id, repo_type=DATASET, private=private))

    def refs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return the commits of the branches and those of the tags, by name."""
        refs = self._request(lambda: self._api.list_repo_refs(self.repo_id, repo_type=DATASET))

        def commits(found: Iterable[GitRefInfo]) -> dict[str, str]:
            return {ref.name: ref.target_commit for ref in found}

        return commits(refs.branches), commits(refs.tags)

    def files(self, revision: str) -> dict[str, RepoFile]:
        """Return all files of a revision by path, with their sizes and hashes."""
        options: dict[str, Any] = {"repo_type": DATASET, "revision": revision, "recursive": True}
        items = self._request(lambda: list(self._api.list_repo_tree(self.repo_id, **options)))
        return {item.path: item for item in items if isinstance(item, RepoFile)}

    def send(self, uploads: Sequence[Upload], threads: int) -> None:
        """Store the contents of large files on the Hub, unless it has them; no revision contains them yet.

        Small files are not sent here: they are part of the commit.
        """
        operations = [self._operation(upload) for upload in uploads]
        with _interrupted_at_once():
            # huggingface_hub repeats these requests itself, with the pauses that the server asks for.
            self._request(
                lambda: self._api.preupload_lfs_files(
                    self.repo_id, operations, repo_type=DATASET, num_threads=threads, free_memory=False
                ),
                tries=1,
            )

    def create_branch(self, branch: str, commit: str) -> None:
        """Create a branch with `commit` as its head."""
        options: dict[str, Any] = {"repo_type": DATASET, "revision": commit, "exist_ok": True}
        self._request(lambda: self._api.create_branch(self.repo_id, branch=branch, **options))

    def commit(self, branch: str, parent: str, uploads: Sequence[Upload], removed: Sequence[str], title: str) -> str:
        """Commit files that were sent before. The commit is atomic: the branch contains all of the changes or none.

        Returns:
            The id of the commit.

        Raises:
            ChangedMeanwhileError: `parent` is no longer the head of the branch.
        """
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(self._operation(upload) for upload in uploads),
            *(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in removed),
        ]
        options: dict[str, Any] = {"repo_type": DATASET, "revision": branch, "parent_commit": parent}
        commit = self._request(
            lambda: self._api.create_commit(self.repo_id, operations, commit_message=title, **options)
        )
        return str(commit.oid)

    def read(self, path: str, commit: str) -> bytes:
        """Return the content of a small file, bypassing every cache."""
        with tempfile.TemporaryDirectory() as folder:
            options: dict[str, Any] = {"repo_type": DATASET, "revision": commit, "cache_dir": folder}
            return Path(self._request(lambda: self._api.hf_hub_download(self.repo_id, path, **options))).read_bytes()

    def tag(self, name: str, commit: str, message: str) -> None:
        """Tag a commit."""
        options: dict[str, Any] = {"repo_type": DATASET, "revision": commit, "exist_ok": True}
        self._request(lambda: self._api.create_tag(self.repo_id, tag=name, tag_message=message, **options))

    def _operation(self, upload: Upload) -> CommitOperationAdd:
        # One object for each file: it remembers that its content was sent.
        if upload.path not in self._operations:
            source = str(upload.source) if isinstance(upload.source, Path) else upload.source
            operation = CommitOperationAdd(upload.path, source)
            if operation.upload_info.sha256.hex() != upload.sha256:
                raise UserError(describe_changes([upload.path]))
            self._operations[upload.path] = operation
        return self._operations[upload.path]

    def _request(self, call: Callable[[], T], tries: int = TRIES) -> T:
        """Make a request, and repeat it while the server is busy.

        Raises:
            ChangedMeanwhileError: the parent of a commit is not the head of its branch (412).
            UserError: any other error, explained; its cause is the error of `huggingface_hub`.
        """
        for attempt in range(1, tries + 1):
            try:
                return call()
            except Exception as error:  # versions of huggingface_hub and its transports raise different types
                answer = find_answer(error)
                status = answer.response.status_code if answer else None
                if status == 412:
                    raise ChangedMeanwhileError from error
                busy = status in _BUSY or (status is None and is_network_failure(error))
                pause = choose_pause(attempt, find_pause(answer))
                if not busy or attempt == tries or pause > LONGEST_WAIT:
                    raise explain(error, self.repo_id, self._token) from error
                what = describe(answer) if answer else "the connection failed"
                wait(pause, partial(self._report_pause, what))
        raise AssertionError("unreachable")

    def _report_pause(self, what: str, seconds: float) -> None:
        self._report("Waiting", f"{what}; next try in {format_seconds(seconds)}")


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once: otherwise the threads of huggingface_hub would first finish their uploads.

    Nothing is lost: completely sent contents are on the Hub, and nothing has to be cleaned up here.
    """

    def end(*_: object) -> None:
        echo(f"\nInterrupted. {RESUME}", err=True)
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
