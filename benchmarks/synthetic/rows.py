"""The rows of a JPEG as bits: encoded once, any run of rows becomes a JPEG of its own, without encoding again.

The tall picture is encoded with a restart marker behind every row of blocks, which makes each row independent. The markers
are then taken out again, since no file of the release has them: a row follows another if its first blocks state no
difference to the last ones of the row before it. So the left and the right edge of the picture must have one colour. Then the
code of the first blocks is known, once with their value (after a marker), and once without a difference.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from PIL import Image, ImageFile

ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, 1 << 24)
"""Pillow writes a JPEG with its own Huffman tables only if it fits into this many bytes."""

_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SIDES = slice(5, 9)
"""Height and width in a frame segment, behind the marker, its length and the precision."""
_SOF0, _DHT, _SOS, _APP0, _DRI = 0xC0, 0xC4, 0xDA, 0xE0, 0xDD


@dataclass(frozen=True)
class Rows:
    """The rows of one encoded picture.

    Attributes:
        segments: all that a decoder needs, from the quantisation tables to the start of the scan.
        height_at: offset of the two bytes of the height in it.
        width: pixels.
        unit: pixels of a row of blocks.
        first: value and number of the bits of the first blocks of a picture.
        again: the same where a row follows another.
        bits: `again` and the remaining bits of every row, end to end.
        starts: position of each row in it, in bits, and of the end.
    """

    segments: bytes
    height_at: int
    width: int
    unit: int
    first: tuple[int, int]
    again: tuple[int, int]
    bits: bytes
    starts: list[int]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def cut(self, start: int, height: int) -> bytes:
        """Return the segments and the scan of a picture of so many pixels, from a row of blocks on."""
        end = start + -(-height // self.unit)
        begin, stop = self.starts[start] + self.again[1], self.starts[end]
        value = int.from_bytes(self.bits[begin // 8 : -(-stop // 8)], "big") >> (-stop % 8)
        length = stop - begin
        value &= (1 << length) - 1
        value |= self.first[0] << length
        length += self.first[1]
        pad = -length % 8
        scan = (value << pad | (1 << pad) - 1).to_bytes((length + pad) // 8, "big")
        segments = bytearray(self.segments)
        segments[self.height_at : self.height_at + 2] = height.to_bytes(2, "big")
        return bytes(segments) + scan.replace(b"\xff", b"\xff\x00") + b"\xff\xd9"


def encode(picture: Image.Image, quality: int, subsampling: int) -> Rows:
    """Encode a picture whose left and right edges have one colour, and no less than two blocks of it on the right.

    Raises:
        ValueError: the rows cannot be joined.
    """
    segments, scan = _split(save(picture, quality, subsampling, restart_marker_rows=1))
    frame = b""
    tables: dict[int, dict[int, str]] = {}
    for marker, content in segments:
        if marker == _SOF0:
            frame = content
        elif marker == _DHT:
            tables |= _codes(content[2:])
    start = segments[-1][1]
    blocks = []  # of a unit: tables of each component, once for each of its blocks
    for number in range(start[2]):
        selector, sampling = start[4 + 2 * number], frame[9 + 3 * number]
        blocks.append((sampling >> 4) * (sampling & 15) * [(tables[selector >> 4], tables[16 + (selector & 15)])])
    if len(blocks) == 1:  # a scan of one component has one block a unit, whatever its sampling
        blocks[0] = blocks[0][:1]
    unit = 8 * max(1, *(frame[9 + 3 * number] & 15 for number in range(start[2]))) if len(blocks) > 1 else 8
    pieces = [piece.replace(b"\xff\x00", b"\xff") for piece in _RESTART.split(scan)]
    again = "".join(dc[0] + ac[0] for component in blocks for dc, ac in component)
    first = _first_unit(pieces[0], blocks)
    ones = len(again) - len(again.rstrip("1"))
    parts, starts = [], [0]
    for piece in pieces:
        bits = f"{int.from_bytes(piece, 'big'):0{8 * len(piece)}b}"
        end = len(bits.rstrip("1")) + ones
        if not bits.startswith(first) or not bits[:end].endswith(again):
            raise ValueError("an edge of the picture has more than one colour")
        parts.append(again + bits[len(first) : end])
        starts.append(starts[-1] + len(parts[-1]))
    whole = "".join(parts)
    whole += "1" * (-len(whole) % 8)
    head = b""
    height_at = 0
    for marker, content in segments:
        if marker not in (_APP0, _DRI):
            height_at = len(head) + 2 + _SIDES.start - 2 if marker == _SOF0 else height_at
            head += bytes([0xFF, marker]) + content
    return Rows(
        head,
        height_at,
        picture.width,
        unit,
        (int(first, 2), len(first)),
        (int(again, 2), len(again)),
        int(whole, 2).to_bytes(len(whole) // 8, "big"),
        starts,
    )


def save(picture: Image.Image, quality: int, subsampling: int, **options: int) -> bytes:
    """Return a JPEG with Huffman tables of its own."""
    buffer = io.BytesIO()
    if picture.mode != "L":
        options["subsampling"] = subsampling
    picture.save(buffer, "JPEG", quality=quality, optimize=True, **options)
    return buffer.getvalue()


def _split(jpeg: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Return the segments up to the scan, as marker and content with its length, and the scan without the end marker."""
    segments, position = [], 2
    while True:
        marker, end = jpeg[position + 1], position + 2 + int.from_bytes(jpeg[position + 2 : position + 4], "big")
        segments.append((marker, jpeg[position + 2 : end]))
        position = end
        if marker == _SOS:
            return segments, jpeg[position:-2]


def _codes(content: bytes) -> dict[int, dict[int, str]]:
    """Return the Huffman codes of a DHT segment, by table (class times 16 and number) and symbol."""
    tables: dict[int, dict[int, str]] = {}
    while content:
        codes: dict[int, str] = {}
        code, position = 0, 17
        for length, count in enumerate(content[1:17], 1):
            for symbol in content[position : position + count]:
                codes[symbol] = f"{code:0{length}b}"
                code += 1
            position += count
            code <<= 1
        tables[content[0]] = codes
        content = content[position:]
    return tables


def _first_unit(piece: bytes, blocks: list[list[tuple[dict[int, str], dict[int, str]]]]) -> str:
    """Return the bits of the first blocks of a row that follows a restart marker: one colour, then no difference."""
    bits = f"{int.from_bytes(piece[:64], 'big'):0{8 * len(piece[:64])}b}"
    position = 0
    for component in blocks:
        for dc, ac in component:
            size = next(size for size, code in dc.items() if bits.startswith(code, position))
            position += len(dc[size]) + size
            if not bits.startswith(ac[0], position):
                raise ValueError("the left edge of the picture has more than one colour")
            position += len(ac[0])
    return bits[:position]
