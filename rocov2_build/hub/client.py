"""The Hub as a publisher meets it: the few requests that are made, with patience, and each refusal in plain words.

The requests are those of `huggingface_hub`, with its usual places for the token; the token itself is in no message.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError
from huggingface_hub.hf_api import GitRefInfo, RepoFile

from rocov2_build.hub.uploads import Upload
from rocov2_shared.errors import UserError
from rocov2_shared.terminal import INTERRUPTED, format_seconds

DATASET = "dataset"
GO_ON = "The same command goes on where this one stopped."
TRIES = 5
"""Requests that are made before a busy server is given up."""
LONGEST_WAIT = 900.0
"""Seconds; a server that asks for a longer pause is left alone, and the person told."""

_BUSY = (429, 500, 502, 503, 504)
_TOKENS = "https://huggingface.co/settings/tokens"
_NETWORK = ("httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3")

T = TypeVar("T")


class ChangedMeanwhileError(Exception):
    """The branch is not at the commit any more that the new one was to follow."""


class Repository:
    """One dataset repository on the Hub.

    Args:
        repo_id: `org/name`.
        token: with the right to write; None to ask as anybody may.
        tell: told of every pause, with the step and the text.
    """

    def __init__(self, repo_id: str, token: str | None, tell: Callable[[str, str], None]) -> None:
        self.repo_id = repo_id
        self._token, self._tell = token, tell
        self._api = HfApi(token=token or False)
        self._operations: dict[str, CommitOperationAdd] = {}

    def private(self) -> bool | None:
        """Whether the repository is private, None when there is none (or none that the token may see)."""
        try:
            return bool(self._ask(lambda: self._api.repo_info(self.repo_id, repo_type=DATASET)).private)
        except UserError as error:
            answer = error.__cause__
            if not isinstance(answer, RepositoryNotFoundError) or (answer.response.status_code == 401 and self._token):
                raise
            return None

    def create(self, private: bool) -> None:
        """Make the repository."""
        self._ask(lambda: self._api.create_repo(self.repo_id, repo_type=DATASET, private=private))

    def refs(self) -> tuple[dict[str, str], dict[str, str]]:
        """Commits of the branches and of the tags, by name."""
        refs = self._ask(lambda: self._api.list_repo_refs(self.repo_id, repo_type=DATASET))

        def commits(found: Iterable[GitRefInfo]) -> dict[str, str]:
            return {ref.name: ref.target_commit for ref in found}

        return commits(refs.branches), commits(refs.tags)

    def files(self, revision: str) -> dict[str, RepoFile]:
        """All files of a revision by path, with their sizes and hashes."""
        options: dict[str, Any] = {"repo_type": DATASET, "revision": revision, "recursive": True}
        items = self._ask(lambda: list(self._api.list_repo_tree(self.repo_id, **options)))
        return {item.path: item for item in items if isinstance(item, RepoFile)}

    def send(self, uploads: Sequence[Upload], threads: int) -> None:
        """Store contents on the Hub, where no revision shows them yet; those that it has already are not sent.

        Small files are not sent here: they are part of the commit.
        """
        operations = [self._operation(upload) for upload in uploads]
        with _interrupted_at_once():
            # huggingface_hub repeats these requests itself, and waits as the server asks.
            self._ask(
                lambda: self._api.preupload_lfs_files(
                    self.repo_id, operations, repo_type=DATASET, num_threads=threads, free_memory=False
                ),
                tries=1,
            )

    def create_branch(self, branch: str, commit: str) -> None:
        """Make a branch that begins at a commit."""
        options: dict[str, Any] = {"repo_type": DATASET, "revision": commit, "exist_ok": True}
        self._ask(lambda: self._api.create_branch(self.repo_id, branch=branch, **options))

    def commit(self, branch: str, parent: str, uploads: Sequence[Upload], removed: Sequence[str], title: str) -> str:
        """Make one commit of files that were sent before; the branch shows all of it or nothing.

        Returns:
            Its id.

        Raises:
            ChangedMeanwhileError: the branch is not at `parent` any more.
        """
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            *(self._operation(upload) for upload in uploads),
            *(CommitOperationDelete(path_in_repo=path, is_folder=False) for path in removed),
        ]
        options: dict[str, Any] = {"repo_type": DATASET, "revision": branch, "parent_commit": parent}
        made = self._ask(lambda: self._api.create_commit(self.repo_id, operations, commit_message=title, **options))
        return str(made.oid)

    def read(self, path: str, commit: str) -> bytes:
        """Content of a small file, past every cache."""
        with tempfile.TemporaryDirectory() as folder:
            options: dict[str, Any] = {"repo_type": DATASET, "revision": commit, "cache_dir": folder}
            return Path(self._ask(lambda: self._api.hf_hub_download(self.repo_id, path, **options))).read_bytes()

    def tag(self, name: str, commit: str, message: str) -> None:
        """Name a commit."""
        options: dict[str, Any] = {"repo_type": DATASET, "revision": commit, "exist_ok": True}
        self._ask(lambda: self._api.create_tag(self.repo_id, tag=name, tag_message=message, **options))

    def _operation(self, upload: Upload) -> CommitOperationAdd:
        # Kept, since it remembers that its content was sent.
        if upload.path not in self._operations:
            source = str(upload.source) if isinstance(upload.source, Path) else upload.source
            self._operations[upload.path] = CommitOperationAdd(upload.path, source)
        return self._operations[upload.path]

    def _ask(self, request: Callable[[], T], tries: int = TRIES) -> T:
        """Make a request, again while the server is busy.

        Raises:
            ChangedMeanwhileError: a commit has another parent than expected (412).
            UserError: anything else, in plain words; its cause is the client's error.
        """
        for attempt in range(1, tries + 1):
            try:
                return request()
            except Exception as error:  # what the client raises differs between its versions and its ways to send
                answer = _answer_in(error)
                status = answer.response.status_code if answer else None
                if status == 412:
                    raise ChangedMeanwhileError from error
                busy = status in _BUSY or (status is None and _is_network(error))
                pause = _asked_pause(answer) or 2.0 ** (attempt - 1)
                if not busy or attempt == tries or pause > LONGEST_WAIT:
                    raise self._explained(error) from error
                what = f"the Hub answers {status}" if status else "the connection failed"
                self._tell("Waiting", f"{what}; again in {format_seconds(pause)}")
                time.sleep(pause)
        raise AssertionError("unreachable")

    def _explained(self, error: Exception) -> UserError:
        """The error as one message that says what to do, without the token."""
        answer = _answer_in(error)
        text = self._explain_answer(answer) if answer else self._explain_failure(error)
        return UserError(text.replace(self._token, "***") if self._token else text)

    def _explain_answer(self, answer: HfHubHTTPError) -> str:
        status = answer.response.status_code
        organization = self.repo_id.partition("/")[0]
        said = f" The Hub says: {answer.server_message}." if answer.server_message else ""
        if status == 401:
            return (
                f"the Hub does not accept the token (401): make one with write access at {_TOKENS}, then `hf auth login` or "
                f"HF_TOKEN. {GO_ON}"
            )
        if status == 403:
            return (
                f"the token may not write to {self.repo_id} (403): it needs write access to {organization} ({_TOKENS})."
                f"{said} {GO_ON}"
            )
        if status == 404:
            return f"the Hub has no {self.repo_id}, or no {organization} that the token may see (404): check the name.{said}"
        if status == 409:
            return (
                f"{self.repo_id} is there already, or is being changed right now (409): check the name, or wait."
                f"{said} {GO_ON}"
            )
        if status == 429:
            pause = _asked_pause(answer)
            when = f"in {format_seconds(pause)}" if pause else "later"
            return f"the Hub asks for fewer requests (429): try again {when}. {GO_ON}"
        if status >= 500:
            return f"the Hub is in trouble ({status}): try again later.{said} {GO_ON}"
        return f"the Hub refuses ({status}).{said or f' {answer}'}"

    def _explain_failure(self, error: Exception) -> str:
        if isinstance(error, OfflineModeIsEnabled):
            return "the variable HF_HUB_OFFLINE keeps this command from the Hub: unset it"
        if isinstance(error, HFValidationError):
            return f"the Hub's client refuses the name: {error}"
        if _is_network(error):
            return f"the connection to the Hub failed ({_innermost(error)}): check the network. {GO_ON}"
        return f"{_innermost(error)} ({type(error).__name__}). {GO_ON}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _answer_in(error: Exception) -> HfHubHTTPError | None:
    """The Hub's answer that is behind an error, if one is: failures of sending come wrapped."""
    return next((cause for cause in _chain(error) if isinstance(cause, HfHubHTTPError)), None)


def _is_network(error: Exception) -> bool:
    return any(
        type(cause).__module__.partition(".")[0] in _NETWORK or isinstance(cause, (ConnectionError, TimeoutError))
        for cause in _chain(error)
        if not isinstance(cause, OfflineModeIsEnabled)
    )


def _innermost(error: Exception) -> str:
    return str(list(_chain(error))[-1]) or type(error).__name__


def _asked_pause(answer: HfHubHTTPError | None) -> float:
    """Seconds of the header Retry-After, 0 without one that can be read."""
    value = answer.response.headers.get("Retry-After", "") if answer else ""
    return float(value) if value.isdecimal() else 0.0


@contextmanager
def _interrupted_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process: the client's threads would first send all that they have begun.

    Nothing is lost with it: what was sent whole is on the Hub, and there is nothing here to tidy.
    """

    def end(*_: object) -> None:
        click.echo(f"\nInterrupted. {GO_ON}", err=True)
        os._exit(INTERRUPTED)

    before = signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
