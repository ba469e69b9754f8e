"""What of a built repository goes to the Hub, and how it differs from what is there.

Files go up by a list of allowed names, never by what happens to lie in the folder: notes, caches, scripts and keys stay.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub.hf_api import RepoFile

from rocov2 import FOLDERS
from rocov2_shared.files import file_sha256

ALLOWED = (
    "README.md",
    "LICENSE.md",
    ".gitattributes",
    "dataset_infos.json",
    "croissant.json",
    "conversion.json",
    "facts.json",
    *(f"{folder}/*.parquet" for folder in FOLDERS),
    "assets/*.png",
)
"""Patterns of all that is ever uploaded; `*` stands for one name, not for folders."""

_SMALL = 10_000_000
"""Bytes; the Hub keeps whatever is larger outside git, where a SHA-256 names it."""
_PYTHON_BLOCK = re.compile(r"^```python\b.*?^```$", re.MULTILINE | re.DOTALL)
_LOADING = re.compile(r'(\bload_dataset\(\s*)"rocov2"')
_PATH = re.compile(r"""(?<=["'])rocov2/""")


def is_allowed(path: str) -> bool:
    """Whether a file at `path`, relative to the repository, may go up."""
    return any(path.count("/") == pattern.count("/") and fnmatch(path, pattern) for pattern in ALLOWED)


def card_on_the_hub(text: str, repo_id: str) -> str:
    """The card's text with the repository's name on the Hub in its Python blocks.

    `load_dataset("rocov2")` becomes `load_dataset("org/name")`, and a path such as `"rocov2/text/train.parquet"`
    `"hf://datasets/org/name/text/train.parquet"`.
    """

    def named(block: re.Match[str]) -> str:
        return _PATH.sub(f"hf://datasets/{repo_id}/", _LOADING.sub(rf'\g<1>"{repo_id}"', block[0]))

    return _PYTHON_BLOCK.sub(named, text)


@dataclass(frozen=True)
class Upload:
    """One file as it is to be on the Hub.

    Attributes:
        path: on the Hub.
        source: the local file, or the content where it differs from the local file's.
        size: bytes.
        sha256: of the content, in hex.
        blob_id: git's name for the content; None for a file that is too large for git.
    """

    path: str
    source: Path | bytes
    size: int
    sha256: str
    blob_id: str | None

    def is_same(self, there: RepoFile) -> bool:
        """Whether the Hub's file has this content, by its SHA-256 or git's id."""
        return there.lfs.sha256 == self.sha256 if there.lfs else there.blob_id == self.blob_id


def _upload(path: str, source: Path | bytes) -> Upload:
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    digest = file_sha256(source) if isinstance(source, Path) else hashlib.sha256(source).hexdigest()
    blob_id = None
    if size <= _SMALL:
        content = source.read_bytes() if isinstance(source, Path) else source
        blob_id = hashlib.sha1(b"blob %d\0" % size + content, usedforsecurity=False).hexdigest()
    return Upload(path, source, size, digest, blob_id)


def find_uploads(root: Path, repo_id: str) -> tuple[list[Upload], list[str]]:
    """The files of the repository at `root` that go to `repo_id`, and the paths of those that stay; both sorted."""
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    uploads = []
    for path in filter(is_allowed, paths):
        source: Path | bytes = root / path
        if path == "README.md":
            source = card_on_the_hub((root / path).read_text(encoding="utf-8"), repo_id).encode()
        uploads.append(_upload(path, source))
    return uploads, [path for path in paths if not is_allowed(path)]


@dataclass(frozen=True)
class Changes:
    """What makes the Hub's files the local ones.

    Attributes:
        new, changed, unchanged: local files by what the Hub has under their names.
        removed: paths on the Hub that an earlier version had and this one has not.
        kept: other paths on the Hub, which are nobody's business here.
    """

    new: list[Upload] = field(default_factory=list)
    changed: list[Upload] = field(default_factory=list)
    unchanged: list[Upload] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    @property
    def sent(self) -> list[Upload]:
        """Files that go up."""
        return sorted([*self.new, *self.changed], key=lambda upload: upload.path)

    @property
    def none(self) -> bool:
        """Whether the Hub has all, and nothing that has to go."""
        return not (self.new or self.changed or self.removed)


def compare(uploads: Iterable[Upload], there: dict[str, RepoFile]) -> Changes:
    """Compare local files with the Hub's, by path."""
    changes, ours = Changes(), set()
    for upload in uploads:
        ours.add(upload.path)
        if upload.path not in there:
            changes.new.append(upload)
        elif upload.is_same(there[upload.path]):
            changes.unchanged.append(upload)
        else:
            changes.changed.append(upload)
    for path in sorted(there.keys() - ours):
        (changes.removed if is_allowed(path) else changes.kept).append(path)
    return changes
