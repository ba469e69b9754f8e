"""The header of a JPEG, from SOI to the first SOS: what it declares, read before any decoder sees the file.

Decoders differ in what they do with rare kinds of JPEG, and a fault inside a decoder library ends the process. So every place
that decodes reads the header first: `read_header` refuses by name what is not baseline, extended or progressive Huffman with
8 bits. It takes the same bytes for segments as Pillow and libjpeg do: fill bytes and junk before a marker are passed over.
"""

from __future__ import annotations

import re
from typing import NamedTuple

Buffer = bytes | memoryview

Segment = tuple[int, int, int]
"""Marker, offset of its first byte (FF), offset of the end of its content. A plain tuple: a header has about twenty."""

MAX_SEGMENTS = 10_000
"""Segments of a header that are read at most; real headers have fewer than 300, an ICC profile of 255 pieces included."""

KNOWN_PROCESSES = {
    0xC0: "baseline Huffman (SOF0)",
    0xC1: "extended Huffman (SOF1)",
    0xC2: "progressive Huffman (SOF2)",
}
"""Processes that every reader decodes, by the marker of their frame."""

UNKNOWN_PROCESSES = {
    0xC3: "lossless Huffman (SOF3)",
    0xC5: "differential sequential Huffman (SOF5)",
    0xC6: "differential progressive Huffman (SOF6)",
    0xC7: "differential lossless Huffman (SOF7)",
    0xC8: "extension (JPG)",
    0xC9: "extended arithmetic (SOF9)",
    0xCA: "progressive arithmetic (SOF10)",
    0xCB: "lossless arithmetic (SOF11)",
    0xCD: "differential sequential arithmetic (SOF13)",
    0xCE: "differential progressive arithmetic (SOF14)",
    0xCF: "differential lossless arithmetic (SOF15)",
    0xDE: "hierarchical (DHP)",
    0xDF: "hierarchical (EXP)",
    **{0xF0 + number: f"extension (JPG{number})" for number in range(14)},
    0xF7: "JPEG-LS (SOF55)",
    0xF8: "JPEG-LS (LSE)",
}
"""Processes that some decoders refuse and others decode, by the marker that announces them."""

DECODABLE = "a baseline, extended or progressive Huffman JPEG with 8 bits"

_EOI, _SOI, _SOS, _APP0, _APP1, _APP2, _APP14 = 0xD9, 0xD8, 0xDA, 0xE0, 0xE1, 0xE2, 0xEE
_EXIF, _XMP, _ICC = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"

# A marker is an FF followed by anything but 00 and FF. A search that begins with one literal byte is fast, and linear.
_MARKER = re.compile(rb"\xff([^\x00\xff])")

# Markers without special meaning, by their second byte.
_PLAIN, _FRAME, _RESTART, _END, _UNKNOWN_PROCESS, _INVALID = range(6)
_KINDS = [_INVALID] * 0xC0 + [_PLAIN] * 0x40
for _code in KNOWN_PROCESSES:
    _KINDS[_code] = _FRAME
for _code in UNKNOWN_PROCESSES:
    _KINDS[_code] = _UNKNOWN_PROCESS
for _code in range(0xD0, 0xD8):
    _KINDS[_code] = _RESTART
_KINDS[_SOI] = _INVALID
_KINDS[_EOI] = _INVALID
_KINDS[_SOS] = _END

# The orientation that Pillow takes from XMP, where Exif has none.
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


class JpegHeaderError(ValueError):
    """A header that no decoder reads."""


class UnsupportedJpegError(JpegHeaderError):
    """A JPEG of a process that not every reader decodes; the text names the process."""


class JpegHeader(NamedTuple):
    """What a JPEG declares of itself.

    Attributes:
        process: marker of its frame, one of `KNOWN_PROCESSES`.
        width, height: in pixels as they are stored; an orientation may turn them.
        components: number of components: 1 is grey, 3 is colour, 4 is for printing.
        factors: of each component, three bytes: its id, its sampling factors (4 bits each), its quantization table.
        segments: in the order of the file, the first SOS at the end.
    """

    process: int
    width: int
    height: int
    components: int
    factors: bytes
    segments: list[Segment]

    @property
    def progressive(self) -> bool:
        """Return whether the picture comes in several scans of growing precision."""
        return self.process == 0xC2

    @property
    def sampling(self) -> list[tuple[int, int]]:
        """Return the horizontal and vertical sampling factor of each component."""
        return [(byte >> 4, byte & 15) for byte in self.factors[1::3]]

    def app(self, data: Buffer, marker: int, prefix: bytes) -> list[Segment]:
        """Return the segments with this marker whose content begins with `prefix`."""
        return [
            segment
            for segment in self.segments
            if segment[0] == marker and data[segment[1] + 4 : min(segment[1] + 4 + len(prefix), segment[2])] == prefix
        ]

    def exif(self, data: Buffer) -> list[Segment]:
        """Return the segments of Exif, which may contain an orientation."""
        return self.app(data, _APP1, _EXIF)

    def xmp(self, data: Buffer) -> list[Segment]:
        """Return the segments of XMP, which may contain an orientation."""
        return self.app(data, _APP1, _XMP)

    def icc(self, data: Buffer) -> list[Segment]:
        """Return the segments of the colour profile."""
        return self.app(data, _APP2, _ICC)

    def jfif(self, data: Buffer) -> list[Segment]:
        """Return the segments of JFIF, which say that colours are YCbCr."""
        return self.app(data, _APP0, b"JFIF\0")

    def adobe(self, data: Buffer) -> list[Segment]:
        """Return the segments of Adobe, which give the colour transform."""
        return self.app(data, _APP14, b"Adobe")

    def adobe_transform(self, data: Buffer) -> int | None:
        """Return the code of the colour transform that the last Adobe segment gives; None without such a segment."""
        codes = [data[start + 15] for _, start, stop in self.adobe(data) if stop - start >= 16]
        return codes[-1] if codes else None

    def may_be_turned(self, data: Buffer) -> bool:
        """Return whether Exif or XMP may contain an orientation other than 1: Pillow, as readers use it, decides which.

        Pillow knows several forms of Exif and forgives many faults; one without Exif and with the XMP of an upright picture,
        as a third of real files have, need not be opened by it.
        """
        for marker, start, stop in self.segments:
            if marker == _APP1:
                content = bytes(data[start + 4 : stop])
                if content.startswith(_EXIF):
                    return True
                if content.startswith(_XMP):
                    found = _XMP_ORIENTATION.search(content)
                    if found is not None and found[1] != b"1":
                        return True
        return False


def is_jpeg(data: Buffer) -> bool:
    """Return whether readers take the file for a JPEG, whatever its name."""
    return data[:3] == b"\xff\xd8\xff"


def require_decodable(data: Buffer) -> None:
    """Check an image of any format before a decoder gets it.

    Raises:
        JpegHeaderError: it is a JPEG that no decoder should get.
    """
    if is_jpeg(data):
        read_header(data)


def read_header(data: Buffer) -> JpegHeader:
    """Return what a JPEG declares in its header, for a file that decoders may be given.

    Raises:
        UnsupportedJpegError: its process is not one that every reader decodes, or it has more than 8 bits.
        JpegHeaderError: it is not a JPEG, or its header is damaged or cut off.
    """
    if data[:2] != b"\xff\xd8":
        raise JpegHeaderError("not a JPEG")
    frame = 0
    segments: list[Segment] = []
    start, size = 2, len(data)
    try:
        while True:
            marker = data[start + 1]
            if data[start] != 0xFF or marker == 0xFF or marker == 0:
                found = _MARKER.search(data, start)
                if found is None:
                    raise JpegHeaderError(f"the header ends at byte {start:,} without picture data")
                start = found.start()
                marker = data[start + 1]
            kind = _KINDS[marker]
            if kind == _RESTART:
                start += 2
                continue
            if kind == _UNKNOWN_PROCESS:
                raise UnsupportedJpegError(f"JPEG process {UNKNOWN_PROCESSES[marker]}")
            if kind == _INVALID:
                raise JpegHeaderError(f"marker FF{marker:02X} at byte {start:,} of the header")
            length = data[start + 2] << 8 | data[start + 3]
            stop = start + (2 + length if length > 2 else 4)  # decoders take an impossible length for an empty segment
            segments.append((marker, start, stop))
            if kind == _END:
                break
            if kind == _FRAME:
                if frame:
                    raise JpegHeaderError("two frame headers")
                frame = start
            start = stop
            if len(segments) > MAX_SEGMENTS:
                raise JpegHeaderError(f"more than {MAX_SEGMENTS:,} segments in the header")
    except IndexError:
        raise JpegHeaderError(f"the header is cut off at byte {size:,}") from None
    if stop > size:
        raise JpegHeaderError(f"the header is cut off at byte {size:,}")
    if not frame:
        raise JpegHeaderError("no frame header before the picture data")
    return _read_frame(bytes(data[frame : frame + 2 + (data[frame + 2] << 8 | data[frame + 3])]), segments)


def _read_frame(frame: bytes, segments: list[Segment]) -> JpegHeader:
    if len(frame) < 10:
        raise JpegHeaderError(f"a frame header of {len(frame)} bytes")
    process, precision, components = frame[1], frame[4], frame[9]
    if precision != 8:
        raise UnsupportedJpegError(f"{precision} bits in JPEG process {KNOWN_PROCESSES[process]}")
    height, width = frame[5] << 8 | frame[6], frame[7] << 8 | frame[8]
    if not height or not width:
        raise JpegHeaderError(f"a size of {width} x {height} pixels")
    return JpegHeader(process, width, height, components, frame[10 : 10 + 3 * components], segments)
