"""Download a release from Zenodo. A file gets its final name only after its size and MD5 are verified.

The record's own JSON (`/api/records/<number>`) names the files with their size, MD5 and address. An interrupted file stays
as `.NAME.part` beside a note of its ETag, and is resumed with `Range` and `If-Range`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocov2_build.raw.http_client import BrokenOffError, Server, ServerError
from rocov2_build.raw.releases import FILES, LATEST, RELEASES
from rocov2_shared.errors import UserError
from rocov2_shared.files import sync_path, write_json
from rocov2_shared.locks import locked_file, require_locks
from rocov2_shared.sizes import format_count, format_size
from rocov2_shared.terminal import Console, Progress

ZENODO = "https://zenodo.org"

_BLOCK = 1 << 16
_RECORD_BYTES = 10_000_000
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True)
class RecordFile:
    """A file of a Zenodo record: name, bytes, MD5 in hex, address."""

    name: str
    size: int
    md5: str
    url: str


def download_release(
    raw: Path, record: int | None = None, *, csv_only: bool = False, base_url: str = ZENODO, quiet: bool = False
) -> None:
    """Download the files of a record into the folder `raw`, and verify those that exist already.

    Args:
        raw: folder, created if it is missing.
        record: number of the Zenodo record (default: that of the latest release).
        csv_only: leave out the zips of images.
        base_url: the server.
        quiet: print nothing but errors.

    Raises:
        UserError: with what to do by hand if the server is at fault.
        OSError: the disk is full, ...
    """
    require_locks("downloading a release")
    number = RELEASES[LATEST].record if record is None else record
    server_url = base_url.rstrip("/")
    wanted = [name for name in FILES if not (csv_only and name.endswith(".zip"))]
    console = Console(quiet)
    raw.mkdir(parents=True, exist_ok=True)
    with locked_file(raw / ".download.lock", f"another command downloads into {raw}/: wait for it"):
        try:
            server = Server(console.report)
            files = _fetch_record(server, f"{server_url}/api/records/{number}", wanted)
            _download(raw, files, server, console)
        except ServerError as error:
            names = ", ".join(name for name in wanted if not (raw / name).exists())
            by_hand = (
                f"\nBy hand: open {server_url}/records/{number}, download {names} into {raw}/, and run the same command "
                "again: it verifies what is there and fetches the rest."
            )
            raise UserError(f"{error}{by_hand if names else ''}") from error
    size = format_size(sum(file.size for file in files))
    console.report("Done", f"{raw}/: {format_count(len(files), 'file')}, {size}, every MD5 verified.")


def _fetch_record(server: Server, url: str, wanted: list[str]) -> list[RecordFile]:
    while True:
        try:
            with server.get(url, {}) as response:
                content = json.loads(response.read(_RECORD_BYTES))
                break
        except BrokenOffError as error:
            server.pause(url, error)
        except (ValueError, RecursionError) as error:
            raise ServerError(f"{url}: the record is not JSON") from error
    server.succeeded()
    try:
        entries = {entry["key"]: entry for entry in content["files"]}
        files = [_record_file(name, entries[name]) for name in wanted if name in entries]
    except (KeyError, TypeError, ValueError) as error:
        expected = "files with key, size, checksum and links"
        raise ServerError(f"{url}: the record has no {expected} ({error})") from error
    missing = ", ".join(name for name in wanted if name not in entries)
    if missing:
        raise UserError(f"{url} is not a release of ROCOv2, since it has no {missing}: choose another --record")
    return files


def _record_file(name: str, entry: dict[str, Any]) -> RecordFile:
    size, checksum, url = entry["size"], entry["checksum"], entry["links"]["self"]
    digest = re.fullmatch("md5:([0-9a-f]{32})", checksum)
    if type(size) is not int or size <= 0 or not digest or not re.match("https?://", url):
        raise ValueError(f"{name}: size {size}, checksum {checksum}, address {url}")
    return RecordFile(name, size, digest[1], url)


def _download(raw: Path, files: list[RecordFile], server: Server, console: Console) -> None:
    verified = _Verified(raw)
    total = sum(file.size for file in files)
    with console.progress("Download", total, len(files), "", "files", show=format_size) as progress:
        missing = []
        for file in files:
            part = _Part(raw, file)
            if not (raw / file.name).exists():
                missing.append((file, part))
                continue
            verified.require(file)
            part.remove()  # of a file that was then placed by hand
            progress.add(file.size, skipped=True)
        needed = sum(file.size - part.size for file, part in missing)
        free = shutil.disk_usage(raw).free
        if needed > free:
            raise UserError(
                f"not enough disk space for {raw}/: {format_size(needed)} needed, {format_size(free)} free. "
                "Free some space or choose another folder"
            )
        for file, part in missing:
            _fetch(raw, file, part, server, progress)
            verified.note(file)


def _read_object(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file, an empty one if there is none."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class _Verified:
    """The files verified so far, with size and time of change, so that they need not be read again."""

    def __init__(self, raw: Path) -> None:
        self._raw = raw
        self._path = raw / ".verified.json"
        self._known = _read_object(self._path)

    def _state(self, file: RecordFile) -> list[Any]:
        stat = (self._raw / file.name).stat()
        return [stat.st_size, stat.st_mtime_ns, file.md5]

    def require(self, file: RecordFile) -> None:
        """Verify a file that exists; raises UserError if it differs from the record's."""
        state = self._state(file)
        if self._known.get(file.name) == state:
            return
        path = self._raw / file.name
        expected, found = f"{file.size:,} bytes", f"{state[0]:,} bytes"
        if expected == found:
            expected, found = f"MD5 {file.md5}", f"MD5 {_md5(path)}"
        if expected != found:
            raise UserError(f"{path} differs from the record: expected {expected}, found {found}. Move it away")
        self.note(file)

    def note(self, file: RecordFile) -> None:
        """Remember that a file is verified as it is now."""
        self._known[file.name] = self._state(file)
        write_json(self._path, self._known)


class _Part:
    """An unfinished file, with a note of the MD5 of the whole and of the ETag under which its bytes came."""

    def __init__(self, raw: Path, file: RecordFile) -> None:
        self.path = raw / f".{file.name}.part"
        self._note_path = raw / f".{file.name}.part.json"
        self._note = _read_object(self._note_path)
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


def _fetch(raw: Path, file: RecordFile, part: _Part, server: Server, progress: Progress) -> None:
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
        found = _md5(part.path)
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


def _receive(part: _Part, file: RecordFile, server: Server, progress: Progress) -> None:
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


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
