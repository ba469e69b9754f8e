"""What the strict decoder rejects: benign exactly when the file without the cause is whole and shows the same picture."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rocov2_build.worker import jpeg
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.member import BadImageError
from rocov2_shared.jpeg_segments import read_header
from tests.conftest import Seeds
from tests.support.jpegs import remembering, with_segment

EOI = b"\xff\xd9"
ICC = b"ICC_PROFILE\0"


def noisy(mode: str = "RGB", side: int = 96, **options: Any) -> bytes:
    """A JPEG of noise: every part of it holds picture data."""
    bands = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    picture = Image.frombytes(mode, (side, side), random.Random(0).randbytes(side * side * bands))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, **options)
    return buffer.getvalue()


def without_jfif(data: bytes) -> bytes:
    (_, start, stop), *_ = read_header(data).jfif(data)
    return data[:start] + data[stop:]


def complaint(data: bytes) -> str:
    """What was benign about an image that is accepted."""
    return inspect(data).benign


def refusal(data: bytes) -> str:
    with pytest.raises(BadImageError) as caught:
        inspect(data)
    assert caught.value.code == "damaged-jpeg"
    return caught.value.found


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize(
    "pieces",
    [
        [b"\1\1"],
        [b"\2\3profile"],
        [b"\0\0profile"],
        [b"\1\2one", b"\1\2one"],
        [b"\1\3one", b"\3\3three"],
    ],
    ids=["empty", "one of three", "number zero", "the same twice", "one is missing"],
)
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_broken_profile_is_benign(mode: str, pieces: list[bytes]) -> None:
    plain = noisy(mode)
    data = plain
    for piece in pieces:
        data = with_segment(data, 0xE2, ICC + piece)
    assert complaint(data) == "Corrupt JPEG data: bad ICC marker"
    assert inspect(data)._replace(benign="") == inspect(plain)
    assert "premature" in refusal(data[:-500] + EOI)
    with pytest.raises(BadImageError, match="marker of the end"):
        inspect(data[:-500])


def test_a_profile_that_readers_cannot_open_is_refused() -> None:
    assert refusal(with_segment(noisy(), 0xE2, ICC)) == "a header that Pillow cannot read"


@pytest.mark.parametrize("code", [3, 9, 255])
def test_an_unknown_adobe_code_is_benign(code: int) -> None:
    plain = without_jfif(noisy())
    data = with_segment(plain, 0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([code]))
    assert complaint(data) == f"Unknown Adobe color transform code {code}"
    assert np.array_equal(pixels(data), pixels(plain))
    assert "premature" in refusal(data[:-500] + EOI)


def test_an_unknown_adobe_code_that_changes_the_colours_is_refused() -> None:
    # Without the segment, components named R, G, B are no YCbCr: readers would disagree.
    plain = without_jfif(noisy(subsampling=0))
    for old, new in zip(b"\1\2\3", b"RGB", strict=True):
        frame = next(start for marker, start, _ in read_header(plain).segments if marker == 0xC0)
        scan = read_header(plain).segments[-1][1]
        data = bytearray(plain)
        data[frame + 10 + 3 * (old - 1)], data[scan + 5 + 2 * (old - 1)] = new, new
        plain = bytes(data)
    assert complaint(plain) == ""
    assert refusal(with_segment(plain, 0xEE, b"Adobe\0\x64\0\0\0\0\x09")) == "Unknown Adobe color transform code 9"


def test_an_unknown_jfif_version_is_benign() -> None:
    plain = noisy()
    place = read_header(plain).jfif(plain)[0][1] + 9
    data = plain[:place] + b"\7" + plain[place + 1 :]
    assert complaint(data) == "Warning: unknown JFIF revision number 7.01"
    assert "premature" in refusal(data[:-500] + EOI)


def test_unused_parameters_of_a_baseline_scan_are_benign() -> None:
    data = noisy()
    stop = read_header(data).segments[-1][2]
    changed = data[: stop - 3] + bytes(3) + data[stop:]
    assert complaint(changed) == "Invalid SOS parameters for sequential JPEG"
    assert inspect(changed)._replace(benign="") == inspect(data)
    assert "premature" in refusal(changed[:-500] + EOI)


def test_several_complaints_are_followed_to_the_end() -> None:
    plain = without_jfif(noisy())
    data = with_segment(with_segment(plain, 0xEE, b"Adobe\0\x64\0\0\0\0\x09"), 0xE2, ICC + b"\2\3")
    place = read_header(data).segments[-1][1]
    data = data[:place] + b"junk" + data[place:-2] + bytes(40) + EOI
    assert complaint(data)
    assert inspect(data).perceptual == inspect(plain).perceptual
    assert refusal(data[:-500] + EOI)


FILLS = [bytes(5), bytes(40), bytes(5000), b"\xff\0" * 30, b"\0" * 20 + b"\xff" * 9, b"\0\xff\0\0" * 8]


@pytest.mark.parametrize("fill", FILLS, ids=range(len(FILLS)))
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_fill_bytes_at_the_end_of_a_scan_are_benign(mode: str, options: dict[str, Any], fill: bytes) -> None:
    data = noisy(mode, **options)
    filled = data[:-2] + fill + EOI
    facts = inspect(filled)
    assert facts._replace(benign="") == inspect(data)
    assert "extraneous" in facts.benign or len(fill) <= 8  # what a decoder reads ahead raises no complaint
    assert "premature" in refusal(data[:-300] + EOI)


def test_fill_bytes_before_a_restart_or_the_next_scan_are_benign() -> None:
    restarted = noisy(restart_marker_blocks=5)
    for number in (0, 3):
        place = restarted.index(bytes([0xFF, 0xD0 + number]))
        assert "extraneous" in complaint(restarted[:place] + bytes(20) + restarted[place:])
    progressive = noisy(progressive=True)
    place = progressive.index(b"\xff\xc4", read_header(progressive).segments[-1][2])
    assert "extraneous" in complaint(progressive[:place] + bytes(20) + progressive[place:])


@pytest.mark.parametrize(
    "junk", [b"0123456789", b"\0\0\0\0\1\0\0\0\0\0\0\0", bytes(20) + b"x" * 10, b"x" * 20 + bytes(20)]
)
def test_other_bytes_at_the_end_of_a_scan_are_lost_data(junk: bytes) -> None:
    data = noisy()
    assert "extraneous" in refusal(data[:-2] + junk + EOI)


def test_bytes_between_scans_are_lost_data_too() -> None:
    data = noisy(progressive=True)
    place = data.index(b"\xff\xda", read_header(data).segments[-1][2])
    assert "extraneous" in complaint(data[:place] + bytes(4) + data[place:])
    assert "extraneous" in refusal(data[:place] + b"junk" + data[place:])


def test_picture_data_replaced_by_zeros_are_lost() -> None:
    data = noisy()
    for size in (30, 100, 200, 1000):
        for cut in (0, 7, 50):
            lost = data[: len(data) - 2 - size - cut] + bytes(size) + EOI
            assert refusal(lost), (size, cut)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}], ids=str)
def test_lost_bytes_are_never_benign(options: dict[str, Any], seeds: Seeds) -> None:
    data = noisy("RGB", 64, **options)
    begin = read_header(data).segments[-1][2]
    whole = pixels(data)
    for seed in seeds(150):
        draw = random.Random(seed)
        start = draw.randrange(begin, len(data) - 20)
        size = draw.choice([1, 2, 5, 40])
        put = draw.choice([b"", draw.randbytes(size), bytes(size)])
        lost = data[:start] + put + data[start + size :]
        try:
            facts = inspect(lost)
        except BadImageError:
            continue
        if facts.benign:
            assert np.array_equal(pixels(lost), whole), (seed, facts.benign)


def test_a_rest_that_pillow_cannot_open_is_refused_in_the_same_words_each_time() -> None:
    data = bytearray(with_segment(noisy(), 0xED, bytes(30)))
    data[5] = 1  # an impossible length, so that the content is junk
    found = "Corrupt JPEG data: 30 extraneous bytes before marker 0xe0; a header that Pillow cannot read"
    assert refusal(bytes(data)) == found


def test_a_file_with_very_many_complaints_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    decodes: list[bytes] = []
    monkeypatch.setattr(jpeg, "_decode", remembering(jpeg._decode, decodes))
    data = noisy(restart_marker_blocks=1, side=256)
    begin = read_header(data).segments[-1][2]
    for code in range(0xD0, 0xD8):
        data = data[:begin] + data[begin:].replace(bytes([0xFF, code]), bytes(20) + bytes([0xFF, code]))
    assert "extraneous" in refusal(data)
    assert len(decodes) <= 202
