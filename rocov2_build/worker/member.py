"""Read one image out of a zip or folder by its offset, without reading the directory again.

A zip of 60,000 images has a directory that `zipfile` would parse anew in every task; the parent reads it once
(`archives`) and passes on the offsets. Nothing in an archive is trusted: sizes are checked before anything is
read, and names never become paths. This module is imported by the workers.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

import deflate

from rocov2_shared.errors import UserError

MAX_IMAGE_BYTES = 100_000_000
"""Largest image that is read: one row group must stay below what the Hub's viewer scans."""

ENCRYPTED = 0x1
"""Flag of an encrypted member."""

_UTF_8 = 0x800
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_EXTRA = 64


class Member(NamedTuple):
    """One image file. In a folder, `offset` is -1 and `name` relative to it; sizes are in bytes."""

    name: str
    offset: int
    compressed: int
    size: int
    crc: int
    method: int


class BadImageError(Exception):
    """An image that cannot be used; `code` is of the catalogue of problems."""

    def __init__(self, code: str, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.code, self.expected, self.found = code, expected, found


class MemberReader:
    """Reads members of one zip or folder; a context manager.

    Raises:
        BadImageError: from `read`, when a member is damaged, too large, encrypted or of an unknown compression.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: BinaryIO | None = None

    def __enter__(self) -> MemberReader:
        if self._path.is_file():
            self._zip = self._path.open("rb")
            self._end = self._zip.seek(0, 2)
        elif not self._path.is_dir():
            raise UserError(f"{self._path} is gone: the raw release must stay in place while it is converted")
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def read(self, member: Member) -> bytes:
        """The bytes of one image, checked against the size and the CRC-32 that were found when the run began."""
        if member.size > MAX_IMAGE_BYTES:
            raise BadImageError("image-too-large", f"at most {MAX_IMAGE_BYTES:,} bytes", f"{member.size:,} bytes")
        if member.size == 0:
            raise BadImageError("not-a-jpeg", "a JPEG", "an empty file")
        data = (
            self._read_file(member) if self._zip is None else _inflate(self._read_compressed(self._zip, member), member)
        )
        if len(data) != member.size:
            raise BadImageError("damaged-member", f"{member.size:,} bytes", f"{len(data):,}")
        crc = deflate.crc32(data)
        if crc != member.crc:
            raise BadImageError("damaged-member", f"CRC-32 {member.crc:08x}", f"{crc:08x}")
        return data

    def _read_file(self, member: Member) -> bytes:
        try:
            with (self._path / member.name).open("rb") as file:
                return file.read(member.size + 1)
        except OSError as error:
            raise BadImageError("damaged-member", "a readable file", str(error)) from error

    def _read_compressed(self, file: BinaryIO, member: Member) -> bytes | memoryview:
        if not 0 <= member.offset <= self._end - _LOCAL_HEADER.size:
            raise BadImageError(
                "damaged-member", f"a place in the {self._end:,} bytes of the zip", f"{member.offset:,}"
            )
        # In one call: header, name, the usual extra field, and data.
        length = min(member.compressed, 2 * MAX_IMAGE_BYTES)
        block = os.pread(file.fileno(), _LOCAL_HEADER.size + len(member.name) + _EXTRA + length, member.offset)
        signature, _, flags, method, _, _, _, _, _, name_length, extra_length = _LOCAL_HEADER.unpack_from(block)
        if signature != b"PK\3\4":
            raise BadImageError("damaged-member", "a local header at its place in the zip", repr(signature))
        if flags & ENCRYPTED:
            raise BadImageError("encrypted-member", "no encryption", "an encrypted member")
        name_end = _LOCAL_HEADER.size + name_length
        name = block[_LOCAL_HEADER.size : name_end].decode("utf-8" if flags & _UTF_8 else "cp437", "replace")
        if name != member.name or method != member.method:
            raise BadImageError(
                "damaged-member",
                f"{member.name} (method {member.method}) as in the directory",
                f"{name} (method {method})",
            )
        start = member.offset + name_end + extra_length
        if start + member.compressed > self._end or member.compressed > 2 * MAX_IMAGE_BYTES:
            raise BadImageError("damaged-member", "data inside the zip", f"{member.compressed:,} bytes at {start:,}")
        data = memoryview(block)[name_end + extra_length :][: member.compressed]
        return data if len(data) == member.compressed else os.pread(file.fileno(), member.compressed, start)


def _inflate(data: bytes | memoryview, member: Member) -> bytes:
    if member.method == zipfile.ZIP_STORED:
        return bytes(data)
    if member.method != zipfile.ZIP_DEFLATED:
        raise BadImageError("damaged-member", "a stored or deflated member", f"compression method {member.method}")
    try:
        return bytes(deflate.deflate_decompress(data, member.size))  # never more than the recorded size
    except deflate.DeflateError:
        return _inflate_what_there_is(data, member)


def _inflate_what_there_is(data: bytes | memoryview, member: Member) -> bytes:
    """Inflate a damaged member, or one of another size than recorded, with `zlib`: its errors name the fault."""
    try:
        # At most one byte more than the directory records: a member with a wrong size cannot fill the memory.
        return zlib.decompressobj(-15).decompress(data, member.size + 1)
    except zlib.error as error:
        raise BadImageError("damaged-member", "deflated data", str(error)) from error
