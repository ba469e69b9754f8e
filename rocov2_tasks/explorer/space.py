"""The explorer as a Space of the Hugging Face Hub: a folder to upload unchanged.

The folder contains the modules of this project that the Space runs, since the project is not in a package index, and the
versions of the packages that are installed here.
"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

import rocov2
import rocov2_shared
import rocov2_tasks
from rocov2_shared.folders import new_folder
from rocov2_shared.output_paths import require_apart
from rocov2_tasks.explorer import PORT
from rocov2_tasks.explorer.packages import require

PACKAGES = ("datasets", "huggingface_hub", "pyarrow", "Pillow", "numpy", "fsspec", "click", "duckdb")
"""Packages that the modules import."""

_SOURCES = [Path(str(package.__file__)).parent for package in (rocov2_shared, rocov2_tasks)]

APP = '''\
"""Shows the dataset {dataset}: downloads its text when the Space starts, and an image when it is shown."""

from rocov2_tasks.explore import serve

serve({dataset!r}, "0.0.0.0")
'''

# As the Hub's guide to Spaces with Docker has it: a user with number 1000, who owns the files and the caches.
DOCKERFILE = """\
FROM python:{python}-slim
RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user/app
COPY --chown=user requirements.txt .
RUN pip install --no-cache-dir --user --requirement requirements.txt
COPY --chown=user . .
CMD ["python", "app.py"]
"""

README = """\
---
title: ROCOv2 explorer
sdk: docker
app_port: {port}
license: apache-2.0
datasets:
- {dataset}
pinned: false
short_description: Search the images and captions of ROCOv2
---

# ROCOv2 explorer

Search the radiology images of [{dataset}](https://huggingface.co/datasets/{dataset}) by modality, body region, licence,
concept and the words of their captions, and copy the search as Python or SQL.

Every image is shown with its licence and attribution. The licence above is that of the code, which is copied from the project
that made the dataset: see `LICENSE`.
"""


def write_space(folder: Path, dataset: str) -> None:
    """Write the Space that shows a dataset of the Hub, whole or not at all.

    Args:
        folder: new, or empty.
        dataset: `ORG/NAME`.

    Raises:
        UserError: `folder` is not empty, or is a file, or is inside the code that is copied.
        FileNotFoundError: the project's licence is missing.
        ModuleNotFoundError: a package of the extra `explore` is not installed.
    """
    require("duckdb")
    for source in _SOURCES:
        require_apart(folder, source, ("FOLDER", "the code of the project"))
    with new_folder(folder, fill="app.py", argument="FOLDER") as unfinished:
        _write(unfinished, dataset)


def _write(folder: Path, dataset: str) -> None:
    values = {"dataset": dataset, "port": PORT, "python": "{}.{}".format(*sys.version_info)}
    pins = [f"{package}=={version(package)}\n" for package in PACKAGES]
    templates = {"app.py": APP, "README.md": README, "Dockerfile": DOCKERFILE}
    texts = {name: template.format(**values) for name, template in templates.items()}
    texts["requirements.txt"] = "".join(pins)
    for name, text in (texts | {"LICENSE": _license()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(str(rocov2.__file__), folder)
    for source in _SOURCES:
        shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("__pycache__"))


def _license() -> str:
    try:
        text = distribution("rocov2-hub").read_text(
            "licenses/LICENSE"
        )  # not the file of another package in site-packages
    except PackageNotFoundError:
        text = None
    beside = Path(str(rocov2.__file__)).parent / "LICENSE"
    if text is None and beside.exists():  # a clone that is not installed
        text = beside.read_text(encoding="utf-8")
    if text is None:
        raise FileNotFoundError(
            f"missing LICENSE beside {rocov2.__file__}, which a Space needs: install the project again"
        )
    return text
