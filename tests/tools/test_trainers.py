"""The recipes of docs/trainers.md, run with the trainers' own commands: what they train on is what was released.

A trainer needs an environment of its own, which `make test-recipes` makes. Its batches are recorded on their way into the
step (tests/support/tools/sitecustomize.py), so that nothing is asked of a trainer's inner parts.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PROJECT
from tests.support.blocks import RECIPES, find_blocks
from tests.support.environments import SUPPORT, child_environment, find_tool
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.repositories import all_rows

pytestmark = pytest.mark.recipes

TOOLS = SUPPORT / "tools"
ROWS = 24


@dataclass(frozen=True)
class Trainer:
    """A trainer's recipe.

    Attributes:
        heading: of the recipe.
        answer_alone: whether the loss is on the answer alone.
        settings: added to the file of the recipe, so that nothing is kept or reported.
        options: the same, added to its command.
        without_gpu: what the recipe says to add to either where there is no GPU.
        stand_ins: folder with modules instead of such as no test needs.
    """

    heading: str
    answer_alone: bool
    settings: str = ""
    options: str = ""
    without_gpu: str = ""
    stand_ins: str = ""


TRAINERS = {
    "axolotl": Trainer("axolotl", False, "save_strategy: 'no'\n", without_gpu="bf16: false"),
    "ms-swift": Trainer(
        "ms-swift",
        True,
        options="--save_strategy no --report_to none --eval_strategy no",
        without_gpu="--torch_dtype float32",
    ),
    "unsloth": Trainer("Unsloth", False),
    "llamafactory": Trainer(
        "LLaMA-Factory", True, "save_strategy: 'no'\nreport_to: none\n", stand_ins=str(TOOLS / "silent")
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=ROWS).build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


class Kitchen:
    """A folder with `rocov2` and `model`, in which the commands of a trainer's environment run."""

    def __init__(self, name: str, built: Path, folder: Path) -> None:
        self.bin = find_tool(name)
        self.trainer = TRAINERS[name]
        self.folder = folder
        kept = child_environment(folder / "hf")
        self.environment = kept | {
            "PATH": f"{self.bin}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(TOOLS), self.trainer.stand_ins])),
            "MODEL": str(folder / "model"),
            "HOME": str(folder),
            "MODELSCOPE_CACHE": str(folder / "modelscope"),
            "USE_HF": "1",
            "AXOLOTL_DO_NOT_TRACK": "1",
            "UNSLOTH_ZOO_DISABLE_GPU_INIT": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        (folder / "rocov2").symlink_to(built)
        self.run(self.bin / "python", PROJECT / "examples" / "tiny_llava.py", "model")
        expected = self.run(self.bin / "python", TOOLS / "expected.py", "rocov2", "model", name)
        self.pixels: list[str] = json.loads(expected.splitlines()[-1])
        """What the model is to see of each image of train, in the order of the rows."""

    def run(self, *command: object, **variables: str) -> str:
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=4 * HANG_SECONDS,
        )
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-8000:]}"
        return done.stdout

    def cook(self) -> list[dict[str, Any]]:
        """Follow the recipe, and give the rows of the batches that were trained on."""
        record = str(self.folder / "record.jsonl")
        text = RECIPES[self.trainer.heading]
        without_gpu = self.trainer.without_gpu
        assert f"`{without_gpu}`" in text or not without_gpu
        files = find_blocks(text, "yaml")
        for block in files:
            name = block.splitlines()[0].removeprefix("# ")
            (self.folder / name).write_text(f"{block}{without_gpu}\n{self.trainer.settings}")
        for kind, block in re.findall(r"^```(python|sh) trainers\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if kind == "python":
                (self.folder / "block.py").write_text(block)
                self.run(self.bin / "python", "block.py", RECORD=record)
                continue
            for line in block.splitlines():
                program, *arguments = shlex.split(line)
                if program == "rocov2":  # a command of the project, in its own environment
                    self.run(sys.executable, "-m", "rocov2_commands", *arguments)
                else:
                    more = shlex.split(f"{self.trainer.options} {'' if files else without_gpu}")
                    self.run(self.bin / program, *arguments, *more, RECORD=record)
        return [json.loads(line) for line in Path(record).read_text().splitlines()]


@pytest.mark.parametrize("name", TRAINERS)
def test_a_trainer_trains_on_what_was_released(name: str, built: Path, tmp_path: Path) -> None:
    kitchen = Kitchen(name, built, tmp_path)
    trained = kitchen.cook()
    captions = [row["caption"] for row in all_rows(built)["default"]["train"]]
    assert len(set(kitchen.pixels)) == ROWS
    told = [(row["pixels"], row["answer"].removesuffix("</s>")) for row in trained]
    if kitchen.trainer.answer_alone:
        answers = told
    else:
        assert all(answer.startswith("USER: ") for _, answer in told)
        answers = [(pixels, answer.split("ASSISTANT: ")[1]) for pixels, answer in told]
    found = sorted((pixels, answer.strip()) for pixels, answer in answers)
    assert found == sorted(zip(kitchen.pixels, (caption.strip() for caption in captions), strict=True))
    assert all(row["text"].count("<image>") == 4 for row in trained)
