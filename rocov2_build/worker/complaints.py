"""JPEGs that the strict decoder rejects: which of them are complete nevertheless?

A complaint is benign if the file without its cause decodes without any complaint, and readers get the same pixels from
both. Causes that are taken out: bytes between segments, fill bytes (00, FF) at the end of a scan, a segment that only
describes the picture (colour profile, Adobe, JFIF), parameters of a scan that baseline JPEGs do not use. Only the first
complaint of a decode is known, so the rest is decoded again until nothing is left to complain about.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image

from rocov2_build.worker.member import BadImageError
from rocov2_shared.jpeg_segments import Segment, read_header

Grey = npt.NDArray[np.uint8]

Decode = Callable[[bytes], tuple[Grey | None, str]]
"""Returns grey pixels, or None and the first complaint of the strict decoder."""

_MAX_ROUNDS = 50
"""Complaints that are followed up in one file."""
_UNSEEN = 16
"""Bytes at the end of a scan that a decoder may have read ahead, and does not complain about: at most 8, perhaps stuffed."""

# In entropy-coded data FF is followed by 00 (a literal FF), a restart marker, or another FF (padding); the next marker
# is an FF followed by anything else. A pattern that begins with one literal byte is searched ten times as fast.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_MARKER_OR_RESTART = re.compile(rb"\xff([^\x00\xff])")
_RESTARTS = range(0xD0, 0xD8)
_STANDALONE = frozenset([0x01, *_RESTARTS])
_EOI, _SOS = 0xD9, 0xDA

_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_UNKNOWN_SAMPLING = "Could not determine subsampling"
_ZEROED_BLOCK = bytes(256)
"""A hole that a disk left. Flat pictures hold such runs too: it speaks only against an image that is refused already."""


def walk_markers(data: bytes) -> list[slice]:
    """Follow the segments from the first marker to EOI, which a file with a cut tail lacks; return the junk between them.

    Raises:
        BadImageError: there is no EOI, or no scan before it.
    """
    offset, scans, junk = 2, 0, []
    in_scan = False
    while True:
        found = _MARKER.search(data, offset)
        if found is None:
            raise BadImageError("truncated-jpeg", "the marker of the end (EOI)", f"none in {len(data):,} bytes")
        if not in_scan and data[offset : found.start()].strip(b"\xff"):
            junk.append(slice(offset, found.start()))
        marker, offset = found[1][0], found.end()
        if marker == _EOI:
            if not scans:
                raise BadImageError("damaged-jpeg", "picture data before the end", "none")
            return junk
        if marker not in _STANDALONE:
            offset += int.from_bytes(data[offset : offset + 2], "big")
            in_scan = marker == _SOS
            scans += in_scan


def _scan_ends(data: bytes) -> list[tuple[int, int]]:
    """Return code and offset of each marker, restarts among them, that ends a run of entropy-coded data."""
    offset, ends, in_scan = 2, [], False
    while (found := _MARKER_OR_RESTART.search(data, offset)) is not None:
        marker, offset = found[1][0], found.end()
        if in_scan:
            ends.append((marker, found.start()))
        if marker == _EOI:
            break
        if marker not in _STANDALONE:
            offset += int.from_bytes(data[offset : offset + 2], "big")
            in_scan = marker == _SOS
    return ends


def judge(data: bytes, complaint: str, decode: Decode) -> tuple[Grey | None, Image.Image]:
    """Judge a JPEG with a complete header that the strict decoder rejects.

    Args:
        data: the file.
        complaint: of the strict decoder.
        decode: the strict decoder.

    Returns:
        Grey pixels, None if only Pillow decodes them; and the picture as Pillow decodes it.

    Raises:
        BadImageError: `truncated-jpeg` or `damaged-jpeg`: picture data is lost, or readers disagree about the pixels.
    """
    junk = walk_markers(data)
    kept, first = _without(data, junk), complaint
    grey, complaint = decode(kept) if junk else (None, complaint)
    for _ in range(_MAX_ROUNDS):
        if not complaint or _UNKNOWN_SAMPLING in complaint:
            break
        mended = _without_cause(kept, complaint, decode)
        if mended is None:
            raise _lossy(complaint)
        kept = mended
        grey, complaint = decode(kept)
    else:
        raise _lossy(complaint)
    if complaint and _ZEROED_BLOCK in data:
        raise _lossy(complaint)
    picture = _load(data, first)
    if kept != data and _load(kept, first).tobytes() != picture.tobytes():
        raise _lossy(first)
    return grey, picture


def _lossy(complaint: str) -> BadImageError:
    return BadImageError("damaged-jpeg", "a JPEG that decodes without a loss", complaint)


def _load(data: bytes, complaint: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            image.load()
            return image
    except Exception as error:  # whatever damage makes Pillow raise
        raise BadImageError("damaged-jpeg", "a JPEG that decodes", f"{complaint}; {error}") from error


def _without(data: bytes, parts: list[slice]) -> bytes:
    kept = bytearray(data)
    for part in reversed(parts):
        del kept[part]
    return bytes(kept)


def _without_cause(data: bytes, complaint: str, decode: Decode) -> bytes | None:
    """Return the file without what the decoder complains about; None if that may be picture data."""
    if extraneous := _EXTRANEOUS.search(complaint):
        return _without_fill(data, int(extraneous[1]), int(extraneous[2], 16), decode)
    header = read_header(data)
    if "bad ICC marker" in complaint:
        return _without_segments(data, header.icc(data))
    if "Unknown Adobe color transform" in complaint:
        return _without_segments(data, header.adobe(data))
    if "unknown JFIF revision" in complaint:
        return _without_segments(data, header.jfif(data))
    if "Invalid SOS parameters for sequential JPEG" in complaint and not header.progressive:
        stop = header.segments[-1][2]
        return data[: stop - 3] + b"\x00\x3f\x00" + data[stop:]
    return None


def _without_segments(data: bytes, segments: list[Segment]) -> bytes | None:
    return _without(data, [slice(start, stop) for _, start, stop in segments]) if segments else None


def _without_fill(data: bytes, count: int, marker: int, decode: Decode) -> bytes | None:
    """Return the file without the fill bytes at the end of the scan that ends with `marker`; None if data is lost there."""
    for number, (code, _) in enumerate(_scan_ends(data)):
        if code != marker:
            continue
        shorter = _cut(data, number, count)
        if shorter is None or "premature" in decode(shorter)[1]:
            continue  # of several scans that end with this marker, another one
        return _cut_to_the_last_byte(shorter, number, decode)
    return None


def _cut(data: bytes, number: int, count: int) -> bytes | None:
    """Cut the last bytes of a scan, padding before its marker apart; None if they are not fill bytes."""
    marker = _scan_ends(data)[number][1]
    stop = len(data[:marker].rstrip(b"\xff"))
    cut = data[stop - count : stop]
    return None if cut.strip(b"\x00\xff") else data[: stop - count] + data[marker:]


def _cut_to_the_last_byte(data: bytes, number: int, decode: Decode) -> bytes | None:
    """Cut what the decoder read ahead without a complaint, until the scan ends with its last byte of picture data.

    None if that is a zero, or if a byte that is cut is not a fill byte: then picture data ended early, among the fill bytes
    that replace what is lost. (A complete scan ends with ones up to a whole byte.)
    """
    complaint = decode(data)[1]
    for _ in range(_UNSEEN):
        marker = _scan_ends(data)[number][1]
        shorter = data[: marker - 1] + data[marker:]
        if data[marker - 2 : marker] == b"\xff\x00":
            shorter = data[: marker - 2] + data[marker:]
        rest = decode(shorter)[1]
        if rest != complaint:
            return None if data[marker - 1] == 0 and data[marker - 2] != 0xFF else data
        if data[marker - 1] not in b"\x00\xff":
            return None
        data = shorter
    return None
