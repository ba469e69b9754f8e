"""One JPEG: measured as `datasets` shows it, and refused exactly when picture data is lost."""

from __future__ import annotations

import contextlib
import io
import math
import random
import struct
from collections.abc import Callable

import datasets
import pytest
import simplejpeg
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rocov2_build.worker import jpeg as module
from rocov2_build.worker.jpeg import MAX_PIXELS, MAX_SIDE, SMALL_SIDE, ImageFacts, inspect
from rocov2_build.worker.member import BadImageError
from rocov2_build.worker.phash import hash_distance
from rocov2_build.worker.verification import Verification
from rocov2_shared.jpeg_segments import UNKNOWN_PROCESSES
from tests.support.examples import examples
from tests.support.jpegs import UNWRITABLE, exif, header_of, segment, with_segment, xmp
from tests.support.raw import jpeg

EOI = b"\xff\xd9"
SAMPLING = "Could not determine subsampling level of JPEG image"


def refusal(data: bytes, verify: str = "strict") -> tuple[str, str, str]:
    """Code, expected and found of a refused image."""
    with pytest.raises(BadImageError) as caught:
        inspect(data, verify)
    return caught.value.code, caught.value.expected, caught.value.found


def measured(data: bytes, verify: str = "strict") -> ImageFacts:
    """Facts of an image but its perceptual hash."""
    return inspect(data, verify)._replace(perceptual="")


def shown(data: bytes) -> tuple[int, int]:
    """Width and height as `datasets` decodes the image."""
    size: tuple[int, int] = datasets.Image().decode_example({"bytes": data, "path": None}).size
    return size


def noisy(mode: str = "L", side: int = 128, **options: object) -> bytes:
    """A JPEG of noise: every part of it holds picture data."""
    picture = Image.frombytes(mode, (side, side), random.Random(0).randbytes(side * side * len(mode.replace("L", "1"))))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def segments(data: bytes | bytearray) -> dict[int, int]:
    """Places of the segments of a JPEG by marker, up to its first scan; of several, the first."""
    places: dict[int, int] = {}
    place = 2
    while True:
        places.setdefault(data[place + 1], place)
        if data[place + 1] == 0xDA:
            return places
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")


def scan_start(data: bytes | bytearray) -> int:
    """Place where the entropy-coded data of the first scan begin."""
    place = segments(data)[0xDA] + 2
    return place + int.from_bytes(data[place : place + 2], "big")


def flat(horizontal: int, vertical: int) -> bytes:
    """A flat grey JPEG of 2 x 2 MCUs whose luminance has these sampling factors, written by hand: Pillow makes few kinds."""
    buffer = io.BytesIO()
    Image.new("RGB", (16 * horizontal, 16 * vertical), (128, 128, 128)).save(buffer, "JPEG", subsampling=0)
    data = bytearray(buffer.getvalue())
    data[segments(data)[0xC0] + 11] = horizontal * 16 + vertical
    # In the standard tables: "no difference" 00 and "end of block" 1010 for luminance; 00 and 00 for the two others.
    bits = ("001010" * horizontal * vertical + "0000" * 2) * 4
    bits += "1" * (-len(bits) % 8)
    return bytes(data[: scan_start(data)]) + int(bits, 2).to_bytes(len(bits) // 8, "big") + EOI


def with_size(data: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its frame header."""
    place = segments(data)[0xC0] + 5
    return data[:place] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[place + 4 :]


NOISY = noisy()


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("size", [(40, 32), (1, 1), (1, 37), (37, 1), (17, 9)])
def test_intact(mode: str, size: tuple[int, int], progressive: bool, verify: str) -> None:
    assert measured(jpeg(*size, mode, progressive=progressive), verify) == ImageFacts(*size, mode)


@pytest.mark.parametrize("orientation", [None, *range(1, 9)])
@pytest.mark.parametrize("verify", Verification)
def test_orientation(orientation: int | None, verify: str) -> None:
    data = jpeg(40, 32, orientation=orientation)
    facts = inspect(data, verify)
    assert (facts.width, facts.height) == ((32, 40) if (orientation or 1) >= 5 else (40, 32)) == shown(data)


@examples(60)
@given(
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    mode=st.sampled_from(["L", "RGB", "CMYK"]),
    progressive=st.booleans(),
    orientation=st.none() | st.integers(0, 9),
    quality=st.integers(1, 100),
    restart=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_every_intact_jpeg_passes(
    width: int,
    height: int,
    mode: str,
    progressive: bool,
    orientation: int | None,
    quality: int,
    restart: int,
    seed: int,
) -> None:
    picture = Image.open(io.BytesIO(jpeg(width, height, mode, seed)))
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    buffer = io.BytesIO()
    picture.save(
        buffer,
        "JPEG",
        quality=quality,
        progressive=progressive,
        exif=exif,
        restart_marker_blocks=restart,
    )
    data = buffer.getvalue()
    assert measured(data) == ImageFacts(*shown(data), mode, turned=orientation in range(2, 9))


@pytest.mark.parametrize("factors", [(1, 1), (2, 1), (2, 2), (1, 2), (4, 1), (1, 4), (3, 1), (1, 3), (4, 2), (2, 4)])
def test_every_sampling_of_colours_passes(factors: tuple[int, int]) -> None:
    data = flat(*factors)
    assert Image.open(io.BytesIO(data)).getextrema() == ((128, 128),) * 3
    known = factors in [
        (1, 1),
        (2, 1),
        (2, 2),
        (1, 2),
        (4, 1),
        (1, 4),
    ]  # to the strict decoder; Pillow judges the others
    benign = "" if known else SAMPLING
    assert measured(data) == ImageFacts(16 * factors[0], 16 * factors[1], "RGB", benign=benign)
    assert refusal(data[:-3])[0] == "truncated-jpeg"
    if known:
        assert refusal(data[:-3] + EOI)[0] == "damaged-jpeg"


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_every_sampling_of_printing_colours_passes(subsampling: str) -> None:
    benign = "" if subsampling == "4:4:4" else SAMPLING
    assert measured(noisy("CMYK", subsampling=subsampling)) == ImageFacts(128, 128, "CMYK", benign=benign)


def test_thumbnail_with_an_end_of_its_own() -> None:
    exif = b"Exif\0\0" + jpeg(8, 8)  # an EOI inside a segment is not the end
    place = segments(NOISY)[0xDB]
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    data = NOISY[:place] + segment + NOISY[place:]
    assert measured(data) == ImageFacts(128, 128, "L")
    assert refusal(data[:-2])[0] == "truncated-jpeg"


@pytest.mark.parametrize("content", [exif(6), xmp(6)], ids=["exif", "xmp"])
@pytest.mark.parametrize("verify", Verification)
def test_an_orientation_behind_fill_bytes(content: bytes, verify: str) -> None:
    plain = jpeg(40, 32)
    place = segments(plain)[0xDB]
    data = plain[:place] + b"\xff\xff" + segment(0xE1, content) + b"\xff" + plain[place:]
    assert measured(data, verify) == ImageFacts(32, 40, "L", turned=True)
    assert shown(data) == (32, 40)


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize("precision", [8, 12])
@pytest.mark.parametrize("process", [0xC0, *UNKNOWN_PROCESSES])
def test_other_processes_are_refused_before_any_decoder_is_called(
    process: int, precision: int, verify: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if (process, precision) == (0xC0, 8):
        return
    given: list[object] = []
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *data, **_: given.append(data))
    monkeypatch.setattr(Image, "open", lambda *data, **_: given.append(data))
    code, expected, found = refusal(header_of(process, precision), verify)
    assert (code, expected) == ("unsupported-jpeg", "a baseline, extended or progressive Huffman JPEG with 8 bits")
    assert UNKNOWN_PROCESSES.get(process, "12 bits") in found
    assert not given


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize(
    ("content", "found"),
    [
        (exif(6, UNWRITABLE), ("Pillow: argument out of range", "Pillow: 'H' format requires")),
        (exif(3, (0x011A, 2, 4, b"abc\0")), "Pillow: bad operand type"),
        (b"Exif\0\0no TIFF", "Pillow: not a TIFF file (header"),
    ],
    ids=["a value that cannot be written", "a type that cannot be written", "not TIFF"],
)
def test_metadata_that_make_readers_fail_are_a_problem(
    content: bytes, found: str | tuple[str, str], verify: str
) -> None:
    place = segments(NOISY)[0xDB]
    data = NOISY[:13] + b"\1\0\x48\0\x48" + NOISY[18:place] + segment(0xE1, content) + NOISY[place:]
    with pytest.raises((SyntaxError, TypeError, struct.error)):
        shown(data)
    if verify == "strict" or "TIFF" in found:
        code, expected, described = refusal(data, verify)
        assert (code, expected) == ("damaged-metadata", "Exif and XMP with an orientation that readers can apply")
        assert described.startswith(found)


@pytest.mark.parametrize("orientation", [None, *range(10), 300])
def test_other_tags_and_orientations_do_no_harm(orientation: int | None) -> None:
    for entry in [(0x0131, 2, 4, b"abc\0"), (0x8769, 4, 1, b"\x7f\xff\xff\xff"), (0x9999, 99, 1, bytes(4))]:
        data = with_segment(jpeg(40, 32), 0xE1, exif(orientation, entry))
        assert measured(data) == ImageFacts(*shown(data), "L", turned=orientation in range(2, 9))


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n" + bytes(40),
        b"<!DOCTYPE html><html></html>",
        b"GIF89a",
        bytes(3000),
    ],
    ids=["empty", "1 byte", "SOI", "PNG", "HTML", "GIF", "zeros"],
)
def test_not_a_jpeg(data: bytes, verify: str) -> None:
    assert refusal(data, verify) == ("not-a-jpeg", "a JPEG", repr(data[:16]))


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize(
    "size", [(60_000, 60_000), (MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (10_000, 9_000), (14_000, 12_000)]
)
def test_too_large(size: tuple[int, int], verify: str) -> None:
    code, expected, found = refusal(with_size(jpeg(), *size), verify)
    assert (code, expected) == ("image-too-large", f"at most {MAX_PIXELS:,} pixels")
    assert found == "{} x {}".format(*size) or "3600000000 pixels" in found


def test_largest_size_passes_as_far_as_the_header_tells() -> None:
    assert measured(with_size(jpeg(), MAX_SIDE, 2_982), "none") == ImageFacts(MAX_SIDE, 2_982, "L")


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_cut_tail(mode: str) -> None:
    data = noisy(mode)
    for cut in (*range(scan_start(data), len(data) - 2, 997), len(data) - 2, len(data) - 1):
        expected = ("truncated-jpeg", "the marker of the end (EOI)", f"none in {cut:,} bytes")
        assert refusal(data[:cut]) == refusal(data[:cut], "markers") == expected
        assert measured(data[:cut], "none") == ImageFacts(128, 128, mode)


@pytest.mark.parametrize("verify", Verification)
def test_cut_head(verify: str) -> None:
    scan = segments(NOISY)[0xDA]
    for cut in (3, 10, 20, segments(NOISY)[0xC0] + 4, scan - 1):
        assert refusal(NOISY[:cut], verify)[0] == "damaged-jpeg"


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_cut_tail_with_an_end_pasted_on(mode: str) -> None:
    data = noisy(mode, 64)
    for cut in range(scan_start(data) + 2, len(data) - 2, 499):
        code, expected, found = refusal(data[:cut] + EOI)
        assert (code, expected) == ("damaged-jpeg", "a JPEG that decodes without a loss")
        assert "premature end of data segment" in found
        assert measured(data[:cut] + EOI, "markers") == ImageFacts(64, 64, mode)


def test_no_picture_data_before_the_end() -> None:
    head = NOISY[: segments(NOISY)[0xDA]]
    for verify in ("strict", "markers"):
        # Pillow reads a header up to its first scan, which this one never reaches.
        assert refusal(head + EOI, verify)[0] == "damaged-jpeg"


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_zeroed_kilobyte(mode: str) -> None:
    data = noisy(mode)
    for start in range(scan_start(data) + 100, len(data) - 1100, 1777):
        hole = data[:start] + bytes(1024) + data[start + 1024 :]
        assert refusal(hole)[:2] == ("damaged-jpeg", "a JPEG that decodes without a loss")
        assert measured(hole, "markers") == measured(hole, "none") == ImageFacts(128, 128, mode)


def test_zeroed_end() -> None:
    assert refusal(NOISY[:-1024] + bytes(1024), "markers")[0] == "truncated-jpeg"


def test_flat_pictures_hold_zeros_themselves() -> None:
    buffer = io.BytesIO()
    Image.new("L", (3000, 2000), 128).save(buffer, "JPEG", quality=50)
    assert measured(buffer.getvalue()) == ImageFacts(3000, 2000, "L")


@pytest.mark.parametrize("marker", [0xDB, 0xC0, 0xC4, 0xDA])
def test_junk_between_segments(marker: int) -> None:
    place = segments(NOISY)[marker]
    data = NOISY[:place] + b"junk" * 3 + NOISY[place:]
    found = f"Corrupt JPEG data: 12 extraneous bytes before marker {marker:#x}"
    assert measured(data) == ImageFacts(128, 128, "L", benign=found)
    assert measured(data, "markers") == measured(data, "none") == ImageFacts(128, 128, "L")
    code, _, found = refusal(data[:-3000] + EOI)
    assert code == "damaged-jpeg"
    assert "premature end" in found
    assert refusal(data[:-2])[0] == "truncated-jpeg"


@pytest.mark.parametrize("tail", [b"\0", b"hello", bytes(5000), NOISY, b"\xff\xd8\xff", EOI], ids=range(6))
def test_bytes_after_the_end(tail: bytes) -> None:
    assert measured(NOISY + tail) == ImageFacts(128, 128, "L")


def test_padding_before_a_marker() -> None:
    assert measured(NOISY[:-2] + b"\xff\xff\xff" + EOI) == ImageFacts(128, 128, "L")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(256, 256), (257, 264), (1000, 259), (263, 700)])
def test_large_pictures_are_decoded_at_an_eighth(
    size: tuple[int, int], progressive: bool, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "perceptual_hash", lambda grey: str(grey.shape))
    facts = inspect(jpeg(*size, mode, progressive=progressive))
    assert facts.perceptual == str((math.ceil(size[1] / 8), math.ceil(size[0] / 8)))


@pytest.mark.parametrize("size", [(255, 256), (256, 255), (255, 3000), (40, 32), (1, 1)])
def test_small_pictures_are_decoded_whole(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "perceptual_hash", lambda grey: str(grey.shape))
    assert inspect(jpeg(*size)).perceptual == str(size[::-1])


def test_only_decoded_pictures_have_a_perceptual_hash() -> None:
    assert inspect(NOISY, "none").perceptual == inspect(NOISY, "markers").perceptual == ""
    assert len(inspect(NOISY).perceptual) == 64


@pytest.mark.parametrize("side", [SMALL_SIDE - 1, SMALL_SIDE])
def test_a_complaint_hardly_changes_the_perceptual_hash(side: int) -> None:
    data = jpeg(side, side, "RGB")
    place = segments(data)[0xDB]
    facts, junk = inspect(data), inspect(data[:place] + b"junk" + data[place:])
    assert (bool(junk.benign), junk.perceptual) == (True, facts.perceptual)
    unknown = bytearray(jpeg(side, side, "CMYK", quality=90))  # to the strict decoder, once it is subsampled
    buffer = io.BytesIO()
    Image.open(io.BytesIO(unknown)).save(buffer, "JPEG", quality=90, subsampling="4:2:0")
    plain, pillow = inspect(bytes(unknown)), inspect(buffer.getvalue())
    assert (plain.benign, pillow.benign) == ("", SAMPLING)
    assert hash_distance(plain.perceptual, pillow.perceptual) <= 40


def test_what_each_level_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def watched(name: str) -> Callable[..., object]:
        run: Callable[..., object] = getattr(module, name)
        return lambda *given: [ran.append(name), run(*given)][1]  # type: ignore[func-returns-value]

    monkeypatch.setattr(module, "walk_markers", watched("walk_markers"))
    monkeypatch.setattr(module, "judge", watched("judge"))
    monkeypatch.setattr(module, "_decode", watched("_decode"))
    for verify, steps in (
        ("none", []),
        ("markers", ["walk_markers"]),
        ("strict", ["_decode"]),
    ):
        ran.clear()
        inspect(jpeg(), verify)
        assert ran == steps
    ran.clear()
    place = segments(NOISY)[0xDB]
    assert inspect(NOISY[:place] + b"junk" + NOISY[place:]).benign
    assert ran == ["_decode", "judge", "_decode"]


@examples(500)
@given(st.data())
def test_what_decodes_without_a_complaint_reaches_its_end(data: st.DataObject) -> None:
    # So no walk along the markers is needed before the decode.
    content = bytearray(
        jpeg(24, 17, data.draw(st.sampled_from(["L", "RGB", "CMYK"])), progressive=data.draw(st.booleans()))
    )
    for place in data.draw(st.lists(st.integers(2, len(content) - 1), max_size=3)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(len(content) - 40, len(content)))])
    with contextlib.suppress(BadImageError):
        if not inspect(damaged).benign:
            inspect(damaged, "markers")


@examples(300)
@given(st.data())
def test_damage_gives_facts_or_a_problem_and_never_another_error(data: st.DataObject) -> None:
    content = bytearray(jpeg(24, 17, data.draw(st.sampled_from(["L", "RGB", "CMYK"])), orientation=6))
    for place in data.draw(st.lists(st.integers(2, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    damaged = bytes(content[: data.draw(st.integers(3, len(content)))])
    with contextlib.suppress(BadImageError):
        facts = inspect(damaged)
        assert (facts.width, facts.height) == shown(damaged)
