"""open_clip's own data pipeline, tokenizer and training on the tars of `export.py --format webdataset`."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rocov2_tasks.export import export, make_plan
from rocov2_tasks.formats import ExportOptions
from tests.support.environments import SUPPORT, find_tool
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.repositories import all_rows, images_by_id

pytestmark = pytest.mark.recipes

MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}
"""The smallest that has all parts; words are those of the tokenizer that open_clip ships."""

LOOK = """
import json
import sys
from hashlib import sha256
from pathlib import Path

import open_clip
from open_clip_train.data import get_data
from open_clip_train.params import parse_args
from PIL import Image

args = parse_args(sys.argv[1:])
args.distributed, args.rank, args.world_size = False, 0, 1
_, _, preprocess = open_clip.create_model_and_transforms(args.model)
tokenizer = open_clip.get_tokenizer(args.model)
data = get_data(args, (preprocess, preprocess), epoch=0, tokenizer=tokenizer)


def pixels(image):
    return sha256(image.numpy().tobytes()).hexdigest()


def words(text):
    return tokenizer.decode(text[1 : text.index(tokenizer.eot_token_id)]).replace(" ", "")  # it sets digits apart


found = {
    name: [[words(text.tolist()), pixels(image)] for images, texts in part.dataloader for image, text in zip(images, texts)]
    for name, part in data.items()
}
found["pixels"] = {path.stem: pixels(preprocess(Image.open(path))) for path in Path("jpegs").iterdir()}
found["samples"] = data["train"].dataloader.num_samples
found["batches"] = data["train"].dataloader.num_batches
with open("found.json", "w") as file:
    json.dump(found, file)
"""
"""One epoch of what open_clip gives, for training and for evaluation, both with the preprocessing of the latter."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    raw = make_raw(train=40)
    for number, image in enumerate(raw.splits["train"]):
        image.caption = f"axial view of lesion {number} with an arrow"
    return raw.build(tmp_path_factory.mktemp("built") / "rocov2")


@pytest.fixture
def folder(built: Path, tmp_path: Path) -> Path:
    """A folder with tars/ and a model in tiny/."""
    options = ExportOptions("webdataset", "train", max_shard_size=12_000)
    export(make_plan(str(built), options), tmp_path / "tars", options)
    # A worker that has fewer images than a batch would wait for ever.
    assert min(json.loads((tmp_path / "tars" / "sizes.json").read_text()).values()) >= 4
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL, "preprocess_cfg": {}}))
    return tmp_path


@pytest.fixture(scope="module")
def python() -> Path:
    """The interpreter that has open_clip."""
    return find_tool("open_clip") / "python"


@pytest.fixture(scope="module")
def operators(python: Path) -> dict[str, str]:
    """Variables with which torchvision can be imported."""
    fits = subprocess.run([str(python), "-c", "import torchvision"], capture_output=True, check=False).returncode == 0
    return {} if fits else {"PYTHONPATH": str(SUPPORT / "tools" / "operators")}


@pytest.fixture
def start(python: Path, operators: dict[str, str], folder: Path, environment: dict[str, str]) -> Callable[..., str]:
    """Run Python in the folder, with the options of open_clip that name the data; gives what it printed."""
    last = len(list((folder / "tars").glob("*.tar"))) - 1
    assert last > 2
    tars = f"tars/train-{{00000..{last:05d}}}.tar"

    def start(*command: str) -> str:
        options = [
            "--dataset-type",
            "webdataset",
            "--train-data",
            tars,
            "--val-data",
            tars,
            "--model",
            "local-dir:tiny",
        ]
        options += ["--batch-size", "4", "--workers", "2", "--epochs", "1", "--logs", "logs", "--name", "run"]
        done = subprocess.run(
            [str(python), *command, *options],
            cwd=folder,
            env=environment | operators | {"CUDA_VISIBLE_DEVICES": "", "HOME": str(folder / "home")},
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * HANG_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return start


def test_open_clip_sees_every_image_with_its_caption(folder: Path, start: Callable[..., str], built: Path) -> None:
    (folder / "jpegs").mkdir()
    for id, data in images_by_id(built).items():
        (folder / "jpegs" / f"{id}.jpg").write_bytes(data)
    start("-c", LOOK)
    found = json.loads((folder / "found.json").read_text())
    rows = all_rows(built)["default"]["train"]
    expected = sorted([row["caption"].replace(" ", ""), found["pixels"][row["image_id"]]] for row in rows)
    assert len({pixels for _, pixels in expected}) == len(rows)
    # Evaluation sees each once; training, whose batches are full and as many for each worker, some twice or not at all.
    assert sorted(found["val"]) == expected
    assert {tuple(pair) for pair in found["train"]} <= {tuple(pair) for pair in expected}
    assert len(found["train"]) == found["samples"] == 4 * found["batches"]
    assert len(rows) <= found["samples"] < len(rows) + 2 * 4


def test_open_clip_trains_without_the_number_of_samples(folder: Path, start: Callable[..., str]) -> None:
    told = start("-m", "open_clip_train.main")
    assert "train_num_samples: None" in told
    assert re.findall(r"Train Epoch: 0 \[ *(\d+)/(\d+) ", told)[-1] == ("40", "40")
    assert (folder / "logs" / "run" / "checkpoints" / "epoch_1.pt").exists()
    (results,) = (folder / "logs" / "run" / "checkpoints" / "results.jsonl").read_text().splitlines()
    assert json.loads(results)["num_samples"] == 40
