"""The module rocov2 in use: caches, what lies beside it, and what it says when something is wrong."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import datasets
import pytest

import rocov2
from tests.environments import VERSIONS, child_environment, python_of, run_probe
from tests.raw import expected_rows, make_raw

CALLS = ("load_dataset", "load", "builder")
COLUMNS = ", ".join(rocov2.FEATURES)
VALID = "no split 'valid' (the release's 'valid' is called 'validation' here): there are train, validation, test"
BUILD = "python scripts/convert_to_parquet.py RAW"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with several shards and row groups; not to be changed."""
    repository = tmp_path_factory.mktemp("built") / "rocov2"
    return make_raw(train=48).build(repository, shard=6_000, row_group=1_500)


@pytest.fixture
def repository(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that may be changed, as `rocov2` in the current directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


# Caches.


@pytest.mark.parametrize("version", VERSIONS)
def test_other_content_gives_other_rows_from_the_same_cache(version: str, tmp_path: Path) -> None:
    # They differ in one letter: same folder name, ids, counts and sizes.
    raws = [make_raw(4, 2, 2) for _ in range(3)]
    for raw, letter in zip(raws, "ABC", strict=True):
        raw.image("test", 0).caption = f"Abdomen {letter}"
    here, elsewhere = tmp_path / "here" / "rocov2", tmp_path / "elsewhere" / "rocov2"
    module = tmp_path / "module"
    module.mkdir()
    shutil.copy(rocov2.__file__, module)

    def load(*folders: Path) -> dict[str, dict[str, Any]]:
        common: dict[str, Any] = {"path": "rocov2", "name": "default", "module": str(module)}
        common |= {"cache": str(tmp_path / "cache")}
        cases = {
            f"{folder.parent.name} {call} {streaming}": common
            | {"call": call, "streaming": streaming, "cwd": str(folder.parent)}
            for folder in folders
            for call in CALLS
            for streaming in (False, True)
        }
        return run_probe(python_of(version), cases, tmp_path / "home")

    def assert_rows(answers: dict[str, dict[str, Any]], expected: dict[str, int]) -> None:
        for name, answer in answers.items():
            raw = raws[expected[name.split()[0]]]
            rows = {split: answer[split]["rows"] for split in answer} if "error" not in answer else answer
            assert rows == expected_rows(raw, here)["default"], name

    raws[0].build(here)
    raws[1].build(elsewhere)
    assert_rows(load(here), {"here": 0})
    raws[2].build(here, overwrite=True)
    assert_rows(load(elsewhere, here), {"here": 2, "elsewhere": 1})


# What lies beside the module.


@pytest.mark.parametrize("version", VERSIONS)
def test_a_built_folder_and_other_counts_beside_the_module_disturb_nothing(
    version: str, repository: Path, tmp_path: Path
) -> None:
    # The project's own folder after `make sample`: its dataset_infos.json states other counts than the folder rocov2.
    shutil.copy(rocov2.__file__, tmp_path)
    infos = json.loads((repository / "dataset_infos.json").read_text())
    infos["default"]["splits"]["train"]["num_examples"] = 59_958
    infos["default"]["dataset_size"] = 59_958_000
    (tmp_path / "dataset_infos.json").write_text(json.dumps(infos))
    here: dict[str, Any] = {"path": "rocov2", "name": "default", "cwd": str(tmp_path), "module": str(tmp_path)}
    cases = {
        f"{call} {streaming}": here | {"call": call, "streaming": streaming}
        for call in CALLS
        for streaming in (False, True)
    }
    if version in ("2.21.0", "3.6.0"):
        script = {"path": "./rocov2.py", "options": {"data_dir": "rocov2", "trust_remote_code": True}}
        cases["script"] = here | {"call": "load_dataset"} | script
    expected = expected_rows(make_raw(train=48), repository)["default"]
    for name, answer in run_probe(python_of(version), cases, tmp_path / "home").items():
        assert {split: answer[split]["rows"] for split in answer} == expected, name
        assert all(split["dataset_size"] != 59_958_000 for split in answer.values()), name


def test_the_installed_module_wins_over_a_folder_rocov2(repository: Path, tmp_path: Path) -> None:
    code = "import rocov2; print(rocov2.__file__, len(rocov2.load(split='test')))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=child_environment(tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(Path(__file__).resolve().parent.parent / "rocov2.py"), "6"]


def test_a_clone_of_the_project_named_rocov2_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rocov2").mkdir()
    shutil.copy(rocov2.__file__, tmp_path / "rocov2")
    message = (
        f"{tmp_path}/rocov2 holds rocov2.py: it is a clone of the project, not a built repository, and `datasets` would take "
        f"that file for a loading script. Rename the clone (it is called rocov2-hub), go into it, run `{BUILD}` and load the "
        "folder rocov2 that this makes"
    )
    for call in (rocov2.load, _builder):
        with pytest.raises(FileNotFoundError, match=f"^{re.escape(message)}$"):
            call("rocov2")


# What is said when the request or the repository is wrong.


def _builder(path: Any, name: str = "default", **options: Any) -> rocov2.Rocov2:
    return rocov2.Rocov2(data_dir=path, config_name=name, **options)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (
            {"path": "nowhere"},
            FileNotFoundError,
            f"no folder 'nowhere' in {{cwd}}: build it with `{BUILD} nowhere` (`make sample` builds a small one into rocov2)"
            ", go to the directory that holds it, or name a dataset on the Hub as ORG/NAME",
        ),
        (
            {"path": ""},
            FileNotFoundError,
            f"no repository given: pass data_dir=, the folder that `{BUILD}` made, or ORG/NAME",
        ),
        ({"name": "defualt"}, ValueError, "no config 'defualt': there are default, commercial, text, vocabulary"),
        ({"split": "trian"}, ValueError, "no split 'trian': there are train, validation, test"),
        ({"split": "valid"}, ValueError, VALID),
        ({"split": "valid", "streaming": True}, ValueError, VALID),
        ({"split": "valid[:10%]"}, ValueError, VALID),
        ({"split": "train + valid[2:]"}, ValueError, VALID),
        ({"split": ["train", "valid"]}, ValueError, VALID),
        ({"split": datasets.NamedSplit("valid")}, ValueError, VALID),
        ({"split": "train", "name": "vocabulary"}, ValueError, "no split 'train': there are vocabulary"),
        ({"columns": "caption"}, ValueError, f"columns='caption': expected a list of some of {COLUMNS}"),
        ({"columns": []}, ValueError, f"columns=[]: expected a list of some of {COLUMNS}"),
        ({"columns": ["cui"]}, ValueError, f"columns=['cui']: expected a list of some of {COLUMNS}"),
        (
            {"columns": ["image"], "name": "text"},
            ValueError,
            f"columns=['image']: expected a list of some of {COLUMNS.removeprefix('image, ')}",
        ),
    ],
    ids=str,
)
def test_wrong_requests(repository: Path, request_: dict[str, Any], error: type[Exception], message: str) -> None:
    expected = re.escape(message.format(cwd=repository.parent))
    with pytest.raises(error, match=f"^{expected}$"):
        rocov2.load(**request_)


@pytest.mark.parametrize("columns", ["caption", [], ["cui"]])
def test_wrong_columns_of_the_builder(repository: Path, columns: Any) -> None:
    expected = re.escape(f"columns={columns!r}: expected a list of some of {COLUMNS}")
    with pytest.raises(ValueError, match=f"^{expected}$"):
        _builder("rocov2", columns=columns)


def test_wrong_config_and_splits_of_the_builder(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'defualt'.*\['default', 'commercial', 'text', 'vocabulary'\]"):
        _builder("rocov2", "defualt")
    builder = _builder("rocov2", cache_dir=str(tmp_path / "cache"))
    for call in (builder.as_dataset, builder.as_streaming_dataset):
        with pytest.raises(ValueError, match=f"^{re.escape(VALID)}$"):
            call("valid")


def _remove(*files: str) -> Any:
    def damage(repository: Path) -> None:
        for file in files:
            (repository / file).unlink()

    return damage


def _add_shard_of_another_build(repository: Path) -> None:
    shutil.copy(
        repository / "data/test-00000-of-00002-commercial.parquet",
        repository / "data/test-00000-of-00001-commercial.parquet",
    )


AGAIN = f"build it again with `{BUILD} {{root}} --overwrite`, or download it again"
NOT_BUILT = f"make one with `{BUILD} FOLDER` and name that folder"


@pytest.mark.parametrize("call", [rocov2.load, _builder], ids=["load", "builder"])
@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        (
            "default",
            _remove("data/train-00003-of-00016-noncommercial.parquet"),
            f"{{root}}: split 'train' is incomplete, missing data/train-00003-of-00016-*.parquet: {AGAIN}",
        ),
        (
            "commercial",
            _remove(
                *(f"data/test-{i:05d}-of-00002-{name}.parquet" for i, name in [(0, "commercial"), (1, "noncommercial")])
            ),
            f"{{root}}: split 'test' is incomplete, missing data/test-00000-of-00001-*.parquet: {AGAIN}",
        ),
        (
            "default",
            _add_shard_of_another_build,
            "{root}: the shards of split 'test' come from several builds, found "
            "['data/test-00000-of-00001-commercial.parquet', 'data/test-00000-of-00002-commercial.parquet', "
            f"'data/test-00001-of-00002-noncommercial.parquet']: {AGAIN}",
        ),
        (
            "text",
            _remove("text/validation.parquet"),
            f"{{root}}: split 'validation' is incomplete, missing text/validation.parquet: {AGAIN}",
        ),
        (
            "default",
            _remove("conversion.json"),
            f"{{root}} is not a built repository, missing conversion.json: {NOT_BUILT}",
        ),
        (
            "default",
            _remove("conversion.json", "dataset_infos.json"),
            f"{{root}} is not a built repository, missing conversion.json and dataset_infos.json: {NOT_BUILT}",
        ),
    ],
    ids=["shard", "all-shards", "two-builds", "text", "conversion", "no-repository"],
)
def test_damaged_repositories(repository: Path, call: Any, name: str, damage: Any, message: str) -> None:
    damage(repository)
    expected = re.escape(message.format(root=repository))
    with pytest.raises(FileNotFoundError, match=f"^{expected}$"):
        call("rocov2", name)


@pytest.mark.parametrize("call", [rocov2.load, _builder], ids=["load", "builder"])
def test_a_release_without_commercial_rows(tmp_path: Path, call: Any) -> None:
    raw = make_raw(4, 2, 2)
    for image in (image for images in raw.splits.values() for image in images):
        image.attribution = "CC BY-NC Müller et al. (2001)"
    root = raw.build(tmp_path / "rocov2")
    has = "default, text, vocabulary (none of its rows may be used commercially)"
    message = f"no config 'commercial' in {root}: it has {has}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(str(root), "commercial")
