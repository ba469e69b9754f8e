"""The examples: the task for lmms-eval by what that harness does with it, the run with TRL where TRL is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import PIL.Image
import pytest
import yaml

import rocov2
from tests.conftest import PROJECT
from tests.support.raw import make_raw

pytestmark = pytest.mark.slow

LMMS_EVAL = PROJECT / "examples" / "lmms_eval"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=16).build(tmp_path_factory.mktemp("built") / "rocov2")


@pytest.fixture(scope="module")
def utils() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rocov2_lmms_eval_utils", LMMS_EVAL / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def task(utils: ModuleType) -> dict[str, Any]:
    """The task, its functions looked up as the harness does it."""

    class Loader(yaml.SafeLoader):
        pass

    def find(loader: Any, node: Any) -> Any:
        module, name = loader.construct_scalar(node).split(".")
        assert module == "utils"
        return getattr(utils, name)

    Loader.add_constructor("!function", find)
    loaded: dict[str, Any] = yaml.load((LMMS_EVAL / "rocov2_caption.yaml").read_text(), Loader)  # noqa: S506
    return loaded


def test_the_task_names_what_the_repository_has(task: dict[str, Any]) -> None:
    assert task["dataset_name"] in rocov2.CONFIGS
    assert task["test_split"] in rocov2.SPLITS


def test_the_task_asks_shows_and_knows_the_references(task: dict[str, Any], built: Path) -> None:
    rows = rocov2.load(built, task["dataset_name"], split=task["test_split"])
    for row in rows:
        (picture,) = task["doc_to_visual"](row)
        assert isinstance(picture, PIL.Image.Image)
        assert (picture.mode, picture.size) == ("RGB", (row["width"], row["height"]))
        assert task["doc_to_target"](row) == [row["caption"]]
        asked = task["doc_to_text"](row, {"pre_prompt": "<", "post_prompt": ">"})
        assert asked == f"<{task['doc_to_text'](row, task['lmms_eval_specific_kwargs']['default'])}>"


def test_every_measure_of_the_task_is_given_results(task: dict[str, Any], built: Path) -> None:
    row = rocov2.load(built, split="test")[0]
    results = task["process_results"](row, ["a scan"])
    assert list(results) == [entry["metric"] for entry in task["metric_list"]]
    for result in results.values():
        assert result == {"id": row["image_id"], "prediction": "a scan", "references": [row["caption"]]}
    assert next(iter(task["process_results"](row, []).values()))["prediction"] == ""
    assert all(callable(entry["aggregation"]) for entry in task["metric_list"])


@pytest.mark.recipes
@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="trl is not installed: make test-recipes")
@pytest.mark.parametrize("options", [[], ["--streaming"]], ids=["map-style", "streaming"])
def test_the_example_with_trl_trains(options: list[str], built: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, str(PROJECT / "examples" / "trl_sft.py"), str(built), *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told, _, losses = done.stdout.splitlines()[-1].partition(", losses ")
    assert told == "2 steps"
    assert all(0 < float(loss) < 20 for loss in losses.split(", "))
