"""JPEGs with the faults that real files have, made segment by segment."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

Entry = tuple[int, int, int, bytes]
"""An entry of Exif: tag, type, count, and its four bytes."""

UNWRITABLE: Entry = (0x0128, 8, 1, b"\xff\xff\0\0")
"""A signed value that Pillow reads, but cannot write when it applies the orientation."""


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a header."""
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def with_segment(data: bytes, marker: int, content: bytes) -> bytes:
    """The JPEG with one more segment, right after its SOI."""
    return data[:2] + segment(marker, content) + data[2:]


def exif(orientation: int | None, *entries: Entry) -> bytes:
    """The content of a segment of Exif."""
    first: list[Entry] = [] if orientation is None else [(0x0112, 3, 1, struct.pack(">HH", orientation, 0))]
    all_of = [*first, *entries]
    body = b"".join(struct.pack(">HHI", tag, kind, count) + value for tag, kind, count, value in all_of)
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", len(all_of)) + body + bytes(4)


def xmp(orientation: int) -> bytes:
    """The content of a segment of XMP that gives an orientation."""
    return f'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="{orientation}"/>'.encode()


def header_of(process: int, precision: int = 8, components: int = 1) -> bytes:
    """The header of a JPEG of any process, without picture data: no decoder may be given it."""
    parts = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    frame = struct.pack(">BHHB", precision, 32, 40, components) + parts
    scan = bytes([components]) + b"".join(bytes([number + 1, 0]) for number in range(components)) + b"\0\x3f\0"
    return b"\xff\xd8" + segment(process, frame) + segment(0xDA, scan) + b"\xff\xd9"


def without_rest(data: bytes) -> bytes:
    """The JPEG without the second half of its bytes, but with its end marker: only a decoder sees the fault."""
    return data[: len(data) // 2] + b"\xff\xd9"


def remembering(function: Callable[..., Any], given: list[Any]) -> Callable[..., Any]:
    """The function, which adds its first argument to `given`; of a file its content."""

    def call(data: Any, *arguments: Any, **options: Any) -> Any:
        given.append(data.getvalue() if hasattr(data, "getvalue") else data)
        return function(data, *arguments, **options)

    return call
