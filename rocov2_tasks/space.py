"""The explorer as a Space of the Hugging Face Hub: a folder to be put up as it is.

It holds the modules of this project that it runs, since the project is in no package index, and the versions of packages
that it was written with.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import rocov2
import rocov2_errors
import rocov2_pages
import rocov2_terminal
from rocov2_tasks.searching import require

PACKAGES = ("datasets", "huggingface_hub", "pyarrow", "Pillow", "numpy", "fsspec", "click", "duckdb")
"""What the modules import; Gradio is the Space's own, by `sdk_version`."""

APP = '''\
"""Shows the dataset {dataset}: its text is fetched when the Space starts, an image when it is shown."""

from rocov2_tasks.explore import serve

serve({dataset!r}, "0.0.0.0")
'''

README = """\
---
title: ROCOv2 explorer
sdk: gradio
sdk_version: {gradio}
python_version: "{python}"
app_file: app.py
license: apache-2.0
datasets:
- {dataset}
pinned: false
short_description: Search the images and captions of ROCOv2
---

# ROCOv2 explorer

Search the radiology images of [{dataset}](https://huggingface.co/datasets/{dataset}) by modality, body region, licence,
concept and the words of their captions, and copy the search as Python or SQL.

The licence and the attribution of every image stand beside it. The licence above is that of the code.
"""


def write_space(folder: Path, dataset: str) -> None:
    """Write the Space that shows a dataset of the Hub, whole or not at all.

    Args:
        folder: made; may be there when it is empty.
        dataset: `ORG/NAME`.

    Raises:
        FileExistsError: there is something in `folder`.
        ModuleNotFoundError: a package of the extra `explore` is not installed.
    """
    require("gradio", "duckdb")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists and is not empty: name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = folder.with_name(f".{folder.name}.{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        building.mkdir()
        facts = {"dataset": dataset, "gradio": version("gradio"), "python": "{}.{}".format(*sys.version_info)}
        pins = [f"{package}=={version(package)}\n" for package in PACKAGES]
        (building / "app.py").write_text(APP.format(**facts), encoding="utf-8")
        (building / "README.md").write_text(README.format(**facts), encoding="utf-8")
        (building / "requirements.txt").write_text("".join(pins), encoding="utf-8")
        for module in (rocov2, rocov2_errors, rocov2_pages, rocov2_terminal):
            shutil.copy(str(module.__file__), building)
        shutil.copytree(Path(__file__).parent, building / "rocov2_tasks", ignore=shutil.ignore_patterns("__pycache__"))
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
