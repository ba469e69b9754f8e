"""`rocov2 show` on a damaged repository: it shows the row with what is wrong, or names in one line what cannot be read."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import rocov2
from rocov2_commands.show import main
from rocov2_shared.errors import UserError
from tests.conftest import Run
from tests.support.breaking import rewrite, set_value
from tests.support.raw import make_raw

FIRST = "data/train-00000-of-00002-commercial-apart.parquet"
OTHER = "data/train-00001-of-00002-noncommercial-apart.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=9, valid=3, test=3, shared=False).build(tmp_path_factory.mktemp("show") / "rocov2")


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], str]:
    """Run the command in this process, with a cache of its own; returns what it prints."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")

    def run(repository: Path) -> str:
        return CliRunner().invoke(main, [str(repository)], catch_exceptions=False).stdout

    return run


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("modality", 9, "    modality               9 (no such label)\n"),
        ("region", -5, "    region                 -5 (no such label)\n"),
        ("region", 1, "    region                 1 (cranium)\n"),
        ("cuis", None, "    cuis                   None\n"),
        ("caption", None, "    caption                None\n"),
        ("caption", "\x1b[31mred", "    caption                '\\x1b[31mred'\n"),
        ("image", None, "    image                  None\n"),
        ("image", {"bytes": None, "path": "a.jpg"}, "(damaged: the image has no bytes)\n"),
        ("image", {"bytes": b"\xff\xd8\xff", "path": "a.jpg"}, "(damaged: the image does not decode: cannot identify"),
    ],
)
def test_a_damaged_value_is_shown_and_the_others_with_it(
    repository: Path, show: Callable[[Path], str], column: str, value: Any, shown: str
) -> None:
    rewrite(repository, FIRST, set_value(column, 0, value))
    found = show(repository)
    assert shown in found
    assert found.count("    height ") == 3  # among the features, and in two rows


def _cut(root: Path, file: str) -> None:
    (root / file).write_bytes((root / file).read_bytes()[:-100])


def _retype(table: pa.Table) -> pa.Table:
    return table.set_column(table.column_names.index("width"), "width", table["caption"])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: _cut(root, FIRST), f"{FIRST} of .* cannot be read .*`rocov2 check .*` reports all that is wrong"),
        (
            lambda root: _cut(root, OTHER),
            "train-00001-of-00002-noncommercial-apart.parquet of .* cannot",
        ),
        (lambda root: (root / FIRST).write_bytes(b""), f"{FIRST} of .* cannot be read .*0 bytes"),
        (lambda root: rewrite(root, FIRST, _retype), rf"{FIRST} of .* has other columns than it should \(width\)"),
        (lambda root: (root / "README.md").write_text("---\na: [\n---\n"), "fails .*expected the node content"),
        (
            lambda root: (root / "README.md").write_text("---\nconfigs: 5\n---\n"),
            "fails .*Expected configs to be a list",
        ),
    ],
)
def test_what_cannot_be_loaded_is_named_in_one_line(
    repository: Path, show: Callable[[Path], str], damage: Callable[[Path], None], message: str
) -> None:
    damage(repository)
    with pytest.raises(UserError, match=message) as told:
        show(repository)
    assert "\n" not in str(told.value)


def test_a_missing_shard_and_a_folder_of_another_project_are_named(
    repository: Path, tmp_path: Path, show: Callable[[Path], str]
) -> None:
    (repository / FIRST).unlink()
    with pytest.raises(FileNotFoundError, match="split 'train' is incomplete, missing data/train-00000-of-00002"):
        show(repository)
    other = tmp_path / "other"
    other.mkdir()
    pq.write_table(pa.table({"a": [1]}), other / "a.parquet")
    with pytest.raises(FileNotFoundError, match=r"other is not a built repository, missing conversion\.json"):
        show(other)


def test_the_hub_is_asked_for_a_name_of_it_alone_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", lambda *_, **__: never.wait())
    monkeypatch.setattr(rocov2, "HUB_SECONDS", 0.05)
    asked = CliRunner().invoke(main, ["org/nothing"])
    assert isinstance(asked.exception, ConnectionError)
    assert asked.stderr == (
        "Hub       org/nothing is not a folder here, so https://huggingface.co is asked: it gets 0.05 s to answer.\n"
    )
    never.set()
    named = CliRunner().invoke(main, ["nothing"])
    assert isinstance(named.exception, FileNotFoundError)
    assert named.stderr == ""


def test_a_cache_that_cannot_be_made_is_no_damage(
    built: Path, tmp_path: Path, show: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "file" / "cache")
    with pytest.raises(NotADirectoryError):  # of which the command says what to do, as of every error of the machine
        show(built)


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1", "COLUMNS": "1"}])
def test_any_terminal_shows_any_caption(
    built: Path, tmp_path: Path, run: Run, environment: dict[str, str], variables: dict[str, str]
) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    rewrite(repository, FIRST, set_value("caption", 0, "3 × “4” cm"))
    done = run("show_repository", env=environment | variables, encoding="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\u201c4\u201d cm'" in done.stdout
