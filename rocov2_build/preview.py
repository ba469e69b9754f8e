"""A preview of a built repository: its card and its first rows, as static HTML pages.

The card is rendered as on the Hub: front matter hidden, GitHub-flavoured Markdown, images beside it. The rows are the first
ones of every configuration and split, as in the Hub's viewer, with names instead of label numbers.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

import rocov2
from rocov2_build.card.decoding import decode
from rocov2_build.card.documents import PICTURES
from rocov2_build.card.texts import split_front_matter
from rocov2_build.worker.member import BadImageError
from rocov2_shared.errors import UserError
from rocov2_shared.files import list_files, write_json, write_text, write_whole
from rocov2_shared.folders import new_folder
from rocov2_shared.marks import require_no_strangers
from rocov2_shared.output_paths import require_apart

ROWS = 20
"""Rows shown for each split; the Hub's viewer has pages of 100."""
THUMBNAIL = 200
"""Longest side of an image, in pixels."""
STYLE_FILE = "preview.css"
MARK = ".rocov2-preview.json"
"""Lists the files of a preview: a folder with this file and no others may be replaced by a new preview."""

STYLE = """\
:root { color-scheme: light dark; --line: #d9dee7; --soft: #f5f6f9; --text: #24292f; --page: #fff; --link: #0b62d6; }
@media (prefers-color-scheme: dark) {
  :root { --line: #313947; --soft: #171c26; --text: #d8dde6; --page: #0d1117; --link: #6ea8fe; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.55 system-ui, "DejaVu Sans", sans-serif; }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: .6rem 1rem; }
nav { background: var(--soft); border-bottom: 1px solid var(--line); }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
main.wide { max-width: none; }
a { color: var(--link); }
img { max-width: 100%; height: auto; }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: .875rem; margin: 1rem 0; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: normal; }
th { background: var(--soft); white-space: nowrap; }
th small { display: block; font-weight: normal; opacity: .75; }
td { min-width: 4rem; max-width: 22rem; }
td a { overflow-wrap: anywhere; }
td.number { text-align: right; white-space: nowrap; }
td img { display: block; width: 100px; }
pre { background: var(--soft); padding: .8rem; overflow-x: auto; font-size: .875rem; border-radius: 6px; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; }
blockquote { margin: 0; padding-left: 1rem; border-left: 3px solid var(--line); }
.null { opacity: .5; font-style: italic; }
dl.front { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .1rem 1rem; font-size: .875rem; }
dl.front dt { opacity: .75; } dl.front dd { margin: 0; }
"""


_POLICY = "script-src 'none'; object-src 'none'; frame-src 'none'; form-action 'none'; base-uri 'none'"


def _page(title: str, body: str, wide: bool = False) -> str:
    pages = [("card", "index.html"), *((name, f"{name}.html") for name in rocov2.CONFIGS)]
    links = "".join(f'<a href="{file}">{name}</a>' for name, file in pages)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<title>{html.escape(title)}</title>\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="stylesheet" href="{STYLE_FILE}">\n'
        f"</head><body><nav>{links}</nav><main{' class=wide' if wide else ''}>\n{body}\n</main></body></html>\n"
    )


_PICTURE = re.compile(r'<img src="(assets/[\w.-]+)" alt="([^"<>]*)" width="(\d{1,4})">')


def _picture(state: StateInline, silent: bool) -> bool:
    """Read a picture as the card writes it in HTML, as a rule of `markdown_it`."""
    found = _PICTURE.match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        token = state.push("image", "img", 0)
        token.attrs = {"src": found[1], "alt": "", "width": found[3]}
        text = Token("text", "", 0)
        text.content = html.unescape(found[2])
        token.children, token.content = [text], text.content
    state.pos = found.end()
    return True


def card_page(readme: str) -> str:
    """Return the card as HTML, below the tags and the licence that the Hub shows beside it."""
    metadata, body = split_front_matter(readme)
    shown = ("license_name", "task_categories", "task_ids", "size_categories", "language", "tags")
    front = "".join(
        f"<dt>{key}</dt><dd>{html.escape(', '.join(map(str, value)) if isinstance(value, list) else str(value))}</dd>"
        for key in shown
        if (value := metadata.get(key))
    )
    # The card of a stranger may contain anything. The Hub cleans its HTML; here all of it is text, as no card needs any.
    # But its pictures, which have a width.
    markdown = MarkdownIt("gfm-like", {"html": False})
    markdown.inline.ruler.before("text", "picture", _picture)
    return _page(str(metadata.get("pretty_name", "")), f'<dl class="front">{front}</dl>\n{markdown.render(body)}')


def _cell(value: Any, feature: Any, thumbnail: str) -> str:
    if value is None:
        return '<td class="null">null</td>'
    if isinstance(feature, datasets.Image) and not thumbnail:
        return '<td class="null">does not decode</td>'
    if isinstance(feature, datasets.Image):
        return f'<td><img src="{thumbnail}" alt="{html.escape(value["path"] or "")}" loading="lazy"></td>'
    if isinstance(feature, datasets.ClassLabel):
        return f"<td>{html.escape(rocov2.label_name(feature, value))}</td>"
    if isinstance(value, list):
        return f"<td>{html.escape(', '.join(map(str, value)))}</td>"
    if isinstance(value, bool | str):
        return f"<td>{html.escape(str(value).lower() if isinstance(value, bool) else value)}</td>"
    return f'<td class="number">{value:,}</td>'


def _kind(feature: Any) -> str:
    if isinstance(feature, datasets.ClassLabel):
        return f"class label: {feature.num_classes}"
    if isinstance(feature, datasets.Image):
        return "image"
    return feature.dtype if isinstance(feature, datasets.Value) else f"list of {feature.feature.dtype}"


def _first_rows(files: list[Path]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for file in files:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(ROWS - len(rows)):
                rows += batch.to_pylist()
                if len(rows) >= ROWS:
                    return rows[:ROWS]
    return rows


def config_page(root: Path, preview: Path, config: str, undecoded: dict[str, str]) -> str:
    """Return the first rows of every split of a configuration as HTML, and write their thumbnails to `preview`.

    Args:
        root: folder of the repository.
        preview: folder of the pages.
        config: name of the configuration.
        undecoded: takes the images that do not decode: image id, and why.
    """
    features = rocov2.CONFIGS[config].features
    head = "".join(f"<th>{name}<small>{_kind(feature)}</small></th>" for name, feature in features.items())
    parts = [f"<h1>{config}</h1><p>{html.escape(rocov2.CONFIGS[config].summary)}</p>"]
    for split in rocov2.CONFIGS[config].splits:
        files = sorted(root.glob(rocov2.CONFIGS[config].files(split)))
        if not files:
            continue
        count = sum(pq.read_metadata(file).num_rows for file in files)
        lines = []
        for row in _first_rows(files):
            thumbnail = _thumbnail(row.get("image_id"))
            if "image" in row:
                try:
                    _write_thumbnail(row["image"]["bytes"], preview / thumbnail)
                except BadImageError as error:
                    thumbnail = ""
                    undecoded[str(row["image_id"])] = error.found
            cells = (_cell(row[name], feature, thumbnail) for name, feature in features.items())
            lines.append(f"<tr>{''.join(cells)}</tr>")
        parts.append(f"<h2>{split} <small>{count:,} rows</small></h2>")
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table>")
    return _page(config, "\n".join(parts), wide=True)


def _thumbnail(image_id: object) -> str:
    """Return the path of an image in the preview: an id that is no name of a file is replaced by its hash."""
    name = str(image_id)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", name):
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"images/{name}.jpg"


def _write_thumbnail(data: bytes, path: Path) -> None:
    if path.exists():  # another configuration shows the same image
        return
    image = decode(data)
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    with write_whole(path) as file:
        image.save(file, "JPEG")


def write_preview(root: Path, preview: Path) -> dict[str, str]:
    """Write the preview of a built repository; an earlier preview stays until the new one is complete.

    Args:
        root: folder of the repository.
        preview: folder for the pages, new or an earlier preview, which is replaced; `index.html` is the card.

    Returns:
        The images among the first rows that do not decode: image id, and why.

    Raises:
        UserError: the repository has no card; `preview` is not a preview, or contains other files, or is in the repository.
    """
    if not (root / "README.md").is_file():
        raise UserError(f"{root / 'README.md'} is missing: name a repository that `rocov2 convert` has built")
    require_apart(preview, root, ("PREVIEW", "REPOSITORY"))
    undecoded: dict[str, str] = {}
    with new_folder(preview, replaces=_is_preview, argument="PREVIEW") as folder:
        (folder / "images").mkdir()
        write_text(folder / STYLE_FILE, STYLE)
        for name in rocov2.CONFIGS:
            write_text(folder / f"{name}.html", config_page(root, folder, name, undecoded))
        for picture in _pictures(root):
            (folder / "assets").mkdir(exist_ok=True)
            shutil.copyfile(picture, folder / "assets" / picture.name)
        write_text(folder / "LICENSE.md", (root / "LICENSE.md").read_text(encoding="utf-8"))
        write_text(folder / "index.html", card_page((root / "README.md").read_text(encoding="utf-8")))
        files = list_files(folder)
        write_json(folder / MARK, {"files": [*files, MARK]})
    return undecoded


def _pictures(root: Path) -> list[Path]:
    """Return the pictures of the card; what a link leads to is none of them."""
    if (root / "assets").is_symlink():
        return []
    return [path for path in sorted(root.glob(PICTURES)) if path.is_file() and not path.is_symlink()]


def _is_preview(folder: Path) -> bool:
    """Return whether a folder is a preview and nothing more.

    Raises:
        UserError: it is no preview, or somebody has put other files there.
    """
    try:
        files = json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]
        known = {str(path) for path in files}
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(f"{folder} exists and is not a preview: choose another folder, or move it") from None
    require_no_strangers(folder, known, "preview")
    return True


if __name__ == "__main__":
    from rocov2_commands.main import run_verb

    run_verb("preview")
