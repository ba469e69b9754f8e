"""Windows of an encoded picture are the JPEGs that they would be by themselves."""

from __future__ import annotations

import io
from random import Random

import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageFilter

from benchmarks.synthetic.figures import KINDS, Kind
from benchmarks.synthetic.rows import Rows, encode, save


def picture(kind: Kind, width: int, height: int) -> Image.Image:
    bands = len(Image.new(kind.mode, (1, 1)).getbands())
    noise = Random(1).randbytes(width * height * bands)
    image = Image.frombytes("L" if bands == 1 else "RGB", (width, height), noise)
    image = image.filter(ImageFilter.GaussianBlur(1.5)).convert(kind.mode)
    colour = 7 if bands == 1 else (7, 128, 128)
    image.paste(colour, (0, 0, 16, height))
    image.paste(colour, (width - 32, 0, width, height))
    return image


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB")).astype(int)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("width", [160, 173])
def test_a_window_has_the_pixels_of_its_place(kind: Kind, width: int) -> None:
    image = picture(kind, width, 240)
    rows: Rows = encode(image, 92, kind.subsampling)
    whole = pixels(save(image, 92, kind.subsampling))
    assert len(rows) == 240 // rows.unit
    for start, height in ((0, 240), (0, 33), (3, 64), (4, 101), (len(rows) - 2, 2 * rows.unit - 5)):
        jpeg = b"\xff\xd8" + rows.cut(start, height)
        simplejpeg.decode_jpeg(jpeg, strict=True)
        found, expected = pixels(jpeg), whole[start * rows.unit :][:height]
        assert found.shape == expected.shape
        # Colours of half the height are smoothed across the cut.
        assert np.array_equal(found[2:-2], expected[2:-2])
        if kind.name != "4:2:0":
            assert np.array_equal(found, expected)


def test_an_edge_of_many_colours_is_refused() -> None:
    with pytest.raises(ValueError, match="edge of the picture has more than one colour"):
        encode(Image.frombytes("L", (64, 64), Random(1).randbytes(64 * 64)), 92, 0)
