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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from rocov2_build.worker.member import BadImageError
from rocov2_shared.jpeg_segments import Segment, read_header

Grey = npt.NDArray[np.uint8]

Decode = Callable[[bytes], tuple[Grey | None, str]]
"""Returns grey pixels, or None and the first complaint of the strict decoder."""

_MAX_DECODES = 200
"""Decodes that one file gets at most, so that no file takes for ever. An ordinary complaint needs two to twelve."""
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
_FILL, _LITERAL = b"\x00\xff", b"\xff\x00"
_PREMATURE = "premature end of data segment"
_UNKNOWN_SAMPLING = "Could not determine subsampling"
_ZEROED_BLOCK = bytes(256)
"""A hole that a disk left. Flat pictures hold such runs too: it speaks only against an image that is refused already."""


class _Run(NamedTuple):
    """Entropy-coded data between two markers: the second one's code, and the offsets of the first and after the last byte."""

    marker: int
    start: int
    stop: int


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


def _runs(data: bytes) -> list[_Run]:
    """Return the runs of entropy-coded data, each up to a marker: a restart, or the end of the scan."""
    offset, runs, in_scan = 2, [], False
    while (found := _MARKER_OR_RESTART.search(data, offset)) is not None:
        marker = found[1][0]
        if in_scan:
            runs.append(_Run(marker, offset, found.start()))
        if marker == _EOI:
            break
        offset = found.end()
        if marker not in _STANDALONE:
            offset += int.from_bytes(data[offset : offset + 2], "big")
            in_scan = marker == _SOS
    return runs


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
    first_scan = read_header(data).segments[-1][2]
    if any(part.start > first_scan and data[part].strip(_FILL) for part in junk):
        raise _lossy(complaint)  # a marker that damage made within a scan ends it, and picture data follow
    kept, first, left = _without(data, junk), complaint, _MAX_DECODES

    def decode_again(part: bytes) -> tuple[Grey | None, str]:
        nonlocal left
        left -= 1
        if left < 0:
            raise _lossy(first)
        return decode(part)

    grey, complaint = decode_again(kept) if junk else (None, complaint)
    while complaint and _UNKNOWN_SAMPLING not in complaint:
        mended = _without_cause(kept, complaint, decode_again)
        if mended is None:
            raise _lossy(complaint)
        kept = mended
        grey, complaint = decode_again(kept)
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
    except UnidentifiedImageError as error:  # its text has an address in memory, another one each time
        found = f"{complaint}; a header that Pillow cannot read"
        raise BadImageError("damaged-jpeg", "a JPEG that decodes", found) from error
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
    """Return the file without the fill bytes at the end of the run that ends with `marker`; None if data is lost there."""
    for number, run in enumerate(_runs(data)):
        shorter = _cut(data, run, count) if run.marker == marker else None
        if shorter is not None and _PREMATURE not in decode(shorter)[1]:  # else it is another run with this marker
            rest = _cut_to_the_last_byte(shorter, number, decode)
            # One FF (stored as FF 00) is as likely the last byte of a run in which an earlier one is lost.
            is_data = (
                rest is not None and data[: run.stop].endswith(_LITERAL) and len(data) - len(rest) == len(_LITERAL)
            )
            return None if is_data else rest
    return None


def _cut(data: bytes, run: _Run, count: int) -> bytes | None:
    """Cut the last bytes of a run, padding before its marker apart; None if they are not fill bytes."""
    coded = data[run.start : run.stop].rstrip(b"\xff")
    if count > len(coded) or coded[len(coded) - count :].strip(_FILL):
        return None
    return data[: run.start + len(coded) - count] + data[run.stop :]


def _cut_to_the_last_byte(data: bytes, number: int, decode: Decode) -> bytes | None:
    """Cut what the decoder read ahead without a complaint, until the run ends with its last byte of picture data.

    None if that is a zero, or if a byte that is cut is not a fill byte: then picture data ended early, among the fill bytes
    that replace what is lost. (A complete run ends with ones up to a whole byte.)
    """
    for _ in range(_UNSEEN):
        run = _runs(data)[number]
        coded = data[run.start : run.stop]
        length = 2 if coded.endswith(b"\xff\x00") else 1
        shorter = data[: run.stop - length] + data[run.stop :]
        if not coded or _PREMATURE in decode(shorter)[1]:
            return None if coded.endswith(b"\x00") and length == 1 else data
        if coded[-length:].strip(_FILL):
            return None
        data = shorter
    return None
