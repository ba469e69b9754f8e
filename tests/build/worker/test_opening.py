"""Which JPEGs need not be opened by Pillow: only those that it opens, to the same size and mode."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rocov2_build.worker import jpeg as module
from rocov2_build.worker.jpeg import ImageFacts, inspect
from rocov2_build.worker.member import BadImageError
from rocov2_build.worker.opening import MODES, opens_upright
from rocov2_shared.jpeg_segments import JpegHeaderError, read_header
from tests.support.examples import examples
from tests.support.jpegs import exif, segment, with_segment, xmp
from tests.support.raw import jpeg

PLAIN = {
    "Photoshop": (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x04abcd"),
    "cut in a resource": (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x04a"),
    "XMP of an upright picture": (0xE1, xmp(1)),
    "a piece of XMP": (0xE1, b"tiff:Orientation>6"),
    "a profile": (0xE2, b"ICC_PROFILE\0\1\1profile"),
    "Adobe": (0xEE, b"Adobe\0\x64\0\0\0\0\1"),
    "JFIF": (0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0"),
    "a comment": (0xFE, b"hello"),
    "nothing": (0xEC, b""),
}
UNCERTAIN = {
    "Exif": (0xE1, exif(None)),
    "XMP of a turned picture": (0xE1, xmp(6)),
    "cut behind the code of a resource": (0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
    "a profile without its number": (0xE2, b"ICC_PROFILE\0\1"),
    "several pictures": (0xE2, b"MPF\0II*\0"),
    "short Adobe": (0xEE, b"Adobe\0"),
    "short JFIF": (0xE0, b"JFIF\0\1"),
    "number of lines": (0xDC, b"\0\x10"),
    "arithmetic conditioning": (0xCC, b"\0\0"),
}


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("content", PLAIN.values(), ids=PLAIN)
def test_plain_pictures_are_not_opened(content: tuple[int, bytes], mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_segment(jpeg(40, 32, mode), *content)
    assert opens_upright(data, read_header(data))
    image = Image.open(io.BytesIO(data))
    assert (image.size, image.mode) == ((40, 32), MODES[read_header(data).components])
    opened = both_ways(data, monkeypatch)[1]
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    assert inspect(data) == opened


@pytest.mark.parametrize("content", UNCERTAIN.values(), ids=UNCERTAIN)
def test_what_pillow_may_refuse_or_turn_is_opened(content: tuple[int, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_segment(jpeg(40, 32), *content)
    assert not opens_upright(data, read_header(data))
    one, other = both_ways(data, monkeypatch)
    assert one == other


@pytest.mark.parametrize("components", [2, 5])
def test_other_numbers_of_components_are_opened(components: int) -> None:
    data = b"\xff\xd8" + segment(0xC0, b"\x08\0\x08\0\x08" + bytes([components]) + b"\1\x11\0" * components)
    data += segment(0xDA, b"\1\1\0\0\x3f\0") + b"\xff\xd9"
    assert not opens_upright(data, read_header(data))


def both_ways(data: bytes, monkeypatch: pytest.MonkeyPatch) -> list[ImageFacts | tuple[str, str, str]]:
    """What is found without opening where that is not needed, and with opening always."""
    found: list[Any] = []
    for sure in (opens_upright, lambda *_: False):
        with monkeypatch.context() as patch:
            patch.setattr(module, "opens_upright", sure)
            try:
                found.append(inspect(data))
            except BadImageError as error:
                found.append((error.code, error.expected, error.found))
    return found


@examples(300)
@given(st.data())
def test_damage_is_judged_in_the_same_way(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from([*PLAIN.values(), *UNCERTAIN.values()]), max_size=3))
    content = jpeg(24, 17, data.draw(st.sampled_from(["L", "RGB", "CMYK"])), progressive=data.draw(st.booleans()))
    for piece in chosen:
        content = with_segment(content, *piece)
    damaged = bytearray(content)
    try:
        end = read_header(content).segments[-1][2]
    except JpegHeaderError:
        end = len(content)
    for place in data.draw(st.lists(st.integers(2, end - 1), max_size=3)):
        damaged[place] = data.draw(st.integers(0, 255) | st.sampled_from([0, 0xC4, 0xD9, 0xDA, 0xE1, 0xED, 0xFF]))
    with pytest.MonkeyPatch.context() as patch:
        one, other = both_ways(bytes(damaged), patch)
    assert one == other
