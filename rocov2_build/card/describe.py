"""The description of a repository: facts, card, pictures, Croissant and `conversion.json`."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow.parquet as pq

from rocov2 import CONFIGS, __version__, files_by_config
from rocov2_build.card.contents import Contents, Picture
from rocov2_build.card.croissant import croissant
from rocov2_build.card.documents import record_documents
from rocov2_build.card.readme import measure, write_card
from rocov2_build.card.versions import PROJECT
from rocov2_build.facts.compute import compute_facts
from rocov2_build.raw.problems import Problem, describe_count
from rocov2_build.worker.task import FileFacts
from rocov2_shared.conversion import ConversionRecord, FileRecord, Noted, write_conversion
from rocov2_shared.files import write_json
from rocov2_shared.printable import printable
from rocov2_shared.terminal import Console

_LISTED = 3
"""Images that a line names at most."""
_PASSED_OVER = "passed-over"
"""Code of the warning about an image that the contact sheet passed over."""
_TOOLS = ("datasets", "pyarrow", "pandas", "Pillow", "simplejpeg")


def describe_repository(
    root: Path,
    files: list[FileFacts],
    plan: dict[str, Any],
    *,
    part: str | None,
    warnings: Mapping[str, int],
    left_out: Iterable[Problem],
    pictures: bool,
    console: Console,
) -> dict[str, str]:
    """Write everything beside the Parquet files of a repository.

    Args:
        root: its folder.
        files: its Parquet files, in the order of the rows.
        plan: everything that decided their bytes, with the release and its inputs.
        part: options that made it a part of the release, None for the whole.
        warnings: number of cases by code.
        left_out: why rows were left out.
        pictures: whether the card gets its contact sheet and charts, which need matplotlib.
        console: shows the steps.

    Returns:
        The images that the contact sheet passed over since they do not decode: image id, and why.
    """
    sizes = measure(files)
    identity = identify_rows({file.path: file.rows_sha256 for file in files})
    with console.timed("Facts", "facts.json: counts, overlaps of articles, near-duplicate images"):
        facts = compute_facts(root, files)
        write_json(root / "facts.json", facts)
    drawn = Drawn(None, [], [], {})
    if pictures:
        with console.timed("Pictures", "assets/: contact sheet and charts of the card"):
            drawn = draw_pictures(root, facts)
    left_out = sorted(left_out)
    contents = Contents(
        sizes,
        plan["release"],
        part,
        identity,
        facts,
        plan,
        read_first_row(root),
        drawn.sheet,
        drawn.shown,
        drawn.charts,
        turned=sum(len(file.turned) for file in files),
        left_out=len({problem.id for problem in left_out}),
    )
    passed_over = {_PASSED_OVER: len(drawn.passed_over)} if drawn.passed_over else {}
    with console.timed("Card", "README.md, dataset_infos.json, croissant.json"):
        write_card(root, contents)
        write_json(root / "croissant.json", croissant(contents, files))
    conversion: ConversionRecord = {
        "project": {"name": PROJECT, "version": __version__},
        "release": plan["release"],
        "partial": contents.partial,
        "part": part,
        "rows_sha256": identity,
        "files": {
            file.path: cast(
                "FileRecord",
                {
                    "rows": file.rows,
                    "bytes": file.bytes,
                    "sha256": file.sha256,
                    "rows_sha256": file.rows_sha256,
                    **file.layout,
                },
            )
            for file in files
        },
        "documents": record_documents(root),
        "image_modes": dict(sorted(sum((Counter(file.modes) for file in files), Counter()).items())),
        "warnings": dict(sorted((dict(warnings) | passed_over).items())),
        "noted": _list_noted(files, drawn.passed_over),
        "left_out": [
            {
                "image_id": printable(problem.id),
                "code": problem.code,
                "file": printable(problem.file),
                "found": printable(problem.found),
            }
            for problem in left_out
        ],
        "versions": {name: importlib.metadata.version(name) for name in _TOOLS},
        "plan": plan,
    }
    write_conversion(root, conversion)
    return drawn.passed_over


def read_first_row(root: Path) -> dict[str, Any] | None:
    """Return the first row of a repository without its image, or None if it has no rows."""
    for split in CONFIGS["text"].splits:
        path = root / CONFIGS["text"].files(split)
        if path.is_file():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(1):
                    row: dict[str, Any] = batch.to_pylist()[0]
                    return row
    return None


def describe_passed_over(passed_over: Mapping[str, str]) -> str:
    """Return the number of images that the contact sheet passed over, and the first ones."""
    cases = "; ".join(f"{image_id} ({found})" for image_id, found in islice(passed_over.items(), _LISTED))
    more = f"; and {len(passed_over) - _LISTED:,} more" if len(passed_over) > _LISTED else ""
    return f"{describe_count(_PASSED_OVER, len(passed_over))}: {cases}{more}. --verify strict finds all such images."


def _list_noted(files: list[FileFacts], passed_over: Mapping[str, str]) -> list[Noted]:
    cases = [("benign-jpeg", image_id, found) for file in files for image_id, found in file.benign.items()]
    cases += [("turned-jpeg", image_id, "") for file in files for image_id in file.turned]
    cases += [(_PASSED_OVER, image_id, found) for image_id, found in passed_over.items()]
    return [{"image_id": image_id, "code": code, "found": found} for code, image_id, found in sorted(cases)]


def identify_rows(rows_sha256: Mapping[str, str]) -> dict[str, str]:
    """Return a hash of the rows of each configuration.

    Args:
        rows_sha256: hash of the rows by file, in the order of the rows.
    """
    return {
        name: hashlib.sha256(
            "\n".join(rows_sha256[file] for files in splits.values() for file in files).encode()
        ).hexdigest()
        for name, splits in files_by_config(rows_sha256).items()
    }


def can_draw() -> bool:
    """Return whether matplotlib (the extra `card`) is installed."""
    return find_spec("matplotlib") is not None


class Drawn(NamedTuple):
    """The pictures of a card.

    Attributes:
        sheet: the contact sheet, None if no image can be shown.
        shown: the rows of its images, without the images.
        charts: the charts.
        passed_over: the images that the contact sheet passed over: image id, and why.
    """

    sheet: Picture | None
    shown: list[dict[str, Any]]
    charts: list[Picture]
    passed_over: dict[str, str]


def draw_pictures(root: Path, facts: dict[str, Any]) -> Drawn:
    """Draw the contact sheet and the charts into `assets/` of a repository.

    Args:
        root: its folder.
        facts: content of its `facts.json`.
    """
    # Where it cannot write its folder of settings, it takes a temporary one, and says so at length.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from rocov2_build.card.charts import write_charts  # slow to import
    from rocov2_build.card.contact_sheet import choose_examples, write_sheet

    (root / "assets").mkdir(exist_ok=True)
    examples, passed_over = choose_examples(root)
    shown = [example.row for example in examples]
    return Drawn(write_sheet(root, examples), shown, write_charts(root, facts), passed_over)
