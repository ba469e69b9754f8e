"""The contact sheet: images of every modality that may be shown, each with its text and its credit."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rocov2_build.card.contact_sheet import (
    CELLS,
    CELLS_PER_ROW,
    INK,
    Example,
    _font,
    _wrap,
    choose_examples,
    draw_sheet,
    write_sheet,
)
from rocov2_build.convert import Conversion, convert
from tests.conftest import PROJECT
from tests.support.raw import jpeg, make_raw


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sheet") / "rocov2"
    convert(Conversion(PROJECT / "sample", output, release="any", quiet=True))
    (output / "assets").mkdir(exist_ok=True)
    return output


def test_examples_are_of_every_modality_that_can_be_shown_and_free_for_all(repository: Path) -> None:
    examples = choose_examples(repository)
    assert len(examples) <= CELLS
    assert {example.modality for example in examples} >= {"CT", "X-ray", "MRI", "ultrasound", "angiography"}
    assert all(example.row["license"] != "CC BY-NC" for example in examples)
    assert len({example.row["caption"] for example in examples}) == len(examples)
    assert examples == choose_examples(repository)


def test_the_picture_of_an_example_is_that_of_its_row(repository: Path) -> None:
    for example in choose_examples(repository):
        image_id = example.row["image_id"]
        split = image_id.split("_")[2]
        with zipfile.ZipFile(PROJECT / "sample" / f"{split}_images.zip") as archive:
            assert example.data == archive.read(f"{split}/{image_id}.jpg")


def test_the_sheet_is_readable_on_any_ground(repository: Path) -> None:
    picture = write_sheet(repository)
    assert picture is not None
    assert picture.alternative.startswith("Examples by modality. CT: ")
    with Image.open(repository / picture.path) as sheet:
        assert (sheet.mode, sheet.width) == ("RGBA", CELLS_PER_ROW * 400)
        alpha = np.asarray(sheet)[:, :, 3]
    assert (alpha == 0).any()
    assert (alpha == 255).any()


def test_a_text_is_cut_to_its_cell() -> None:
    font = _font("plain", 25)
    lines = _wrap("word " * 100, font, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(font.getlength(line) <= 400 for line in lines)
    assert _wrap("short", font, 3) == ["short"]
    assert font.getlength(_wrap("W" * 200, font, 2)[0]) <= 400


def test_credit_and_article_are_never_cut() -> None:
    row = {
        "modality": 0,
        "caption": "c" * 100,
        "concept_names": ["n" * 50] * 5,
        "attribution": "Somebody " * 30,
        "license": "CC BY",
        "pmcid": "PMC1234567",
    }
    example = Example(jpeg(300, 200), row)
    assert _wrap(example.source, _font("plain", 24), 1) == ["CC BY, PMC1234567"]
    assert draw_sheet([example]).getbbox() is not None


def test_a_repository_without_a_fitting_image_has_no_sheet(tmp_path: Path) -> None:
    raw = make_raw(train=2, valid=1, test=1).write(tmp_path / "raw")  # its pictures are tiny
    convert(Conversion(raw, tmp_path / "rocov2", release="any", quiet=True))
    assert write_sheet(tmp_path / "rocov2") is None


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_ink_stands_out(ground: str) -> None:
    def luminance(color: str) -> float:
        parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(INK), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) > 4
