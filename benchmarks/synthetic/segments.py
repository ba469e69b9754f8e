"""Metadata as journals leave it in JPEGs: Photoshop's resources, colour profiles, XMP, Exif. None names a person."""

from __future__ import annotations

import struct
from itertools import accumulate
from random import Random

from benchmarks.synthetic import figures

_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_LONGEST = 65_533
_HEAD = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#" xmpMM:DocumentID="xmp.did:%s"%s><xmpMM:History><rdf:Seq>
"""
_VARIANTS = 24
_ID = b"0123456789ABCDEF0123456789ABCDEF"
"""Stands in a packet where each file has an id of its own."""
_HEX = b"0123456789ABCDEF"
_PIECE = 0xFFFF - 200


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment with its marker and length."""
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


class Metadata:
    """Makes the segments in front of a picture.

    Args:
        random: of everything.
        scale: bytes of a file, where 1 is those of the release.
    """

    def __init__(self, random: Random, scale: float = 1.0) -> None:
        self._random, self._scale = random, scale
        self._packets = {
            upright: [self._packet((number + 0.5) / _VARIANTS, upright) for number in range(_VARIANTS)]
            for upright in (False, True)
        }
        self._profiles = {size: _profile(random, size) for size, _ in figures.PROFILE_BYTES}
        self._print_profile = _profile(random, max(1_000, round(figures.PRINT_PROFILE_BYTES * scale)))

    def draw(self, thumbnail: bytes) -> bytes:
        """Return the segments of one file, with this picture as its thumbnail."""
        random = self._random
        density = figures.choose(random, figures.DENSITIES)
        parts = [
            segment(0xE0, struct.pack(">5s2BBHH2B", b"JFIF\0", 1, 1, 2 if density < 200 else 1, density, density, 0, 0))
        ]
        if random.random() < figures.COMMENT:
            parts.append(
                segment(0xFE, random.choice((b"Software: Microsoft Office", b"Handmade Software, Inc.", b" " * 35)))
            )
        if random.random() < figures.EXIF:
            parts.append(segment(0xE1, _exif(random, thumbnail if self._scale > 0.5 else b"")))
        photoshop, profile, xmp = self._which()
        if photoshop:
            parts.append(segment(0xED, self._photoshop(thumbnail)))
        if random.random() < figures.PRINT_PROFILE:
            parts += _chunks(self._print_profile)
        elif profile:
            parts += _chunks(self._profiles[figures.choose(random, figures.PROFILE_BYTES)])
        if xmp:
            parts += self._xmp()
        if random.random() < figures.ADOBE:
            parts.append(segment(0xEE, b"Adobe\0d\0\0\0\0\1"))
        return b"".join(parts)

    def _which(self) -> tuple[bool, bool, bool]:
        """Whether a file has Photoshop's segment, a profile, XMP."""
        share, three = self._random.random(), figures.ALL_THREE
        both = figures.XMP - three - 0.01
        alone = figures.PHOTOSHOP - three - both
        for limit, which in (
            (three, (True, True, True)),
            (both, (True, False, True)),
            (alone, (True, False, False)),
            (figures.PROFILE - three, (False, True, False)),
            (0.01, (False, False, True)),
        ):
            if share < limit:
                return which
            share -= limit
        return False, False, False

    def _photoshop(self, thumbnail: bytes) -> bytes:
        """Image resources: resolution, print settings, a thumbnail where it fits, paths."""
        random = self._random
        size = round(figures.at(figures.PHOTOSHOP_BYTES, random.random()) * self._scale)
        parts = [b"Photoshop 3.0\0", _resource(0x03ED, struct.pack(">IHHIHH", 300 << 16, 1, 1, 300 << 16, 1, 1))]
        if self._scale > 0.5:
            parts.append(_resource(0x0425, random.randbytes(16)))  # digest of the caption
            if size > len(thumbnail) + 800:
                width = struct.pack(">IIIIIIHH", 1, 160, 160, 480, 76_800, len(thumbnail), 24, 1)
                parts.append(_resource(0x040C, width + thumbnail))
        rest = size - sum(map(len, parts))
        if rest > 40:
            words = (
                struct.pack(">4sI8sH", b"VlLs", number, b"Objc\0\0\0\1", number % 7) for number in range(rest // 18)
            )
            settings = b"".join(words)
            parts.append(_resource(0x03F8, settings[: rest - 14]))
        return b"".join(parts)[:_LONGEST]

    def _packet(self, share: float, upright: bool) -> bytes:
        random = self._random
        size = max(400, round(figures.at(figures.XMP_BYTES, share) * self._scale))
        head = _HEAD % (_ID, b' tiff:Orientation="1"' if upright else b"")
        tail = b"</rdf:Seq></xmpMM:History></rdf:Description></rdf:RDF></x:xmpmeta>\n"
        end = b'<?xpacket end="w"?>'
        events = []
        padding = min(2_048, size // 6)
        room = size - len(head) - len(tail) - len(end) - padding
        while room > 0:
            event = b'<rdf:li stEvt:action="saved" stEvt:instanceID="xmp.iid:' + bytes(random.choices(_HEX, k=32))
            event += b'" stEvt:when="20%02d-%02d-%02dT12:%02d:00+05:30"' % (
                random.randrange(5, 23), random.randrange(1, 13), random.randrange(1, 29), random.randrange(60),
            )  # fmt: skip
            events.append(event + b' stEvt:softwareAgent="Adobe Photoshop CS6 (Windows)" stEvt:changed="/"/>\n')
            room -= len(events[-1])
        blank = (b" " * 99 + b"\n") * (padding // 100)
        return b"".join([head, *events, tail, blank, end])

    def _xmp(self) -> list[bytes]:
        """One packet; a large one, and some others, in several segments of which only the first has the name of XMP."""
        random = self._random
        upright = random.random() < figures.XMP_SAYS_UPRIGHT / figures.XMP
        packet = random.choice(self._packets[upright]).replace(_ID, bytes(random.choices(_HEX, k=32)), 1)
        if len(packet) > _PIECE:
            pieces = [packet[start : start + _PIECE] for start in range(0, len(packet), _PIECE)]
        elif random.random() < figures.XMP_IN_PIECES / figures.XMP:
            middle = len(packet) // 2
            pieces = [packet[:middle], packet[middle:]]
        else:
            pieces = [packet]
        return [segment(0xE1, (b"" if number else _XMP) + piece) for number, piece in enumerate(pieces)]


def _resource(number: int, data: bytes) -> bytes:
    return struct.pack(">4sHHI", b"8BIM", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def _exif(random: Random, thumbnail: bytes) -> bytes:
    """Upright, with the thumbnail in a directory of its own."""
    software = b"Adobe Photoshop CS%d Windows\0" % random.randrange(2, 7)
    second = 8 + 2 + 2 * 12 + 4 + len(software)
    first = struct.pack("<HHHIHHHHIII", 2, 0x0112, 3, 1, 1, 0, 0x0131, 2, len(software), 38, second)
    entries = [(0x0103, 3, 1, 6), (0x0201, 4, 1, second + 2 + 3 * 12 + 4), (0x0202, 4, 1, len(thumbnail))]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + software + struct.pack("<H", 3) + directory + bytes(4) + thumbnail


def _profile(random: Random, size: int) -> bytes:
    """A colour profile of that size: a header, one curve, and in large ones tables that vary smoothly."""
    header = bytearray(128)
    header[0:4], header[8:12] = size.to_bytes(4, "big"), b"\x02\x10\0\0"
    header[12:24], header[36:40] = b"mntrRGB XYZ ", b"acsp"
    tags = struct.pack(">I4sII", 1, b"rTRC", 144, size - 144)
    count = (size - 144 - 12) // 2
    curve = struct.pack(">4sII", b"curv", 0, count)
    if count < 4_000:
        values = [round(65_535 * (number / count) ** 2.2) for number in range(count)]
    else:
        values = [value & 0xFFFF for value in accumulate(random.randbytes(count))]
    return (bytes(header) + tags + curve + struct.pack(f">{count}H", *values)).ljust(size, b"\0")


def _chunks(profile: bytes) -> list[bytes]:
    room = _LONGEST - 14
    pieces = [profile[start : start + room] for start in range(0, len(profile), room)]
    return [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([number, len(pieces)]) + piece) for number, piece in enumerate(pieces, 1)
    ]
