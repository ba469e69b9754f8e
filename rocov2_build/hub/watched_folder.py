"""The folder that is published: what is committed must be what was checked, and nothing from outside of the folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rocov2_build.card.documents import record_document
from rocov2_build.hub.uploads import Upload, is_allowed
from rocov2_shared.conversion import CARD, ConversionRecord
from rocov2_shared.errors import UserError
from rocov2_shared.files import file_sha256

_MAX_LISTED = 8

State = tuple[int, ...]
"""Device, inode, size and times of a file: every change shows in the last of them, which no program can set."""


class WatchedFolder:
    """A folder, and the states of its files that may be uploaded, from before they are checked and hashed.

    Args:
        root: the folder.

    Raises:
        UserError: it contains links; what they lead to is not part of it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._states = self._find_states()

    def require_recorded(self, uploads: Iterable[Upload], conversion: ConversionRecord) -> None:
        """Compare the states of the files with those before the check, and what is uploaded with `conversion.json`.

        Raises:
            UserError: a file is new, missing or changed.
        """
        recorded = {path: file["sha256"] for path, file in conversion["files"].items()}
        recorded |= {path: document["sha256"] for path, document in conversion["documents"].items()}
        self._require(upload.path for upload in uploads if recorded.get(upload.path, _hash(upload)) != _hash(upload))

    def require_unchanged(self, sent: Iterable[Upload]) -> None:
        """Compare the states of the files with those before the check, and large files that were sent with their hashes.

        Raises:
            UserError: a file is new, missing or changed.
        """
        self._require(
            upload.path
            for upload in sent
            if isinstance(upload.source, Path) and file_sha256(upload.source) != upload.sha256
        )

    def _require(self, others: Iterable[str]) -> None:
        """Raise UserError if the state of a file has changed, or there are others that changed."""
        found = self._find_states()
        changed = [path for path in found.keys() | self._states.keys() if found.get(path) != self._states.get(path)]
        if changed := changed or list(others):
            raise UserError(describe_changes(changed))

    def _find_states(self) -> dict[str, State]:
        links: list[str] = []
        states: dict[str, State] = {}
        for entry in _walk(str(self._root)):
            path = os.path.relpath(entry.path, self._root).replace(os.sep, "/")
            if entry.is_symlink():
                links.append(path)
            elif is_allowed(path):
                stat = entry.stat(follow_symlinks=False)
                states[path] = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        if links:
            raise UserError(
                f"{self._root} contains links, which may lead anywhere: {_list(links)}. Put the files themselves in their "
                f"place, or publish a copy: cp -RL {self._root} COPY"
            )
        return states


def describe_changes(paths: Iterable[str]) -> str:
    """Return what it means that files have changed since they were checked."""
    return (
        f"the folder has changed since it was checked, and no file of it became visible: {_list(paths)}. Wait until nothing "
        "writes to it, and run the same command again"
    )


def _hash(upload: Upload) -> str:
    """Return the hash of a content as `conversion.json` records it: of the card, before publishing named the repository."""
    if upload.path == CARD and isinstance(upload.source, bytes):
        return record_document(upload.path, upload.source)["sha256"]
    return upload.sha256


def _walk(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder and in those below; no repository has hidden ones, such as that of git."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_symlink() or not entry.is_dir():
            yield entry
        elif not entry.name.startswith("."):
            yield from _walk(entry.path)


def _list(paths: Iterable[str]) -> str:
    names = sorted(paths)
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    return ", ".join(names[:_MAX_LISTED]) + more
