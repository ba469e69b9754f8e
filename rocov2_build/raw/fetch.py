"""Fetch one file of a record, verified by its MD5.

An interrupted file stays as `.NAME.part` beside a note of its ETag, and is resumed with `Range` and `If-Range`.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from rocov2_build.raw.http_client import BrokenOffError, Server, ServerError
from rocov2_build.raw.record import RecordFile
from rocov2_shared.files import sync_path, write_json
from rocov2_shared.terminal import Progress

_BLOCK = 1 << 16
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


def read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, an empty one if there is none."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class Part:
    """An unfinished file, with a note of the MD5 of the whole and of the ETag under which its bytes came."""

    def __init__(self, raw: Path, file: RecordFile) -> None:
        self.path = raw / f".{file.name}.part"
        self._note_path = raw / f".{file.name}.part.json"
        self._note = read_object(self._note_path)
        self._md5 = file.md5
        if self._note.get("md5") != file.md5:  # of another record
            self.remove()

    @property
    def size(self) -> int:
        """Return the number of bytes received so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def validator(self) -> dict[str, str]:
        """Return the header that resumes only the same file; without an ETag, the MD5 is checked at the end."""
        etag = str(self._note.get("etag"))
        return {"If-Range": etag} if _STRONG_ETAG.fullmatch(etag) else {}

    def begin(self, etag: str | None) -> None:
        """Start again, under an ETag."""
        self.remove()
        self._note = {"etag": etag, "md5": self._md5}
        write_json(self._note_path, self._note)

    def remove(self) -> None:
        """Remove the file and its note."""
        self.path.unlink(missing_ok=True)
        self._note_path.unlink(missing_ok=True)


def fetch_file(raw: Path, file: RecordFile, part: Part, server: Server, progress: Progress) -> None:
    """Fetch what is missing of a file, again and again, and give it its name.

    Raises:
        ServerError: the server does not get on, or sends another file than the record lists.
    """
    progress.advance(part.size, skipped=True)
    for last in (False, True):
        best = part.size
        while part.size != file.size:
            try:
                _receive(part, file, server, progress)
            except BrokenOffError as error:
                if part.size > best:  # progress, however slow; a server that only starts again makes none
                    best = part.size
                    server.succeeded()
                server.pause(f"{file.name} at {part.size:,} of {file.size:,} bytes", error)
        server.succeeded()
        found = file_md5(part.path)
        if found == file.md5:
            break
        progress.advance(-part.size, skipped=True)
        part.remove()
        if last:
            raise ServerError(f"{file.name} was corrupted in two downloads: expected MD5 {file.md5}, got {found}")
        server.pause(file.name, BrokenOffError(f"expected MD5 {file.md5}, found {found}"))
    sync_path(part.path)
    part.path.rename(raw / file.name)
    sync_path(raw)
    part.remove()
    progress.add(0)


def _receive(part: Part, file: RecordFile, server: Server, progress: Progress) -> None:
    """Request the missing bytes once, and append those that arrive."""
    begun = part.size
    headers = {"Range": f"bytes={begun}-"} | part.validator if begun else {}
    with server.get(file.url, headers) as response:
        whole = response.headers.get("Content-Length", str(file.size))
        if response.status == 200 and whole != str(file.size):  # for example a proxy's page: keep what there is
            raise BrokenOffError(f"the server has {whole} bytes")
        start = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if response.status != 206 or not start or int(start[1]) != begun:
            progress.advance(-begun, skipped=True)
            part.begin(response.headers.get("ETag"))
            if response.status != 200:
                raise BrokenOffError("the server cannot resume the file, so it starts again")
        with part.path.open("ab") as target:
            # Not decoded, so that the beginning of a block that is cut short is kept.
            for block in response.stream(_BLOCK, decode_content=False):
                if target.tell() + len(block) > file.size:
                    raise ServerError(f"{file.name}: expected {file.size:,} bytes, but the server sends more")
                target.write(block)
                progress.advance(len(block))
    if part.size < file.size:
        raise BrokenOffError("the server stopped sending")


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
