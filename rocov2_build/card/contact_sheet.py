"""The contact sheet: real images of every modality with caption, concepts and credit, in one picture."""

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
_CELL, _GAP, _PICTURE = 400, 16, 300
# Readable on white and on black: the contrast with both is above 4 to 1.
INK, ACCENT = "#7a7f87", "#3f87d9"
_FONTS = {"plain": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf", "slanted": "DejaVuSans-Oblique.ttf"}
_SMALL_CELL, _SMALL_LABEL, _SMALL_GAP = (256, 216), 40, 6
_COLUMNS = ["image_id", "caption", "modality", "concept_names", "license", "attribution", "pmcid", "width", "height"]
_SHORT = range(25, 111)
"""Lengths of captions, in characters, that fit a cell."""
_LONGEST_TEXT = 2_000
"""Characters of a text that are looked at; a cell shows far fewer."""
_MOST_PASSED_OVER = 100
"""Damaged images after which no more are looked at: each needs another row group."""


@dataclass(frozen=True)
class Example:
    """One image of the sheet: its JPEG, and the values of its row."""

    data: bytes
    row: dict[str, Any]

    @property
    def modality(self) -> str:
        """Name of its label."""
        return rocov2.label_name(rocov2.FEATURES["modality"], self.row["modality"])

    @property
    def source(self) -> str:
        """Licence and article."""
        return f"{self.row['license']}, {self.row['pmcid']}"


class Choice(NamedTuple):
    """The images of a sheet.

    Attributes:
        examples: up to `CELLS` of them.
        passed_over: those that would have been chosen but do not decode: image id, and why.
    """

    examples: list[Example]
    passed_over: dict[str, str]


def choose_examples(repository: Path) -> Choice:
    """Choose up to `CELLS` images: each modality once, then a second time, in the order of the labels.

    They are the first of a split whose caption is short, whose shape fits a cell, whose licence allows commercial use, and
    which decode without a loss.
    """
    found: dict[int, list[Example]] = {}
    passed_over: dict[str, str] = {}
    for file, group, position, row in _fitting_rows(repository):
        examples = found.setdefault(row["modality"], [])
        if len(examples) < 2 and all(example.row["caption"] != row["caption"] for example in examples):
            with pq.ParquetFile(file) as parquet:
                data = parquet.read_row_group(group, columns=["image.bytes"])["image"][position].as_py()["bytes"]
            try:
                decode(data)
            except BadImageError as error:
                passed_over[row["image_id"]] = error.found
                if len(passed_over) == _MOST_PASSED_OVER:
                    break
                continue
            examples.append(Example(data, row))
        if len(found) == len(rocov2.MODALITIES) and all(len(examples) == 2 for examples in found.values()):
            break
    ordered = [examples for _, examples in sorted(found.items())]
    rounds = [[examples[number] for examples in ordered if len(examples) > number] for number in range(2)]
    chosen = (rounds[0] + rounds[1])[:CELLS]
    return Choice(sorted(chosen, key=lambda example: example.row["modality"]), passed_over)


def _fitting_rows(repository: Path) -> Iterator[tuple[Path, int, int, dict[str, Any]]]:
    """Yield file, row group, position in it and values of the rows that can be shown."""
    for split in rocov2.SPLITS:
        for file in sorted(repository.glob(rocov2.CONFIGS["commercial"].files(split))):
            with pq.ParquetFile(file) as parquet:
                for group in range(parquet.num_row_groups):
                    rows = parquet.read_row_group(group, columns=_COLUMNS).to_pylist()
                    for position, row in enumerate(rows):
                        fits = 0.6 < row["width"] / row["height"] < 1.8 and min(row["width"], row["height"]) >= 150
                        if fits and len(row["caption"].strip()) in _SHORT:
                            yield file, group, position, row


def _font(kind: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", _FONTS[kind])), size)


def _wrap(text: str, font: ImageFont.FreeTypeFont, lines: int) -> list[str]:
    """Cut a text into lines of a cell's width; an ellipsis replaces what does not fit."""
    wrapped: list[str] = []
    words = text[:_LONGEST_TEXT].split()
    while words and len(wrapped) < lines:
        line = words.pop(0)
        while words and font.getlength(f"{line} {words[0]}") <= _CELL - _GAP:
            line += f" {words.pop(0)}"
        wrapped.append(line)
    for number, line in enumerate(wrapped):
        cut = words and number == len(wrapped) - 1
        while line and font.getlength(line + ("…" if cut else "")) > _CELL - _GAP:
            line, cut = line[:-1], True
        wrapped[number] = line.rstrip(" ,.") + "…" if cut else line
    return wrapped


def draw_sheet(examples: list[Example]) -> Image.Image:
    """Draw the sheet, `CELLS_PER_ROW` cells wide, on a transparent ground."""
    plain, bold, slanted, small = _font("plain", 29), _font("bold", 33), _font("slanted", 28), _font("plain", 24)
    texts = [
        [
            ([example.modality], bold, ACCENT, 42),
            (_wrap(example.row["caption"].strip(), plain, 5), plain, INK, 35),
            (_wrap(" · ".join(example.row["concept_names"]), slanted, 4), slanted, ACCENT, 34),
            (_wrap(example.row["attribution"], small, 2), small, INK, 30),
            (_wrap(example.source, small, 1), small, INK, 30),
        ]
        for example in examples
    ]
    heights = [sum(len(lines) * step for lines, _, _, step in text) for text in texts]
    rows = [range(start, min(start + CELLS_PER_ROW, len(examples))) for start in range(0, len(examples), CELLS_PER_ROW)]
    tall = [_PICTURE + 2 * _GAP + max(heights[number] for number in row) for row in rows]
    sheet = Image.new("RGBA", (CELLS_PER_ROW * _CELL, max(sum(tall), 1)))
    draw = ImageDraw.Draw(sheet)
    top = 0
    for row, height in zip(rows, tall, strict=True):
        for column, number in enumerate(row):
            left = column * _CELL + _GAP // 2
            _paste(sheet, examples[number].data, left, top)
            y = top + _PICTURE + _GAP // 2
            for lines, font, color, step in texts[number]:
                for line in lines:
                    draw.text((left, y), line, color, font)
                    y += step
        top += height
    return sheet


def _paste(sheet: Image.Image, data: bytes, left: int, top: int) -> None:
    picture = _scale(data, (_CELL - _GAP, _PICTURE))
    sheet.paste(picture, (left, top + (_PICTURE - picture.height) // 2))


def _scale(data: bytes, box: tuple[int, int]) -> Image.Image:
    """Return the picture as large as the box allows."""
    picture = decode(data)
    scale = min(box[0] / picture.width, box[1] / picture.height)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)


def choose_few(examples: list[Example]) -> list[Example]:
    """Return up to `SMALL_CELLS` of the examples: one of each modality, then further ones, in the order of the labels."""
    first = list({example.modality: example for example in reversed(examples)}.values())[::-1]
    few = (first + [example for example in examples if example not in first])[:SMALL_CELLS]
    return sorted(few, key=lambda example: example.row["modality"])


def draw_small_sheet(examples: list[Example]) -> Image.Image:
    """Draw the images with their modality alone, `CELLS_PER_ROW` cells wide, on a black ground.

    Letters are 28 pixels high: half of that on a telephone, which is 390 pixels wide.
    """
    font = _font("bold", 28)
    (width, height), rows = _SMALL_CELL, -(-len(examples) // CELLS_PER_ROW)
    step = height + _SMALL_LABEL + _SMALL_GAP
    sheet = Image.new("RGB", (CELLS_PER_ROW * (width + _SMALL_GAP) - _SMALL_GAP, rows * step - _SMALL_GAP))
    draw = ImageDraw.Draw(sheet)
    for number, example in enumerate(examples):
        row, column = divmod(number, CELLS_PER_ROW)
        left, top = column * (width + _SMALL_GAP), row * step
        picture = _scale(example.data, _SMALL_CELL)
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
        draw.text((left + width / 2, top + height + _SMALL_LABEL / 2), example.modality, "#ffffff", font, anchor="mm")
    return sheet


def write_sheet(repository: Path, examples: list[Example]) -> Picture | None:
    """Draw the sheet into `assets/` of a repository; return None if there is no example."""
    if not examples:
        return None
    path = "assets/contact_sheet.png"
    with write_whole(repository / path) as file:
        draw_sheet(examples).save(file, "PNG")
    shown = "; ".join(f"{example.modality}: {example.row['caption'].strip()}" for example in examples)
    return Picture(path, f"Examples by modality. {shown}")
