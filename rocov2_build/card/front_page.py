"""The project's generated files: README.md, which is both a card for the Hub and the front page for people, and the others.

`python -m rocov2_build.card.front_page SAMPLE`, in the project's folder, rewrites them; SAMPLE is the repository built from
`sample/`. `make card` builds it first.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

from rocov2_build.card.blocks import published_blocks
from rocov2_build.card.contact_sheet import SMALL, Example, choose_examples, choose_few, draw_sheet
from rocov2_build.card.contents import Contents, Picture, SplitSize
from rocov2_build.card.licenses import license_text
from rocov2_build.card.markdown import escape_markdown
from rocov2_build.card.readme import dataset_infos
from rocov2_build.card.texts import FRONT_PAGE, TEMPLATE, fill, read_text, sections, split_front_matter
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


def front_page(examples: list[Example]) -> str:
    """Return the project's README.md.

    Args:
        examples: the images on its picture.
    """
    template = read_text(TEMPLATE)
    _, body = split_front_matter(template)
    blocks = published_blocks() | {"picture": _picture(examples)}
    return template[: -len(body)] + fill(read_text(FRONT_PAGE), blocks, sections(template))


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
    write_text(project / "README.md", front_page(examples))
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
