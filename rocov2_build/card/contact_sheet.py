"""The contact sheet: real images of every modality in one picture; the card has their captions and credits beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

import rocov2
from rocov2_build.card.contents import Picture
from rocov2_build.card.decoding import decode
from rocov2_build.worker.member import BadImageError
from rocov2_shared.files import write_whole

CELLS_PER_ROW = 3
CELLS = 9
SMALL_CELLS = 6
INK, ACCENT = "#7a7f87", "#3f87d9"
"""Readable on white and on black: the contrast of the first with both is above 4 to 1."""


class Cell(NamedTuple):
    """How large the parts of a sheet are, in pixels.

    Attributes:
        width, height: of the box that a picture fills.
        label: height of the line below it.
        font: size of its letters.
    """

    width: int
    height: int
    label: int
    font: int


LARGE = Cell(396, 300, 64, 46)
"""The card's sheet is 1,200 pixels wide. On a telephone, 390 pixels wide, its letters are 15 pixels high."""
SMALL = Cell(256, 216, 40, 28)
"""The sheet of the project's page is 780 pixels wide, as that page is; on a telephone its letters are half as high."""

_GAP = 6
_COLUMNS = ["caption", "modality", "pmcid", "width", "height"]
_MOST_PASSED_OVER = 100
"""Damaged images after which no more are looked at: each needs another row group."""


class Limits(NamedTuple):
    """Which rows may be shown: lengths of the caption in characters, width by height, and the shorter side in pixels."""

    caption: range
    least_ratio: float
    most_ratio: float
    least_side: int

    def allow(self, row: dict[str, Any]) -> bool:
        """Return whether a row may be shown."""
        ratio = row["width"] / row["height"]
        return (
            len(row["caption"].strip()) in self.caption
            and self.least_ratio < ratio < self.most_ratio
            and min(row["width"], row["height"]) >= self.least_side
        )


_GOOD = Limits(range(25, 161), 0.6, 1.8, 150)
_FAIR = Limits(range(10, 601), 0.3, 3.5, 100)
"""For modalities of which no row is good: their images often have several parts, and long captions."""


@dataclass(frozen=True)
class Example:
    """One image of the sheet: its JPEG, and the values of its row."""

    data: bytes
    row: dict[str, Any]

    @property
    def modality(self) -> str:
        """Name of its label."""
        return rocov2.label_name(rocov2.FEATURES["modality"], self.row["modality"])


class Choice(NamedTuple):
    """The images of a sheet.

    Attributes:
        examples: up to `CELLS` of them.
        passed_over: those that would have been chosen but do not decode: image id, and why.
    """

    examples: list[Example]
    passed_over: dict[str, str]


def choose_examples(repository: Path) -> Choice:
    """Choose up to `CELLS` images of different articles: each modality once, then a second time, in the order of the labels.

    They are the first of a split whose caption is short, whose shape fits a cell, whose licence allows commercial use, and
    which decode without a loss. If a modality has no such image, one with a longer caption or another shape is taken.
    """
    found: dict[int, list[Example]] = {}
    passed_over: dict[str, str] = {}
    articles: set[str] = set()
    for limits, most in ((_GOOD, 2), (_FAIR, 1)):
        missing = {label for label in range(len(rocov2.MODALITIES)) if len(found.get(label, [])) < most}
        if missing and len(passed_over) < _MOST_PASSED_OVER:
            _look_for(repository, limits, dict.fromkeys(missing, most), found, passed_over, articles)
    ordered = [examples for _, examples in sorted(found.items())]
    rounds = [[examples[number] for examples in ordered if len(examples) > number] for number in range(2)]
    chosen = (rounds[0] + rounds[1])[:CELLS]
    chosen = chosen[: count_shown(len(chosen), len(rounds[0]))]
    return Choice(sorted(chosen, key=lambda example: example.row["modality"]), passed_over)


def count_shown(images: int, modalities: int) -> int:
    """Return how many of the images fill whole rows of the sheet, but not less than one of each modality."""
    return images if images <= CELLS_PER_ROW else max(modalities, images // CELLS_PER_ROW * CELLS_PER_ROW)


def _look_for(
    repository: Path,
    limits: Limits,
    wanted: dict[int, int],
    found: dict[int, list[Example]],
    passed_over: dict[str, str],
    articles: set[str],
) -> None:
    """Add the first images that decode, until there are as many of each modality as `wanted` says.

    Args:
        repository: its folder.
        limits: which rows may be shown.
        wanted: number of images by label of the modality.
        found: takes the images, by the same label.
        passed_over: takes the images that do not decode: image id, and why.
        articles: takes the articles of the images; none is shown twice.
    """
    for file, group, position, row in _fitting_rows(repository, limits):
        examples = found.setdefault(row["modality"], [])
        if len(examples) >= wanted.get(row["modality"], 0) or row["pmcid"] in articles:
            continue
        with pq.ParquetFile(file) as parquet:
            whole = parquet.read_row_group(group).slice(position, 1).to_pylist()[0]
        data = whole.pop("image")["bytes"]
        try:
            decode(data)
        except BadImageError as error:
            passed_over[whole["image_id"]] = error.found
            if len(passed_over) == _MOST_PASSED_OVER:
                return
            continue
        examples.append(Example(data, whole))
        articles.add(row["pmcid"])
        if all(len(found.get(label, [])) >= most for label, most in wanted.items()):
            return


def _fitting_rows(repository: Path, limits: Limits) -> Iterator[tuple[Path, int, int, dict[str, Any]]]:
    """Yield file, row group, position in it and values of the rows that can be shown."""
    for split in rocov2.SPLITS:
        for file in sorted(repository.glob(rocov2.CONFIGS["commercial"].files(split))):
            with pq.ParquetFile(file) as parquet:
                for group in range(parquet.num_row_groups):
                    rows = parquet.read_row_group(group, columns=_COLUMNS).to_pylist()
                    for position, row in enumerate(rows):
                        if limits.allow(row):
                            yield file, group, position, row


def choose_few(examples: list[Example]) -> list[Example]:
    """Return up to `SMALL_CELLS` of the examples: one of each modality, then further ones, in the order of the labels."""
    first = list({example.modality: example for example in reversed(examples)}.values())[::-1]
    few = (first + [example for example in examples if example not in first])[:SMALL_CELLS]
    return sorted(few, key=lambda example: example.row["modality"])


def draw_sheet(examples: list[Example], cell: Cell, numbered: bool = False) -> Image.Image:
    """Draw the images with their modality, `CELLS_PER_ROW` cells wide, on a black ground.

    Args:
        examples: the images.
        cell: how large each is.
        numbered: whether the modality follows the number of the image, from 1.
    """
    font = ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans-Bold.ttf")), cell.font)
    rows = -(-len(examples) // CELLS_PER_ROW)
    step = cell.height + cell.label + _GAP
    sheet = Image.new("RGB", (CELLS_PER_ROW * (cell.width + _GAP) - _GAP, rows * step - _GAP))
    draw = ImageDraw.Draw(sheet)
    for number, example in enumerate(examples):
        row, column = divmod(number, CELLS_PER_ROW)
        left, top = column * (cell.width + _GAP), row * step
        picture = _scale(example.data, (cell.width, cell.height))
        sheet.paste(picture, (left + (cell.width - picture.width) // 2, top + (cell.height - picture.height) // 2))
        label = f"{number + 1} {example.modality}" if numbered else example.modality
        draw.text((left + cell.width / 2, top + cell.height + cell.label / 2), label, "#ffffff", font, anchor="mm")
    return sheet


def _scale(data: bytes, box: tuple[int, int]) -> Image.Image:
    """Return the picture as large as the box allows."""
    picture = decode(data)
    scale = min(box[0] / picture.width, box[1] / picture.height)
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    return picture.resize(size, Image.Resampling.LANCZOS)


def write_sheet(repository: Path, examples: list[Example]) -> Picture | None:
    """Draw the sheet into `assets/` of a repository; return None if there is no example."""
    if not examples:
        return None
    path = "assets/contact_sheet.png"
    with write_whole(repository / path) as file:
        draw_sheet(examples, LARGE, numbered=True).save(file, "PNG", optimize=True)
    shown = ", ".join(f"{number} {example.modality}" for number, example in enumerate(examples, 1))
    return Picture(path, f"Examples by modality: {shown}. The table below has their captions")
