"""Zips that are larger than the fields of their directory, as macOS's Archive Utility writes them: without Zip64."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

BEHIND = (1 << 32) + 1000
"""Offset behind the first 4 GiB."""

_ENTRY = struct.Struct("<4s6H3L5H2L")

Members = list[tuple[str, bytes]]


def write_large(path: Path, members: Members, *, zip64: bool) -> None:
    """Write a zip of these members; all but the first begin behind 4 GiB, after a hole that takes no disk space.

    Without Zip64, offsets are taken modulo 2^32.
    """
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(*members[0])
        assert archive.fp is not None
        archive.start_dir = archive.fp.seek(BEHIND)
        for member in members[1:]:
            archive.writestr(*member)
    if zip64:
        return
    entries = b"".join(
        _entry(info.filename, info.header_offset % (1 << 32), info.CRC, info.file_size) for info in archive.infolist()
    )
    with path.open("r+b") as file:
        file.truncate(archive.start_dir)
        file.seek(archive.start_dir)
        file.write(entries + _end(len(members), len(entries), archive.start_dir))


def write_many(path: Path, members: Members, strays: int) -> None:
    """Write a zip of these members and so many of another name, which is passed over; their number is taken modulo 2^16."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for member in members:
            archive.writestr(*member)
    start = archive.start_dir
    entries = data.getvalue()[start:-22] + _entry("__MACOSX/", 0, 0, 0) * strays
    path.write_bytes(data.getvalue()[:start] + entries + _end(len(members) + strays, len(entries), start))


def _entry(name: str, offset: int, crc: int, size: int) -> bytes:
    """Return a member's entry in the directory."""
    version, stored, date = 20, 0, 33
    fields = (version, version, 0, stored, 0, date, crc, size, size, len(name), 0, 0, 0, 0, 0, offset)
    return _ENTRY.pack(b"PK\1\2", *fields) + name.encode()


def _end(count: int, size: int, start: int) -> bytes:
    """Return the end of a zip, after its directory."""
    count, start = count % (1 << 16), start % (1 << 32)
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, size, start, 0)
