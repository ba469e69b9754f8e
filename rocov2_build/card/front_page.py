"""The project's generated files: README.md, which is both a card for the Hub and the front page for people, and the others.

`python -m rocov2_build.card.front_page SAMPLE`, in the project's folder, rewrites them; SAMPLE is the repository built from
`sample/`. `make card` builds it first.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

import rocov2
from rocov2_build.card.blocks import published_blocks
from rocov2_build.card.contact_sheet import SMALL, Example, choose_examples, choose_few, draw_sheet
from rocov2_build.card.contents import Contents, Picture, SplitSize
from rocov2_build.card.describe import read_first_row
from rocov2_build.card.licenses import license_text
from rocov2_build.card.markdown import escape_markdown
from rocov2_build.card.readme import dataset_infos
from rocov2_build.card.texts import FRONT_PAGE, TEMPLATE, fill, read_text, sections, split_front_matter
from rocov2_build.facts.columns import Columns
from rocov2_build.raw.releases import LATEST, RELEASES
from rocov2_build.shards.mini import ROWS
from rocov2_shared.files import write_json, write_text, write_whole

PICTURE = "docs/pictures/sample.jpg"
_QUALITY = 82


def published() -> Contents:
    """Return the latest release as its publication counts it; bytes are unknown before a build."""
    release = RELEASES[LATEST]
    sizes = {split: SplitSize(rows=rows) for split, rows in release.images.items()}
    mini = {split: SplitSize(rows=min(most, sizes[split].rows)) for split, most in ROWS.items()}
    return Contents({"default": sizes, "small": sizes, "mini": mini, "text": sizes}, release.name)


def front_page(examples: list[Example], sample: Path) -> str:
    """Return the project's README.md.

    Args:
        examples: the images on its picture.
        sample: the repository that was built from `sample/`.
    """
    template = read_text(TEMPLATE)
    _, body = split_front_matter(template)
    blocks = published_blocks() | {"picture": _picture(examples), "printed": _printed(sample)}
    return template[: -len(body)] + fill(read_text(FRONT_PAGE), blocks, sections(template))


def _printed(sample: Path) -> str:
    """Return what the page's first program prints: the rows of each split, and the first row with all its columns."""
    row = read_first_row(sample) or {}
    values = {"image": (row["width"], row["height"])} | row
    rows = Columns.open(sample).lengths
    lines = [str(rows), *(f"{column:<22} {values[column]}" for column in rocov2.COLUMNS)]
    modality = rocov2.label_name(rocov2.FEATURES["modality"], row["modality"])
    return "\n".join(["```text", *lines, modality, "```"])


def _picture(examples: list[Example]) -> str:
    """Return the picture with the credit of every image as Markdown."""
    shown = "; ".join(f"{example.modality}: {example.row['caption'].strip()}" for example in examples)
    credits = {escape_markdown(f"{example.row['attribution']}, {example.row['license']}"): None for example in examples}
    return (
        f"{Picture(PICTURE, f'Six images of the sample. {shown}').markdown()}\n\n"
        f"<sub>Images of the project's sample ([sources](sample/SOURCES.md)): {'; '.join(credits)}.</sub>"
    )


def write_project_files(project: Path, sample: Path) -> None:
    """Write README.md with its picture, LICENSE.md and dataset_infos.json of the project.

    Args:
        project: its folder.
        sample: the repository that was built from `sample/`.
    """
    examples = choose_few(choose_examples(sample).examples)
    write_text(project / "README.md", front_page(examples, sample))
    (project / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    with write_whole(project / PICTURE) as file:
        file.write(encode(draw_sheet(examples, SMALL)))
    write_text(project / "LICENSE.md", license_text())
    write_json(project / "dataset_infos.json", dataset_infos(published()))


def encode(sheet: Image.Image) -> bytes:
    """Return the picture as JPEG."""
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    write_project_files(Path(), Path(sys.argv[1]))
