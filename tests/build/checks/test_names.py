"""Names of files, and the first bytes of those that have the right one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rocov2_build.check import check_repository
from tests.support.breaking import SHARD, broken, build, rehash


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("names"))


@pytest.fixture
def repository(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "rocov2"))


@pytest.mark.parametrize(
    "name", ["data/test-more.parquet", "data/train-x-commercial-apart.parquet", "text/more.parquet"]
)
def test_a_file_too_many_is_the_first_to_be_named(repository: Path, name: str) -> None:
    shutil.copy(repository / SHARD, repository / name)
    first = check_repository(repository)[0]
    assert (first.rule, first.file) in {("changed-file", name), ("stray-file", name)}


def test_yaml_that_replaces_that_of_the_card_is_told(repository: Path) -> None:
    """Every version of datasets puts it over the card's: with this one `load_dataset` returns one split of text."""
    (repository / ".huggingface.yaml").write_text("configs:\n- config_name: default\n  data_files: text/test.parquet\n")
    assert broken(repository) == [("stray-file", ".huggingface.yaml")]


def test_a_file_of_save_to_disk_is_refused(repository: Path) -> None:
    (repository / "state.json").write_text("{}")
    assert broken(repository) == [("stray-file", "state.json")]


@pytest.mark.parametrize("name", ["text/more.parquet", "data/train-more.parquet", "more.parquet"])
def test_a_link_to_nothing_is_told(repository: Path, name: str) -> None:
    (repository / name).symlink_to("nothing")
    assert broken(repository) == [("stray-file", name)]


def test_a_shard_without_its_first_bytes_is_told(repository: Path) -> None:
    with (repository / SHARD).open("r+b") as file:
        file.write(b"PAR2")
    rehash(repository, SHARD)
    assert broken(repository) == [("unreadable", SHARD)]
