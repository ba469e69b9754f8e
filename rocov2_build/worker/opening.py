"""JPEGs that need not be opened by Pillow to know what it shows: most of a release, for 40 microseconds each.

Pillow reads a header by rules of its own, and readers fail where it fails. What it would make of a header is certain only if
each segment is of a kind whose reading cannot fail, or if the few bytes are there that it looks at.
"""

from __future__ import annotations

from rocov2_shared.jpeg_segments import JpegHeader

MODES = {1: "L", 3: "RGB", 4: "CMYK"}
"""Number of components of a JPEG -> Pillow's mode. It opens no others."""

_SOF, _DHT, _SOS, _DQT, _DRI, _COM = (0xC0, 0xC1, 0xC2), 0xC4, 0xDA, 0xDB, 0xDD, 0xFE
_APP0, _APP1, _APP2, _APP13, _APP14 = 0xE0, 0xE1, 0xE2, 0xED, 0xEE

_READ_BY_LENGTH = frozenset([*_SOF, _DHT, _SOS, _DQT, _DRI, _COM, *range(0xE0, 0xF0)])
"""Markers whose content Pillow skips, or reads as libjpeg does. Others it takes for junk, and looks for markers in it."""

_LOOKED_AT = {_APP0: (b"JFIF", 7), _APP2: (b"ICC_PROFILE\0", 14), _APP14: (b"Adobe", 7)}
"""Marker -> beginning of the content, and how many bytes of it Pillow needs."""

_RESOURCE = b"8BIM"


def opens_upright(data: bytes, header: JpegHeader) -> bool:
    """Return whether Pillow certainly opens a JPEG, and shows it with the sides of its header.

    False means that it has to be tried. Tables and frame are not looked at: libjpeg is as strict about them as Pillow. So
    the answer counts only for a file that is decoded without a complaint.
    """
    if header.components not in MODES or header.may_be_turned(data):
        return False
    for marker, start, stop in header.segments:
        if marker not in _READ_BY_LENGTH:
            return False
        content = start + 4
        if marker in _LOOKED_AT:
            prefix, length = _LOOKED_AT[marker]
            if data.startswith(prefix, content) and stop - content < length:
                return False
        if marker == _APP2 and data.startswith(b"MPF\0", content):
            return False  # a file with several pictures
        if marker == _APP13 and data.startswith(_RESOURCE, stop - 6):
            return False  # a resource of Photoshop that is cut off after its code
    return True
