"""Download a release from Zenodo. A file gets its final name only after its size and MD5 are verified.

The record names the files with their size, MD5 and address. If it cannot be read, files that were placed by hand are compared
with each other.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rocov2_build.raw.archives import find_placed
from rocov2_build.raw.fetch import Part, fetch_file, file_md5, read_object
from rocov2_build.raw.http_client import Server, ServerError
from rocov2_build.raw.problems import Report
from rocov2_build.raw.proxies import without_login
from rocov2_build.raw.record import RecordFile, fetch_record
from rocov2_build.raw.releases import FILES, LATEST, RELEASES
from rocov2_shared.errors import UserError
from rocov2_shared.files import write_json
from rocov2_shared.locks import locked_file, require_locks
from rocov2_shared.resuming import resumable
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
    page = without_login(f"{server_url}/records/{number}")
    busy = f"another command downloads into {raw}/: wait for it"
    with _made_folder(raw), locked_file(raw / ".download.lock", busy), resumable(lambda: _has_begun(raw, wanted)):
        server = Server(console.report)
        try:
            files = fetch_record(server, f"{server_url}/api/records/{number}", wanted)
        except ServerError as error:
            _compare_without_record(raw, number, wanted, error, page, console)
            return
        try:
            files = _download(raw, files, server, console)
        except ServerError as error:
            names = ", ".join(name for name in wanted if name not in find_placed(raw))
            by_hand = (
                f"\nBy hand: open {page}, download {names} into {raw}/, and run the same command again: it verifies what is "
                "there and fetches the rest."
            )
            raise UserError(f"{error}{by_hand if names else ''}") from error
    size = format_size(sum(file.size for file in files))
    console.report("Done", f"{raw}/: {format_count(len(files), 'file')}, {size}, every MD5 verified.")


def _has_begun(raw: Path, wanted: list[str]) -> bool:
    return any((raw / name).exists() or (raw / f".{name}.part").exists() for name in wanted)


@contextmanager
def _made_folder(folder: Path) -> Iterator[None]:
    """Make a folder and its parents; after an error remove those of them that were made and are still empty."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # not empty: what has arrived stays for the next try
            for path in made:
                path.rmdir()
        raise


def _compare_without_record(
    raw: Path, number: int, wanted: list[str], error: ServerError, page: str, console: Console
) -> None:
    """Compare files that were placed by hand with each other, and report what only the record could verify.

    Raises:
        UserError: files are missing, or do not agree.
    """
    found = {name: path for name, path in find_placed(raw).items() if name in wanted}
    missing = [name for name in wanted if name not in found]
    if missing:
        there = f"{raw}/ has {len(found)} of {len(wanted)} files: {', '.join(found)}.\n" if found else ""
        raise UserError(
            f"{error}\n{there}By hand: get {', '.join(missing)} from {page} or another copy of the release, put them into "
            f"{raw}/, and run the same command again: without the record, it compares the files with each other."
        ) from error
    from rocov2_build.raw.placed import compare_placed  # imports datasets, which a download does not need

    console.report("Noted", f"{error}. Without the record, the files in {raw}/ are compared with each other.")
    release = next((release for release in RELEASES.values() if release.record == number), None)
    report = Report()
    compare_placed(raw, found, release, report)
    if report.problems:
        count = format_count(len(report.problems), "problem")
        raise UserError(
            "\n".join(
                [
                    str(error),
                    f"Without the record, the files in {raw}/ were compared with each other: {count} found.",
                    *report.lines(),
                    f"Replace these files by those of {page} or of another copy of the release.",
                ]
            )
        ) from error
    verified = _Verified(raw)
    unverified = [name for name, path in found.items() if path.name != name or not verified.is_known(name)]
    if unverified:
        names = "all files" if len(unverified) == len(found) else ", ".join(unverified)
        what = f"not compared with the record: size and MD5 of {names}. rocov2 convert verifies every image."
    else:
        what = "every MD5 was verified before, with the record."
    console.report("Noted", what)
    numbers = f", and have the numbers of release {release.name}" if release else ""
    console.report("Done", f"{raw}/: {format_count(len(found), 'file')} agree with each other{numbers}.")


def _download(raw: Path, files: list[RecordFile], server: Server, console: Console) -> list[RecordFile]:
    """Download the files that are missing, and return all but those whose zip is unpacked."""
    placed = find_placed(raw)
    for file in files:
        folder = placed.get(file.name, raw / file.name)
        if folder.name != file.name:
            console.report(
                "Noted",
                f"{file.name} is unpacked in {folder}/, so it is not downloaded, and its MD5 cannot be verified. To download "
                "it, move that folder away.",
            )
    files = [file for file in files if placed.get(file.name, raw / file.name).name == file.name]
    verified = _Verified(raw)
    total = sum(file.size for file in files)
    with console.progress("Download", total, len(files), "", "files", show=format_size) as progress:
        missing = []
        for file in files:
            part = Part(raw, file)
            if file.name not in placed:
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
    return files


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

    def is_known(self, name: str) -> bool:
        """Return whether a file is as it was when its MD5 was verified, with whichever record."""
        stat = (self._raw / name).stat()
        known = self._known.get(name)
        return isinstance(known, list) and known[:2] == [stat.st_size, stat.st_mtime_ns]

    def note(self, file: RecordFile) -> None:
        """Remember that a file is verified as it is now."""
        self._known[file.name] = self._state(file)
        write_json(self._path, self._known)
