"""Which files of a built repository are uploaded, and how they differ from those on the Hub.

Only files with allowed names are uploaded: never notes, caches, scripts or keys that happen to be in the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub.hf_api import RepoFile

from rocov2 import FOLDERS
from rocov2_build.card.documents import PICTURES
from rocov2_build.card.naming import card_on_the_hub
from rocov2_shared.conversion import CARD, DOCUMENTS
from rocov2_shared.files import file_sha256, list_files

ALLOWED = (
    *DOCUMENTS,
    ".gitattributes",
    "conversion.json",
    *(f"{folder}/*.parquet" for folder in FOLDERS),
    PICTURES,
)
"""Patterns of all files that may be uploaded; `*` matches one name, not folders."""

_SMALL = 10_000_000
"""Bytes; the Hub stores larger files outside git, by their SHA-256."""


def is_allowed(path: str) -> bool:
    """Return whether the file at `path`, relative to the repository, may be uploaded."""
    return any(path.count("/") == pattern.count("/") and fnmatch(path, pattern) for pattern in ALLOWED)


@dataclass(frozen=True)
class Upload:
    """One file to be on the Hub.

    Attributes:
        path: path on the Hub.
        source: local file, or the content if it differs from the local file.
        size: number of bytes.
        sha256: SHA-256 of the content, in hex.
        blob_id: git's id of the content; None for a file that is too large for git.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str
    blob_id: str | None

    def is_same(self, remote: RepoFile) -> bool:
        """Return whether the file on the Hub has this content, by its SHA-256 or git's id."""
        return remote.lfs.sha256 == self.sha256 if remote.lfs else remote.blob_id == self.blob_id


def _upload(path: str, source: Path | bytes) -> Upload:
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size > _SMALL:
        return Upload(
            path, source, size, file_sha256(source) if isinstance(source, Path) else _sha256(source), blob_id=None
        )
    content = source.read_bytes() if isinstance(source, Path) else source
    blob_id = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    # What git stores is held until the commit, so that it is what was hashed. Git stores no Parquet file.
    return Upload(
        path, source if path.endswith(".parquet") else content, len(content), _sha256(content), blob_id=blob_id
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def find_uploads(root: Path, repo_id: str) -> tuple[list[Upload], list[str]]:
    """Return the uploads of the repository in `root` to `repo_id`, and the paths of the files left out; both sorted."""
    paths = list_files(root)
    uploads = []
    for path in filter(is_allowed, paths):
        source: Path | bytes = root / path
        if path == CARD:
            source = card_on_the_hub((root / path).read_bytes().decode(), repo_id).encode()
        uploads.append(_upload(path, source))
    return uploads, [path for path in paths if not is_allowed(path)]


@dataclass(frozen=True)
class Changes:
    """Differences between the local files and those on the Hub.

    Attributes:
        new: local files that are missing on the Hub.
        changed: local files with another content on the Hub.
        unchanged: local files with the same content on the Hub.
        removed: paths on the Hub of files of an earlier version, which this version does not have.
        kept: other paths on the Hub, which publishing does not touch.
    """

    new: list[Upload] = field(default_factory=list)
    changed: list[Upload] = field(default_factory=list)
    unchanged: list[Upload] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def sent(self) -> list[Upload]:
        """New and changed files, by path."""
        return sorted([*self.new, *self.changed], key=lambda upload: upload.path)

    @property
    def is_empty(self) -> bool:
        """Whether the Hub has all local files, and none of an earlier version."""
        return not (self.new or self.changed or self.removed)


def compare(uploads: Iterable[Upload], remote: dict[str, RepoFile]) -> Changes:
    """Compare local files with those on the Hub, by path."""
    changes, local = Changes(), set()
    for upload in uploads:
        local.add(upload.path)
        if upload.path not in remote:
            changes.new.append(upload)
        elif upload.is_same(remote[upload.path]):
            changes.unchanged.append(upload)
        else:
            changes.changed.append(upload)
    for path in sorted(remote.keys() - local):
        (changes.removed if is_allowed(path) else changes.kept).append(path)
    return changes
