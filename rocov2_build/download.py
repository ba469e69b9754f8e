"""Download a release from Zenodo. A file gets its final name only after its size and MD5 are verified.

The record names the files with their size, MD5 and address.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from rocov2_build.raw.fetch import Part, fetch_file, file_md5, read_object
from rocov2_build.raw.http_client import Server, ServerError
from rocov2_build.raw.record import RecordFile, fetch_record
from rocov2_build.raw.releases import FILES, LATEST, RELEASES
from rocov2_shared.errors import UserError
from rocov2_shared.files import write_json
from rocov2_shared.locks import locked_file, require_locks
from rocov2_shared.sizes import format_count, format_size
from rocov2_shared.terminal import Console

ZENODO = "https://zenodo.org"


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
            files = fetch_record(server, f"{server_url}/api/records/{number}", wanted)
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


def _download(raw: Path, files: list[RecordFile], server: Server, console: Console) -> None:
    verified = _Verified(raw)
    total = sum(file.size for file in files)
    with console.progress("Download", total, len(files), "", "files", show=format_size) as progress:
        missing = []
        for file in files:
            part = Part(raw, file)
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
            fetch_file(raw, file, part, server, progress)
            verified.note(file)


class _Verified:
    """The files verified so far, with size and time of change, so that they need not be read again."""

    def __init__(self, raw: Path) -> None:
        self._raw = raw
        self._path = raw / ".verified.json"
        self._known = read_object(self._path)

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
            expected, found = f"MD5 {file.md5}", f"MD5 {file_md5(path)}"
        if expected != found:
            raise UserError(f"{path} differs from the record: expected {expected}, found {found}. Move it away")
        self.note(file)

    def note(self, file: RecordFile) -> None:
        """Remember that a file is verified as it is now."""
        self._known[file.name] = self._state(file)
        write_json(self._path, self._known)
