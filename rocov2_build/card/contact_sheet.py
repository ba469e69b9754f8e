"""The contact sheet: real images of every modality with caption, concepts and credit, in one picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

import rocov2
from rocov2_build.card.blocks import Picture
from rocov2_shared.files import write_whole

COLUMNS = 3
CELLS = 9
_CELL, _GAP, _PICTURE = 400, 16, 300
# Readable on white and on black: the contrast with both is above 4 to 1.
INK, ACCENT = "#7a7f87", "#3f87d9"
_FONTS = {"plain": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf", "slanted": "DejaVuSans-Oblique.ttf"}
_COLUMNS = ["image_id", "caption", "modality", "concept_names", "license", "attribution", "pmcid", "width", "height"]
_SHORT = range(25, 111)
"""Characters of a caption that can be read in a cell."""


@dataclass(frozen=True)
class Example:
    """One image of the sheet: its JPEG, and the values of its row."""

    data: bytes
    row: dict[str, Any]

    @property
    def modality(self) -> str:
        """Name of its label."""
        name: str = list(rocov2.MODALITIES)[self.row["modality"]]
        return name

    @property
    def source(self) -> str:
        """Licence and article."""
        return f"{self.row['license']}, {self.row['pmcid']}"


def choose_examples(repository: Path) -> list[Example]:
    """Up to `CELLS` images: each modality first once, then a second time, the commonest first.

    The first of a split's order whose caption is short and whose shape fits a cell; licences that allow commercial use alone.
    """
    found: dict[int, list[Example]] = {}
    for file, group, position, row in _fitting_rows(repository):
        examples = found.setdefault(row["modality"], [])
        if len(examples) < 2 and all(example.row["caption"] != row["caption"] for example in examples):
            with pq.ParquetFile(file) as parquet:
                data = parquet.read_row_group(group, columns=["image.bytes"])["image"][position].as_py()["bytes"]
            examples.append(Example(data, row))
        if len(found) == len(rocov2.MODALITIES) and all(len(examples) == 2 for examples in found.values()):
            break
    ordered = [examples for _, examples in sorted(found.items())]
    rounds = [[examples[number] for examples in ordered if len(examples) > number] for number in range(2)]
    chosen = (rounds[0] + rounds[1])[:CELLS]
    return sorted(chosen, key=lambda example: example.row["modality"])


def _fitting_rows(repository: Path) -> Iterator[tuple[Path, int, int, dict[str, Any]]]:
    """File, row group, place in it and values of the rows that can be shown."""
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
    """Cut a text into lines of a cell's width; an ellipsis stands for what does not fit."""
    wrapped: list[str] = []
    words = text.split()
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
    """The sheet, `COLUMNS` cells wide, on a transparent ground."""
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
    rows = [range(start, min(start + COLUMNS, len(examples))) for start in range(0, len(examples), COLUMNS)]
    tall = [_PICTURE + 2 * _GAP + max(heights[number] for number in row) for row in rows]
    sheet = Image.new("RGBA", (COLUMNS * _CELL, max(sum(tall), 1)))
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
    box = (_CELL - _GAP, _PICTURE)
    with Image.open(io.BytesIO(data)) as image:
        picture = image.convert("RGB")
    scale = min(box[0] / picture.width, box[1] / picture.height)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)
    sheet.paste(picture, (left, top + (box[1] - picture.height) // 2))


def write_sheet(repository: Path) -> Picture | None:
    """Draw the sheet into `assets/` of a repository; None where no image can be shown."""
    examples = choose_examples(repository)
    if not examples:
        return None
    path = "assets/contact_sheet.png"
    with write_whole(repository / path) as file:
        draw_sheet(examples).save(file, "PNG")
    shown = "; ".join(f"{example.modality}: {example.row['caption'].strip()}" for example in examples)
    return Picture(path, f"Examples by modality. {shown}")
