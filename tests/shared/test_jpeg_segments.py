"""The header of a JPEG: what it declares equals what Pillow finds, and no decoder gets what not every reader decodes."""

from __future__ import annotations

import contextlib
import io
import random
import re
import warnings
from collections.abc import Callable

import datasets
import numpy as np
import pytest
from PIL import ExifTags, Image

from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.member import BadImageError
from rocov2_shared.jpeg_segments import (
    KNOWN_PROCESSES,
    MAX_SEGMENTS,
    UNKNOWN_PROCESSES,
    JpegHeaderError,
    UnsupportedJpegError,
    is_jpeg,
    read_header,
    require_decodable,
)
from rocov2_tasks.stream.decoding import DamagedImageError, Decoder
from tests.conftest import Seeds
from tests.support.jpegs import UNWRITABLE, exif, header_of, segment, with_segment, xmp
from tests.support.raw import jpeg

PLAIN = jpeg(40, 32, "RGB")
UNKNOWN = re.compile(rb"\xff[" + re.escape(bytes(UNKNOWN_PROCESSES)) + rb"]")


@pytest.mark.parametrize("wrap", [bytes, memoryview])
@pytest.mark.parametrize(("mode", "components"), [("L", 1), ("RGB", 3), ("CMYK", 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_what_a_header_declares(
    mode: str, components: int, progressive: bool, wrap: Callable[[bytes], bytes | memoryview]
) -> None:
    data = wrap(jpeg(40, 32, mode, progressive=progressive))
    header = read_header(data)
    assert (header.width, header.height, header.components) == (40, 32, components)
    assert header.progressive == progressive
    assert len(header.sampling) == components
    assert [marker for marker, _, _ in header.segments][-1] == 0xDA
    assert not header.may_be_turned(data)
    assert is_jpeg(data)


@pytest.mark.parametrize(
    ("subsampling", "sampling"), [(0, [(1, 1)] * 3), (1, [(2, 1), (1, 1), (1, 1)]), (2, [(2, 2), (1, 1), (1, 1)])]
)
def test_sampling(subsampling: int, sampling: list[tuple[int, int]]) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 32)).save(buffer, "JPEG", subsampling=subsampling)
    assert read_header(buffer.getvalue()).sampling == sampling


def test_application_segments_are_found_by_their_content() -> None:
    data = PLAIN
    for marker, content in [
        (0xE2, b"ICC_PROFILE\0\1\2one"),
        (0xE2, b"ICC_PROFILE\0\2\2two"),
        (0xE2, b"MPF\0"),
        (0xEE, b"Adobe\0\x64\0\0\0\0\2"),
        (0xE1, xmp(6)),
        (0xE1, exif(3)),
        (0xE1, b"a later piece of XMP without a header"),
    ]:
        data = with_segment(data, marker, content)
    header = read_header(data)
    assert [bytes(data[start:stop])[-3:] for _, start, stop in header.icc(data)] == [b"two", b"one"]
    assert header.adobe_transform(data) == 2
    assert [data[start + 4 : stop] for _, start, stop in header.exif(data)] == [exif(3)]
    assert [data[start + 4 : stop] for _, start, stop in header.xmp(data)] == [xmp(6)]
    assert len(header.jfif(data)) == 1
    assert header.may_be_turned(data)


@pytest.mark.parametrize(
    ("content", "turned"), [(exif(6), True), (exif(1), True), (xmp(6), True), (xmp(1), False), (b"Ducky", False)]
)
@pytest.mark.parametrize("fill", [0, 1, 5])
def test_an_orientation_behind_fill_bytes_is_found(content: bytes, turned: bool, fill: int) -> None:
    data = PLAIN[:2] + b"\xff" * fill + segment(0xE1, content) + b"\xff" * fill + PLAIN[2:]
    assert read_header(data).may_be_turned(data) == turned


@pytest.mark.parametrize("marker", UNKNOWN_PROCESSES)
def test_other_processes_are_refused_by_name(marker: int) -> None:
    data = header_of(marker)
    assert len(re.findall(r"\((\w+)\)", UNKNOWN_PROCESSES[marker])) == 1
    for check in (read_header, require_decodable):
        with pytest.raises(UnsupportedJpegError, match=f"^{re.escape(f'JPEG process {UNKNOWN_PROCESSES[marker]}')}$"):
            check(data)


@pytest.mark.parametrize("marker", KNOWN_PROCESSES)
@pytest.mark.parametrize("components", [1, 3])
def test_known_processes_pass_with_8_bits_only(marker: int, components: int) -> None:
    assert read_header(header_of(marker, components=components)).process == marker
    for precision in (2, 12, 16):
        with pytest.raises(UnsupportedJpegError, match=rf"^{precision} bits in JPEG process .*\(SOF{marker - 0xC0}\)$"):
            read_header(header_of(marker, precision, components))


def test_every_marker_of_a_frame_is_known_or_not() -> None:
    frames = set(range(0xC0, 0xD0)) - {0xC4, 0xCC}  # tables have these two
    assert frames <= {*KNOWN_PROCESSES, *UNKNOWN_PROCESSES}


def test_another_format_is_not_judged() -> None:
    require_decodable(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(JpegHeaderError, match="not a JPEG"):
        read_header(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "not a JPEG"),
        (b"\xff\xd8", "the header is cut off at byte 2"),
        (PLAIN[:30], "the header is cut off at byte 30"),
        (b"\xff\xd8" + bytes(100), "the header ends at byte 2 without picture data"),
        (b"\xff\xd8" + b"\xff" * 100_000, "the header ends at byte 2 without picture data"),
        (b"\xff\xd8\xff\xd9", "marker FFD9 at byte 2 of the header"),
        (b"\xff\xd8" + PLAIN, "marker FFD8 at byte 2 of the header"),
        (b"\xff\xd8\xff\x01" + PLAIN[2:], "marker FF01 at byte 2 of the header"),
        (b"\xff\xd8" + segment(0xDA, bytes(8)) + b"data", "no frame header before the picture data"),
        (b"\xff\xd8" + segment(0xC0, b"\x08") + segment(0xDA, bytes(8)), "a frame header of 5 bytes"),
        (header_of(0xC0).replace(b"\x00\x28", b"\0\0"), "a size of 0 x 32 pixels"),
        (header_of(0xC0)[:15] + header_of(0xC1)[2:], "two frame headers"),
        (b"\xff\xd8" + segment(0xE0, b"") * (MAX_SEGMENTS + 1), "more than 10,000 segments in the header"),
    ],
)
def test_what_no_decoder_reads(data: bytes, found: str) -> None:
    with pytest.raises(JpegHeaderError, match=f"^{re.escape(found)}$"):
        read_header(data)


def as_readers_get_it(data: bytes) -> Image.Image:
    image: Image.Image = datasets.Image().decode_example({"bytes": data, "path": None})
    return image


def random_header(draw: random.Random) -> bytes:
    """A small JPEG with segments that real and broken files have, and sometimes random damage in its header."""
    data = jpeg(draw.choice([24, 17, 8]), 16, draw.choice(["L", "RGB", "CMYK"]), draw.randrange(9))
    header = read_header(data)
    begin, end = header.segments[-1][1:]
    parts = [data[start:stop] for _, start, stop in header.segments[:-1]]
    for _ in range(draw.randrange(5)):
        parts.insert(draw.randrange(len(parts) + 1), _random_segment(draw))
    for number, part in enumerate(parts):
        if draw.random() < 0.15:
            parts[number] = b"\xff" * draw.randrange(1, 4) + part
        if draw.random() < 0.05:
            parts[number] = draw.randbytes(draw.randrange(1, 4)) + part
    if draw.random() < 0.1:
        del parts[draw.randrange(len(parts))]
    if draw.random() < 0.1:
        draw.shuffle(parts)
    if draw.random() < 0.03:
        parts.insert(draw.randrange(len(parts) + 1), segment(draw.choice(list(UNKNOWN_PROCESSES)), bytes(9)))
    head = bytearray(b"\xff\xd8" + b"".join(parts) + data[begin:end])
    if draw.random() < 0.3:
        for _ in range(draw.randrange(1, 4)):
            head[draw.randrange(2, len(head))] = draw.choice([0, 1, 0xFF, 0xD9, 0xE1, 0xC0, draw.randrange(256)])
    whole = bytes(head) + data[end:]
    return whole[: draw.randrange(len(head))] if draw.random() < 0.05 else whole


def _random_segment(draw: random.Random) -> bytes:
    orientation = draw.choice([None, *range(10)])
    content = draw.choice(
        [
            exif(orientation),
            exif(orientation, (0x0128, draw.randrange(14), draw.randrange(4), draw.randbytes(4))),
            exif(orientation, UNWRITABLE),
            exif(orientation, (0x0112, draw.randrange(14), draw.randrange(3), draw.randbytes(4))),
            exif(orientation)[: draw.randrange(30)],
            xmp(orientation or 0),
            b"http://ns.adobe.com/xap/1.0/\0<tiff:Orientation>%d</tiff:Orientation>" % (orientation or 0),
            b"http://ns.adobe.com/xap/1.0/\0" + draw.randbytes(20),
            b"http://ns.adobe.com/xap/1.0/",
            draw.randbytes(draw.randrange(20)),
        ]
    )
    others = [
        (0xE0, b"JFIF\0\1\1\1\0\x48\0\x48\0\0"),
        (0xE2, b"ICC_PROFILE\0\1\1" + draw.randbytes(draw.randrange(5))),
        (0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([draw.randrange(4)])),
        (0xFE, draw.randbytes(draw.randrange(9))),
        (0xED, b"Photoshop 3.0\0" + draw.randbytes(draw.randrange(9))),
    ]
    made = segment(*draw.choice([(0xE1, content)] * 4 + others))
    if draw.random() < 0.05:
        made = made[:2] + draw.randrange(0, 3).to_bytes(2, "big") + made[4:]
    return b"\xff" + bytes([draw.randrange(0xD0, 0xD8)]) + made if draw.random() < 0.05 else made


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_random_headers_mean_what_pillow_makes_of_them(seeds: Seeds) -> None:
    exact = Decoder("exact", None, "stretch", "bilinear")
    outcomes = {"read": 0, "turned": 0, "refused": 0, "unsupported": 0, "verified": 0}
    for seed in seeds(400):
        data = random_header(random.Random(seed))
        try:
            header = read_header(data)
        except JpegHeaderError as error:
            unsupported = isinstance(error, UnsupportedJpegError)
            outcomes["unsupported" if unsupported else "refused"] += 1
            if not unsupported and not UNKNOWN.search(data):  # else a decoder might see such a process
                with pytest.raises(Exception):  # noqa: B017, PT011 (whatever Pillow raises)
                    as_readers_get_it(data)
            for judge in (exact, inspect):
                with pytest.raises((DamagedImageError, BadImageError)):
                    judge(data)
            continue
        outcomes["read"] += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                shown, stored = as_readers_get_it(data), Image.open(io.BytesIO(data))
        except Exception:  # whatever Pillow raises
            with pytest.raises(BadImageError):
                inspect(data)
            continue
        assert (header.width, header.height, header.components) == (*stored.size, len(stored.getbands())), seed
        orientation = stored.getexif().get(ExifTags.Base.Orientation)
        assert header.may_be_turned(data) or orientation in (None, 1), seed
        outcomes["turned"] += shown.size != stored.size
        pixels = exact(data)
        assert pixels.shape == (shown.height, shown.width, 3), seed
        assert np.array_equal(pixels, np.asarray(shown.convert("RGB"))), seed
        with contextlib.suppress(BadImageError):  # of sides or pictures that are damaged
            facts = inspect(data)
            assert (facts.width, facts.height) == shown.size, seed
            assert facts.turned == (orientation in range(2, 9)), seed
            outcomes["verified"] += 1
    assert all(outcomes.values()), outcomes
