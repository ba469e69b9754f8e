"""Small pictures: what `datasets` shows, scaled by Lanczos, with the chroma and without the metadata of the source."""

from __future__ import annotations

import io
import random
from typing import Any

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from rocov2_build.worker.jpeg import MAX_SIDE, inspect
from rocov2_build.worker.member import BadImageError
from rocov2_build.worker.scale import QUALITY, SIDE, Scaled, scale, scaled_size
from rocov2_build.worker.verification import Verification
from rocov2_shared.jpeg_segments import read_header
from tests.support.examples import examples
from tests.support.jpegs import UNWRITABLE, exif, segment, with_segment, without_rest, xmp
from tests.support.raw import jpeg

APP0, APP1, COMMENT = 0xE0, 0xE1, 0xFE


def small(data: bytes, side: int | None = SIDE, verify: str = "none") -> Scaled:
    """The small picture of a JPEG."""
    scaled = inspect(data, verify, side).small
    assert scaled is not None
    return scaled


def decoded(data: bytes) -> Image.Image:
    """The picture as `datasets` decodes it."""
    picture: Image.Image = datasets.Image().decode_example({"bytes": data, "path": None})
    return picture


def encoded(picture: Image.Image, **options: object) -> bytes:
    """A JPEG."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def noise(mode: str, size: tuple[int, int], seed: int = 0) -> Image.Image:
    """A picture that no JPEG can store in few bytes."""
    pixels = random.Random(seed).randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands()))
    return Image.frombytes(mode, size, pixels)


def reference(data: bytes, size: tuple[int, int], subsampling: int) -> bytes:
    """The small picture by the rules, one after the other."""
    picture = decoded(data)
    if picture.mode != "L":
        picture = picture.convert("RGB")
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    bare = Image.frombytes(picture.mode, picture.size, picture.tobytes())
    return encoded(bare, quality=QUALITY, subsampling=subsampling, optimize=True)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [
        ((673, 577), 256, (299, 256)),
        ((577, 673), 256, (256, 299)),
        ((257, 257), 256, (256, 256)),
        ((512, 513), 256, (256, 257)),  # 256.5 is rounded up
        ((256, 9_000), 256, (256, 9_000)),
        ((255, 255), 256, (255, 255)),
        ((10, 30_000), 256, (10, 30_000)),
        ((30_000, 257), 256, (29_883, 256)),
        ((30_000, 30), 7, (7_000, 7)),
        ((2, 3), 1, (1, 2)),
        ((MAX_SIDE, 2), 1, (15_000, 1)),
        ((1, 1), 1, (1, 1)),
    ],
)
def test_sizes(size: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    assert scaled_size(*size, side) == expected


@given(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.integers(1, 40_000))
def test_the_shorter_side_is_exact_the_longer_one_rounded_and_neither_grows(width: int, height: int, side: int) -> None:
    small_width, small_height = scaled_size(width, height, side)
    assert scaled_size(height, width, side) == (small_height, small_width)
    assert min(small_width, small_height) == min(width, height, side)
    assert small_width <= width
    assert small_height <= height
    assert abs(small_width * height - small_height * width) * 2 <= min(width, height)


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize(
    ("mode", "options", "subsampling", "sampling"),
    [
        ("L", {}, 0, [(1, 1)]),
        ("RGB", {"subsampling": "4:4:4"}, 0, [(1, 1)] * 3),
        ("RGB", {"subsampling": "4:2:0"}, 2, [(2, 2), (1, 1), (1, 1)]),
        ("RGB", {"subsampling": "4:2:2"}, 2, [(2, 2), (1, 1), (1, 1)]),
        ("RGB", {"keep_rgb": True}, 0, [(1, 1)] * 3),
        ("RGB", {"progressive": True, "subsampling": "4:2:0"}, 2, [(2, 2), (1, 1), (1, 1)]),
        ("CMYK", {"subsampling": "4:4:4"}, 0, [(1, 1)] * 3),
        ("CMYK", {"subsampling": "4:2:0"}, 2, [(2, 2), (1, 1), (1, 1)]),
    ],
)
def test_a_small_picture_has_pixels_by_the_rules_and_the_chroma_of_its_source(
    mode: str, options: dict[str, object], subsampling: int, sampling: list[tuple[int, int]], verify: str
) -> None:
    picture = Image.open(io.BytesIO(jpeg(350, 300, mode)))
    data = encoded(picture, quality=90, **options)
    scaled = small(data, verify=verify)
    assert scaled == Scaled(reference(data, (299, 256), subsampling), 299, 256)
    header = read_header(scaled.data)
    assert (header.process, header.sampling) == (0xC0, sampling)
    assert decoded(scaled.data).mode == ("L" if mode == "L" else "RGB")


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize("content", [exif(None), xmp(6), *map(exif, range(10))])
def test_a_turned_picture_is_small_as_readers_show_it(content: bytes, verify: str) -> None:
    data = with_segment(jpeg(60, 40), APP1, content)
    facts = inspect(data, verify, 16)
    upright = decoded(data)
    size = scaled_size(*upright.size, 16)
    assert (facts.width, facts.height) == upright.size
    assert facts.small == Scaled(reference(data, size, 0), *size)
    assert decoded(facts.small.data).size == size


@pytest.mark.parametrize("verify", Verification)
@pytest.mark.parametrize("orientation", [None, 1, 6])
def test_a_picture_that_is_as_small_keeps_its_bytes(orientation: int | None, verify: str) -> None:
    data = with_segment(jpeg(40, 32, orientation=orientation), COMMENT, b"by hand")
    size = (32, 40) if orientation == 6 else (40, 32)
    assert small(data, 32, verify) == small(data, 900, verify) == Scaled(data, *size)
    assert small(data, 31, verify).data != data


def test_no_small_picture_unless_asked_for() -> None:
    assert inspect(jpeg()).small is None


def test_metadata_and_profile_are_left_out() -> None:
    picture = Image.open(io.BytesIO(jpeg(350, 300, "RGB")))
    data = encoded(picture, icc_profile=b"profile", exif=exif(6), comment=b"a comment", dpi=(300, 300), xmp=xmp(1))
    data = with_segment(data, 0xED, b"Photoshop 3.0\0")
    header = read_header(small(data).data)
    assert [marker for marker, _, _ in header.segments if marker & 0xF0 == 0xE0 or marker == COMMENT] == [APP0]
    assert header.segments[0][2] - header.segments[0][1] == 18  # JFIF without a preview


def test_the_same_picture_gives_the_same_bytes() -> None:
    for mode in ("L", "RGB", "CMYK"):
        data = jpeg(300, 333, mode)
        assert inspect(data, "strict", SIDE) == inspect(data, "strict", SIDE)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_noise_needs_more_bytes_than_pixels(mode: str) -> None:
    picture = noise(mode, (512, 512))
    scaled = small(encoded(picture, quality=95, subsampling=0), 400)
    assert decoded(scaled.data).size == (400, 400)
    assert read_header(scaled.data).process == 0xC0


@pytest.mark.parametrize(("size", "side"), [((30_000, 12), 10), ((12, 30_000), 10), ((30_000, 3), 1)])
def test_sides_that_differ_a_thousandfold(size: tuple[int, int], side: int) -> None:
    scaled = small(encoded(Image.new("RGB", size, (9, 90, 200))), side, "strict")
    assert decoded(scaled.data).size == (scaled.width, scaled.height) == scaled_size(*size, side)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_very_large_picture_is_not_shifted_by_a_last_column_that_is_partly_empty(mode: str) -> None:
    noise = Image.effect_noise((167, 167), 90).convert(mode).resize((4_001, 3_999), Image.Resampling.BICUBIC)
    data = encoded(noise)
    scaled = small(data)
    expected = decoded(reference(data, (scaled.width, scaled.height), 0 if mode == "L" else 2))
    difference = np.asarray(decoded(scaled.data), dtype=int) - np.asarray(expected, dtype=int)
    assert np.abs(difference).mean() < 5  # 10 and more where the whole of 501 x 500 was stretched


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_very_large_picture_is_decoded_at_less(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = jpeg(4_000, 2_600, mode)
    expected = decoded(reference(data, (394, 256), 0 if mode == "L" else 2))
    sizes: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def watched(self: Image.Image, *given: Any) -> Image.Image:
        sizes.append(self.size)
        return resize(self, *given)

    monkeypatch.setattr(Image.Image, "resize", watched)
    scaled = small(data)
    assert sizes == [(500, 325)]
    difference = np.asarray(decoded(scaled.data), dtype=int) - np.asarray(expected, dtype=int)
    assert np.abs(difference).mean() < 1


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("verify", ["markers", "none"])
def test_a_picture_that_cannot_be_decoded_is_a_problem(mode: str, verify: str) -> None:
    whole = encoded(noise(mode, (128, 128)))
    cut = whole[: len(whole) // 2]
    if verify == "none":
        with pytest.raises(BadImageError) as caught:
            inspect(cut, verify, 64)
        assert (caught.value.code, caught.value.expected) == ("damaged-jpeg", "a JPEG that decodes")
    assert inspect(without_rest(whole), verify, 64).small is not None  # Pillow fills it with grey
    no_tables = bytearray(whole)
    for marker, start, _ in read_header(whole).segments:
        if marker == 0xDB:
            no_tables[start + 1] = COMMENT
    with pytest.raises(BadImageError) as caught:
        inspect(bytes(no_tables), verify, 64)
    assert (caught.value.code, caught.value.expected) == ("damaged-jpeg", "a JPEG that decodes")


@pytest.mark.parametrize("verify", Verification)
def test_metadata_that_make_readers_fail_are_a_problem(verify: str) -> None:
    with pytest.raises(BadImageError) as caught:
        inspect(with_segment(jpeg(40, 32), APP1, exif(6, UNWRITABLE)), verify, 16)
    assert caught.value.code == "damaged-metadata"


def test_a_benign_complaint_does_no_harm() -> None:
    data = jpeg(350, 300, "RGB")
    place = next(start for marker, start, _ in read_header(data).segments if marker == 0xDB)
    junk = inspect(data[:place] + b"junk" + data[place:], "strict", SIDE)
    assert junk.benign
    assert junk.small == small(data)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_nothing_else_depends_on_the_small_picture(mode: str) -> None:
    for data in (jpeg(350, 300, mode), jpeg(100, 200, mode, orientation=8)):
        for verify in Verification:
            assert inspect(data, verify, SIDE)._replace(small=None) == inspect(data, verify)


@examples(200)
@given(st.data())
def test_damage_gives_a_picture_or_a_problem_and_never_another_error(data: st.DataObject) -> None:
    mode, verify = data.draw(st.sampled_from(["L", "RGB", "CMYK"])), data.draw(st.sampled_from(list(Verification)))
    content = bytearray(jpeg(24, 17, mode, orientation=data.draw(st.sampled_from([None, 6]))))
    for place in data.draw(st.lists(st.integers(2, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        facts = inspect(bytes(content), verify, 8)
    except BadImageError:
        return
    assert facts.small is not None
    assert decoded(facts.small.data).size == (facts.small.width, facts.small.height)
    assert (facts.small.width, facts.small.height) == scaled_size(facts.width, facts.height, 8)


def test_scaling_leaves_the_picture_as_it_is() -> None:
    picture = ImageOps.mirror(Image.open(io.BytesIO(jpeg(40, 32, "RGB"))))
    before = picture.tobytes()
    picture.info["comment"] = b"mine"
    scale(picture, (20, 16), full_chroma=True)
    assert (picture.tobytes(), picture.info["comment"]) == (before, b"mine")


def test_a_segment_between_others_changes_nothing() -> None:
    data = jpeg(350, 300)
    assert small(data[:2] + segment(COMMENT, b"x" * 999) + data[2:]) == small(data)
