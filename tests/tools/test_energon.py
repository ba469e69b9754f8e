"""Megatron-Energon on tars of `rocov2 export`: the recipe prepares them, and every image comes once."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import PROJECT
from tests.support.blocks import RECIPES, find_blocks
from tests.support.environments import child_environment, find_tool
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.repositories import all_rows, images_by_id

pytestmark = pytest.mark.recipes

HEADING = "Megatron-Energon"
LOOK = """
import json
from hashlib import sha256


def look(dataset):
    return [
        [key, caption, sha256((image * 255).round().byte().permute(1, 2, 0).contiguous().numpy().tobytes()).hexdigest()]
        for batch in get_loader(dataset)
        for key, caption, image in zip(batch.__key__, batch.caption, batch.image)
    ]


found = {
    "train": look(get_train_dataset("tars", repeat=False, **(options | {"batch_size": 1}))),
    "validation": look(get_val_dataset("tars", split_part="val", batch_size=1, worker_config=workers)),
    "test": look(test),
}
with open("found.json", "w") as file:
    json.dump(found, file)
"""
"""Key, caption and hash of the pixels of every image, one by one, since those of a batch are padded."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=24).build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


@pytest.fixture
def call(built: Path, tmp_path: Path) -> Callable[..., None]:
    """Run a program of the environment of energon, or the project's command, in a folder with the repository in rocov2/."""
    programs = find_tool("energon")
    (tmp_path / "rocov2").symlink_to(built)
    kept = child_environment(tmp_path / "hf")
    variables = kept | {
        "PATH": f"{programs}{os.pathsep}{kept['PATH']}",
        "HOME": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "",
    }

    def call(program: str, *arguments: str) -> None:
        own = [sys.executable, "-m", "rocov2_commands"]
        done = subprocess.run(
            [*(own if program == "rocov2" else [str(programs / program)]), *arguments],
            cwd=tmp_path,
            env=variables | ({"PYTHONPATH": str(PROJECT)} if program == "rocov2" else {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * HANG_SECONDS,
        )
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"

    return call


def test_energon_gives_every_image_once(call: Callable[..., None], built: Path, tmp_path: Path) -> None:
    for line in "".join(find_blocks(RECIPES[HEADING], "sh energon")).splitlines():
        call(*shlex.split(line))
    call("energon", "lint", "tars")
    (block,) = find_blocks(RECIPES[HEADING], "python energon")
    call("python", "-c", block + LOOK)
    found = json.loads((tmp_path / "found.json").read_text())
    jpegs = images_by_id(built)
    for split, rows in all_rows(built)["default"].items():
        expected = [
            [
                row["image_id"],
                row["caption"],
                sha256(Image.open(io.BytesIO(jpegs[row["image_id"]])).convert("RGB").tobytes()).hexdigest(),
            ]
            for row in rows
        ]
        assert sorted(found[split]) == sorted(expected), split
