from __future__ import annotations

import io
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import simplejpeg
from PIL import ExifTags, Image, ImageOps

from rocov2_shared.jpeg_segments import UNKNOWN_PROCESSES
from rocov2_tasks.stream import decoding
from rocov2_tasks.stream.decoding import DamagedImageError, Decoder
from rocov2_tasks.stream.geometry import fit_frame
from tests.support.jpegs import exif, header_of, segment, xmp
from tests.support.raw import jpeg

SIZE = (48, 32)
"""Width and height."""

MODES = ("L", "RGB", "CMYK")


def smooth(width: int, height: int, mode: str = "L") -> Image.Image:
    """A picture without noise, so that scaled decoding is near to the exact one; not symmetric."""
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    planes = [120 + 100 * np.sin(5 * x + 3 * y), 250 * x * y, 255 * (1 - y) * x, 40 + 30 * x]
    bands = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    pixels = np.stack(planes[:bands], -1).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)


def encoded(picture: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **{"quality": 95} | options)
    return buffer.getvalue()


def as_datasets_gives_it(data: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data))
    image.load()
    if image.getexif().get(ExifTags.Base.Orientation) is not None:
        image = ImageOps.exif_transpose(image)
    return image


def difference(one: Any, other: Any) -> int:
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other)).max())


@pytest.mark.parametrize("resample", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
@pytest.mark.parametrize("mode", MODES)
def test_exact_is_what_pillow_gives(mode: str, resample: str) -> None:
    for seed, (width, height) in enumerate([(100, 80), (31, 47), (48, 32)]):
        data = jpeg(width, height, mode, seed)
        expected = as_datasets_gives_it(data).convert("RGB").resize(SIZE, Image.Resampling[resample.upper()])
        assert difference(Decoder("exact", SIZE, "stretch", resample)(data), expected) <= 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_exact_is_to_the_pixel_what_pillow_gives_for_grey_and_colour(mode: str) -> None:
    for options in ({}, {"progressive": True}, {"subsampling": 0} if mode == "RGB" else {"quality": 40}):
        data = encoded(smooth(90, 70, mode), **options)
        expected = as_datasets_gives_it(data).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
        assert difference(Decoder("exact", SIZE, "stretch", "bilinear")(data), expected) == 0


@pytest.mark.parametrize("size", [None, SIZE])
def test_pixels_are_the_same_where_pillow_cannot_share_them(
    size: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = jpeg(37, 21, "RGB", 3)
    shared = Decoder("exact", size, "stretch", "bilinear")(data)
    monkeypatch.setattr(decoding, "_SHARES_PIXELS", False)
    assert difference(Decoder("exact", size, "stretch", "bilinear")(data), shared) == 0


@pytest.mark.parametrize("mode", MODES)
def test_without_a_size_an_image_keeps_its_own(mode: str) -> None:
    data = jpeg(37, 21, mode, 3)
    pixels = Decoder("exact", None, "stretch", "bilinear")(data)
    assert pixels.shape == (21, 37, 3)
    assert pixels.dtype == np.uint8
    assert difference(pixels, as_datasets_gives_it(data).convert("RGB")) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("decode", ["exact", "scaled", "fast"])
def test_an_orientation_is_applied(decode: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    data = encoded(smooth(96, 64, "RGB"), exif=exif)
    expected = as_datasets_gives_it(data).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    assert difference(Decoder(decode, SIZE, "stretch", "bilinear")(data), expected) <= (0 if decode == "exact" else 12)


def test_an_orientation_in_xmp_is_applied() -> None:
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6' tiff:Orientation=\"6\"/>"
    data = encoded(smooth(96, 64))
    data = data[:2] + b"\xff\xe1" + (len(xmp) + 2).to_bytes(2, "big") + xmp + data[2:]
    expected = as_datasets_gives_it(data)
    assert expected.size == (64, 96)
    assert difference(Decoder("exact", None, "stretch", "bilinear")(data), expected.convert("RGB")) == 0


@pytest.mark.parametrize("content", [exif(6), xmp(6)], ids=["exif", "xmp"])
@pytest.mark.parametrize("decode", ["exact", "scaled", "fast"])
def test_an_orientation_behind_fill_bytes_is_applied(decode: str, content: bytes) -> None:
    data = encoded(smooth(96, 64, "RGB"))
    place = data.index(b"\xff\xdb")
    data = data[:place] + b"\xff\xff" + segment(0xE1, content) + b"\xff" + data[place:]
    shown = as_datasets_gives_it(data)
    assert shown.size == (64, 96)
    if decode == "exact":
        assert difference(Decoder(decode, None, "stretch", "bilinear")(data), shown.convert("RGB")) == 0
    expected = shown.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    assert difference(Decoder(decode, SIZE, "stretch", "bilinear")(data), expected) <= (0 if decode == "exact" else 12)


@pytest.mark.parametrize("process", UNKNOWN_PROCESSES)
@pytest.mark.parametrize("decode", ["exact", "scaled", "fast"])
def test_another_process_is_refused_by_name_before_any_decoder_gets_it(
    decode: str, process: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *data, **_: given.append(data))
    monkeypatch.setattr(Image, "open", given.append)
    decoder = Decoder(decode, SIZE, "stretch", "bilinear")
    for data in (header_of(process), memoryview(header_of(process))):
        with pytest.raises(DamagedImageError, match=re.escape(UNKNOWN_PROCESSES[process])):
            decoder(data)
    with pytest.raises(DamagedImageError, match=r"^12 bits in JPEG process extended Huffman \(SOF1\)$"):
        decoder(header_of(0xC1, 12))
    assert not given


@pytest.mark.parametrize("shape", [(100, 50), (50, 100), (48, 32), (20, 90), (7, 5)])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_crop_and_pad_are_those_of_pillow(mode: str, shape: tuple[int, int]) -> None:
    data = encoded(smooth(*shape, mode))
    picture = as_datasets_gives_it(data).convert("RGB")
    crop = ImageOps.fit(picture, SIZE, Image.Resampling.BILINEAR)
    pad = ImageOps.pad(picture, SIZE, Image.Resampling.BILINEAR)
    assert difference(Decoder("exact", SIZE, "crop", "bilinear")(data), crop) <= 1
    assert difference(Decoder("exact", SIZE, "pad", "bilinear")(data), pad) == 0


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("decode", ["scaled", "fast"])
@pytest.mark.parametrize("shape", [(400, 300), (130, 300), (96, 64), (60, 40), (30, 20)])
def test_scaled_and_fast_are_near_to_exact(decode: str, mode: str, fit: str, shape: tuple[int, int]) -> None:
    data = encoded(smooth(*shape, mode))
    exact = Decoder("exact", SIZE, fit, "bilinear")(data)
    other = Decoder(decode, SIZE, fit, "bilinear")(data)
    assert (other.shape, other.dtype) == (exact.shape, exact.dtype)
    assert np.abs(other.astype(int) - exact).mean() < 3
    if fit == "pad":  # the edge to the border is not blurred in the same way
        assert np.array_equal(other.any(axis=(1, 2)), exact.any(axis=(1, 2)))
    else:  # nothing is moved, turned or taken from another channel
        assert difference(other[4:-4, 4:-4], exact[4:-4, 4:-4]) <= 12


def test_scaled_is_decoded_at_no_less_than_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    plain = simplejpeg.decode_jpeg

    def remember(*arguments: Any, **options: Any) -> Any:
        pixels = plain(*arguments, **options)
        shapes.append(pixels.shape[:2])
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", remember)
    for width, height in [(400, 400), (800, 333), (64, 64), (97, 65), (48, 32), (20, 20)]:
        Decoder("scaled", SIZE, "stretch", "bilinear")(encoded(smooth(width, height)))
    assert shapes == [(50, 50), (42, 100), (64, 64), (33, 49), (32, 48), (20, 20)]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("decode", ["exact", "scaled", "fast"])
def test_ordinary_images_are_decoded_without_pillow(decode: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(decoding, "_open", refuse)
    for data in (jpeg(60, 50, mode, 1), memoryview(jpeg(60, 50, mode, 2))):
        assert Decoder(decode, SIZE, "stretch", "bilinear")(data).shape == (32, 48, 3)


def test_pixels_go_where_they_are_wanted() -> None:
    data = jpeg(60, 50, "L", 1)
    decoder = Decoder("fast", SIZE, "stretch", "bilinear")
    batch = np.zeros((2, 32, 48, 3), dtype=np.uint8)
    decoder(data, batch[1])
    assert not batch[0].any()
    assert difference(batch[1], decoder(data)) == 0


@pytest.mark.parametrize("decode", ["exact", "scaled", "fast"])
@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 3], lambda data: b"", lambda data: b"no image at all", lambda data: data[:20]],
    ids=["cut", "empty", "text", "header"],
)
def test_a_damaged_image_is_told(decode: str, damage: Any) -> None:
    with pytest.raises(DamagedImageError, match=r"\w"):
        Decoder(decode, SIZE, "stretch", "bilinear")(damage(jpeg(60, 50, "RGB", 1)))


def test_what_pillow_forgives_is_decoded_as_pillow_decodes_it() -> None:
    data = encoded(smooth(60, 50))
    place = data.index(b"\xff\xda")  # libjpeg-turbo complains: extraneous bytes before a marker
    data = data[:place] + b"junk" + data[place:]
    with pytest.raises(ValueError, match="extraneous"):
        simplejpeg.decode_jpeg(data)
    expected = as_datasets_gives_it(data).convert("RGB").resize(SIZE, Image.Resampling.BILINEAR)
    for decode in ("exact", "scaled", "fast"):
        assert difference(Decoder(decode, SIZE, "stretch", "bilinear")(data), expected) == 0


def test_an_image_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    with pytest.raises(DamagedImageError, match="decompression bomb"):
        Decoder("exact", SIZE, "stretch", "bilinear")(jpeg(60, 50, "L", 1))


def test_threads_may_share_a_decoder_and_processes_a_copy() -> None:
    images = [jpeg(40 + i, 50, "L" if i % 2 else "RGB", i) for i in range(40)]
    decoder = Decoder("fast", SIZE, "crop", "bilinear")
    alone = [decoder(data) for data in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(pickle.loads(pickle.dumps(decoder)), images))  # noqa: S301 (its own)
    assert all(np.array_equal(one, other) for one, other in zip(alone, together, strict=True))


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_a_frame_lies_within_the_picture_and_the_output(fit: str) -> None:
    for width, height in [(1, 1), (1, 500), (500, 1), (33, 77), (4000, 3000)]:
        place = fit_frame(width, height, SIZE, fit)
        left, upper, right, lower = place.box
        assert 0 <= left < right <= width
        assert 0 <= upper < lower <= height
        assert place.offset[0] + place.size[0] <= SIZE[0]
        assert place.offset[1] + place.size[1] <= SIZE[1]
        assert 1 <= place.eighths() <= 8
        assert Decoder("fast", SIZE, fit, "bilinear")(encoded(smooth(width, height))).shape == (32, 48, 3)


@pytest.mark.parametrize("decode", ["scaled", "fast"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_last_column_that_is_partly_of_the_picture_shifts_nothing(decode: str, mode: str) -> None:
    def difference(width: int, height: int) -> float:
        picture = Image.effect_noise((width // 24, height // 24), 90).convert(mode).resize((width, height))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=95)
        exact, other = (
            Decoder(name, (224, 224), "stretch", "bilinear")(buffer.getvalue()).astype(int)
            for name in ("exact", decode)
        )
        return float(np.abs(exact - other).mean())

    assert difference(1801, 1801) < 1.3 * difference(1800, 1800)
