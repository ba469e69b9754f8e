"""The contact sheet: images of every modality that may be shown, each with its text and its credit."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rocov2 import COLUMNS, MODALITIES
from rocov2_build.card.contact_sheet import (
    CELLS,
    CELLS_PER_ROW,
    INK,
    LARGE,
    SMALL,
    Cell,
    Example,
    choose_examples,
    count_shown,
    draw_sheet,
    write_sheet,
)
from rocov2_build.card.decoding import decode
from rocov2_build.convert import Conversion, convert
from rocov2_build.worker.member import BadImageError
from rocov2_shared.jpeg_segments import UNKNOWN_PROCESSES
from tests.conftest import PROJECT
from tests.support.jpegs import header_of, without_rest
from tests.support.raw import jpeg, make_raw
from tests.support.repositories import facts_of


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("sheet") / "rocov2"
    convert(Conversion(PROJECT / "sample", output, release="any", quiet=True))
    (output / "assets").mkdir(exist_ok=True)
    return output


def test_examples_are_of_every_modality_that_can_be_shown_and_free_for_all(repository: Path) -> None:
    examples = choose_examples(repository).examples
    assert len(examples) <= CELLS
    assert {example.modality for example in examples} >= {"CT", "X-ray", "MRI", "ultrasound", "angiography"}
    assert all(example.row["license"] != "CC BY-NC" for example in examples)
    assert len({example.row["caption"] for example in examples}) == len(examples)
    assert examples == choose_examples(repository).examples


def test_the_picture_of_an_example_is_that_of_its_row(repository: Path) -> None:
    for example in choose_examples(repository).examples:
        image_id = example.row["image_id"]
        split = image_id.split("_")[2]
        with zipfile.ZipFile(PROJECT / "sample" / f"{split}_images.zip") as archive:
            assert example.data == archive.read(f"{split}/{image_id}.jpg")


def test_the_sheet_is_at_most_one_screen_and_its_letters_are_legible_on_a_telephone(repository: Path) -> None:
    examples = choose_examples(repository).examples
    picture = write_sheet(repository, examples)
    assert picture is not None
    assert picture.alternative.startswith("Examples by modality: 1 CT, ")
    with Image.open(repository / picture.path) as sheet:
        assert (sheet.mode, sheet.width) == ("RGB", CELLS_PER_ROW * (LARGE.width + 6) - 6)
    whole = draw_sheet(examples[:1] * CELLS, LARGE, numbered=True)
    assert whole.height * 780 / whole.width <= 720  # of the 900 pixels of a small screen
    assert LARGE.font * 358 / whole.width >= 13  # pixels of a letter, on a telephone with margins


@pytest.mark.parametrize("cell", [LARGE, SMALL])
def test_every_label_fits_its_cell(cell: Cell) -> None:
    for label in range(len(MODALITIES)):
        example = Example(jpeg(cell.width, cell.height), {"modality": label})
        sheet = np.asarray(draw_sheet([example, example], cell, numbered=cell == LARGE))
        letters = sheet[cell.height :]
        # Dark columns beside the label, and between the two cells.
        assert not letters[:, 0].any()
        assert not letters[:, cell.width : cell.width + 6].any()
        assert letters[:, : cell.width].any()


def test_images_of_different_articles_and_of_every_modality_are_shown(tmp_path: Path) -> None:
    release = make_raw(train=48, valid=1, test=1, side=200, noncommercial=False)
    for number, image in enumerate(release.splits["train"]):
        image.caption = f"A caption of image {number} that fits a cell."
        if image.modality == "PET":  # only of a long caption and an unusual shape
            image.caption, image.data = "word " * 50, jpeg(300, 120, seed=number)
    examples = choose_examples(release.build(tmp_path / "rocov2")).examples
    assert len(examples) == CELLS
    assert {example.modality for example in examples} == set(MODALITIES)
    assert len({example.row["pmcid"] for example in examples}) == len(examples)
    assert set(examples[0].row) == set(COLUMNS) - {"image"}


@pytest.mark.parametrize(
    ("images", "modalities", "shown"),
    [(9, 7, 9), (8, 7, 7), (7, 5, 6), (4, 2, 3), (3, 2, 3), (2, 1, 2), (1, 1, 1), (0, 0, 0)],
)
def test_rows_of_the_sheet_are_full_if_that_leaves_out_no_modality(images: int, modalities: int, shown: int) -> None:
    assert count_shown(images, modalities) == shown


def test_a_repository_without_a_fitting_image_has_no_sheet(tmp_path: Path) -> None:
    raw = make_raw(train=2, valid=1, test=1).write(tmp_path / "raw")  # its pictures are tiny
    convert(Conversion(raw, tmp_path / "rocov2", release="any", quiet=True))
    assert choose_examples(tmp_path / "rocov2") == ([], {})
    assert write_sheet(tmp_path / "rocov2", []) is None


@pytest.mark.parametrize("ground", ["#ffffff", "#0d1117"])
def test_ink_stands_out(ground: str) -> None:
    def luminance(color: str) -> float:
        parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lighter, darker = sorted((luminance(INK), luminance(ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) > 4


@pytest.mark.parametrize("verify", ["none", "markers"])
def test_an_image_that_does_not_decode_is_passed_over_and_named(
    verify: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = make_raw(train=24, valid=1, test=1, side=160)
    for number, image in enumerate(release.splits["train"]):
        image.caption = f"A caption of image {number} that fits a cell."
    intact = release.build(tmp_path / "intact", verify=verify)
    (first, *_), nothing = choose_examples(intact)
    assert nothing == {}
    (damaged,) = [image for image in release.splits["train"] if image.id == first.row["image_id"]]
    damaged.data = without_rest(damaged.data)
    capsys.readouterr()
    spoilt = release.build(tmp_path / "spoilt", verify=verify, pictures=True, quiet=False)
    told = [line for line in capsys.readouterr().err.splitlines() if "passed over" in line]
    conversion = facts_of(spoilt)
    (noted,) = [entry for entry in conversion["noted"] if entry["code"] == "passed-over"]
    assert (noted["image_id"], conversion["warnings"]["passed-over"]) == (damaged.id, 1)
    what = "image that does not decode, passed over for the contact sheet"
    assert told == [f"Noted     1 {what}: {damaged.id} ({noted['found']}). --verify strict finds all such images."]
    examples, passed_over = choose_examples(spoilt)
    assert passed_over == {damaged.id: noted["found"]}
    assert damaged.id not in {example.row["image_id"] for example in examples}
    assert {example.modality for example in examples} == {
        example.modality for example in choose_examples(intact).examples
    }
    drawn = (spoilt / "assets/contact_sheet.png").read_bytes()
    write_sheet(spoilt, examples)
    assert (spoilt / "assets/contact_sheet.png").read_bytes() == drawn
    for image in [image for images in release.splits.values() for image in images]:
        image.data = without_rest(image.data)
    assert choose_examples(release.build(tmp_path / "none", verify=verify)).examples == []


@pytest.mark.parametrize("process", UNKNOWN_PROCESSES)
def test_no_decoder_gets_a_jpeg_of_another_process(process: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("a decoder was called"))
    with pytest.raises(BadImageError) as refusal:
        decode(header_of(process))
    assert refusal.value.code == "unsupported-jpeg"


def test_a_picture_is_turned_as_readers_see_it() -> None:
    assert decode(jpeg(60, 40, orientation=6)).size == (40, 60)
