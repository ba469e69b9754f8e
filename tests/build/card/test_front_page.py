"""The project's own generated files: they are never stale, and README.md is a page for people."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rocov2
from rocov2_build.card.contact_sheet import SMALL, SMALL_CELLS, choose_examples, choose_few, draw_sheet
from rocov2_build.card.front_page import PICTURE, encode, write_project_files
from rocov2_build.convert import Conversion, convert
from rocov2_build.raw.releases import RELEASES
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("front_page") / "rocov2"
    convert(Conversion(PROJECT / "sample", output, release="any", quiet=True))
    return output


def test_the_projects_generated_files_are_not_stale(sample: Path, tmp_path: Path) -> None:
    write_project_files(tmp_path, sample)
    for name in ("README.md", "LICENSE.md", "dataset_infos.json"):
        assert (tmp_path / name).read_text() == (PROJECT / name).read_text(), f"{name} is stale: run `make card`"
    # Another version of Pillow may encode or draw a little differently.
    pictures = [np.asarray(Image.open(folder / PICTURE), int) for folder in (tmp_path, PROJECT)]
    assert pictures[0].shape == pictures[1].shape
    assert abs(pictures[0] - pictures[1]).mean() < 2, f"{PICTURE} is stale: run `make card`"


def test_the_picture_is_small_and_shows_every_modality_that_can_be_shown(sample: Path) -> None:
    examples = choose_few(choose_examples(sample).examples)
    assert len(examples) == SMALL_CELLS
    assert {example.modality for example in examples} == {"CT", "X-ray", "MRI", "ultrasound", "angiography"}
    data = encode(draw_sheet(examples, SMALL))
    assert len(data) < 120_000
    assert Image.open(io.BytesIO(data)).width == 780
    readme = (PROJECT / "README.md").read_text()
    assert f"]({PICTURE})\n" in readme
    assert all(f"{example.row['attribution']}, {example.row['license']}" in readme for example in examples)


def test_the_page_is_short_and_has_nothing_empty() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert len(readme.splitlines()) <= 250
    assert "<!--" not in readme
    assert "\n\n\n" not in readme
    assert not re.search(r"^\|.*\| *\|", readme, re.MULTILINE), "a table has an empty cell"
    assert not re.search(r"^#.*\n\n#", readme, re.MULTILINE), "a section is empty"


def test_the_projects_dataset_infos_state_the_published_counts() -> None:
    infos = json.loads((PROJECT / "dataset_infos.json").read_text())
    whole = {"train": 59_958, "validation": 9_904, "test": 9_927}
    mini = {"train": 2_000, "validation": 250, "test": 250}
    assert {
        config: {split: facts["num_examples"] for split, facts in info["splits"].items()}
        for config, info in infos.items()
    } == {"default": whole, "small": whole, "mini": mini, "text": whole}
    assert sum(RELEASES["2.0.1"].images.values()) == 79_789
    assert infos["default"]["features"]["cuis"] == {
        "feature": {"dtype": "string", "_type": "Value"},
        "_type": "Sequence",
    }
    assert list(infos["default"]["features"]) == list(rocov2.FEATURES)
