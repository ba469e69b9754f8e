"""Copies in the cache of `datasets` that are older than the files of a repository, as `rocov2 check` reports them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import datasets
import pytest
from click.testing import CliRunner

from rocov2_build.checks.caches import StaleCache, find_stale_caches
from rocov2_commands.check import main
from tests.support.raw import make_raw


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `datasets` has its cache."""
    folder = tmp_path / "my cache"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", folder)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw().build(tmp_path_factory.mktemp("built") / "rocov2", shard=6_000, row_group=1_500)


@pytest.fixture
def repository(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


def load(name: str = "default", **options: Any) -> str:
    """Load a configuration as a user does; returns the folder of its copy."""
    loaded = datasets.load_dataset("rocov2", name, **options)
    return str(Path(next(iter(loaded.values())).cache_files[0]["filename"]).parent)


def damage(repository: Path) -> tuple[Path, bytes]:
    """Change the picture of one row; returns its shard, with the content that repairs it."""
    shard = min(repository.glob("data/train-*"))
    content = shard.read_bytes()
    scan = content.index(b"\xff\xda") + 20
    shard.write_bytes(content[:scan] + bytes(4) + content[scan + 4 :])
    return shard, content


def test_only_copies_with_other_rows_are_stale(repository: Path, cache: Path) -> None:
    shard, content = damage(repository)
    whole, images = load(), load(columns=["image", "image_id"])
    assert {Path(whole).parents[3], len({whole, images, load(columns=["caption"]), load("text")})} == {cache, 4}
    assert find_stale_caches(repository) == find_stale_caches(repository, fast=True) == []
    stat = shard.stat()
    shard.write_bytes(content)
    os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert find_stale_caches(repository) == [StaleCache("default", folder, True) for folder in (whole, images)]
    for folder in (whole, images):
        shutil.rmtree(folder)
    load()
    assert find_stale_caches(repository) == []


def test_files_that_were_written_again_with_the_same_rows(repository: Path, cache: Path) -> None:
    folder = load("text")
    (repository / "text" / "train.parquet").touch()
    assert find_stale_caches(repository) == []
    assert find_stale_caches(repository, fast=True) == [StaleCache("text", folder, False)]


def test_without_a_cache_nothing_is_made(repository: Path, cache: Path) -> None:
    assert find_stale_caches(repository) == []
    assert not cache.exists()


def test_a_copy_that_cannot_be_read_is_stale(repository: Path, cache: Path) -> None:
    folder = load("text")
    (Path(folder) / "rocov2-train.arrow").write_bytes(b"")
    (repository / "text" / "train.parquet").touch()
    assert find_stale_caches(repository) == [StaleCache("text", folder, True)]


def test_check_names_the_copy_and_the_command_that_removes_it(repository: Path, cache: Path) -> None:
    shard, content = damage(repository)
    folder = load()
    failed = CliRunner().invoke(main, ["rocov2"])
    assert (failed.exit_code, "note: " in failed.output) == (1, False)
    shard.write_bytes(content)
    done = CliRunner().invoke(main, ["rocov2"])
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1:] == [
        'note: load_dataset("rocov2", "default") still returns earlier rows, from a copy in its cache that it made before '
        f"files of rocov2 changed. Remove the copy: rm -r '{folder}'"
    ]
    reported = json.loads(CliRunner().invoke(main, ["rocov2", "--json", "--fast"]).stdout)
    assert reported["stale_caches"] == [{"config": "default", "folder": folder, "is_certain": False}]
