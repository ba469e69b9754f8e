"""The explorer on a damaged repository: it shows the rows with what is wrong, or says in one line what cannot be read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("duckdb")

from rocov2_tasks.explorer.address import View
from rocov2_tasks.explorer.collection import Collection
from rocov2_tasks.explorer.filters import Filter
from rocov2_tasks.explorer.page import show_page
from rocov2_tasks.explorer.searching import Explorer
from tests.support.breaking import SHARD, TEXT, rewrite
from tests.support.raw import make_raw
from tests.support.wrong_rows import WRONG_ROWS


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=9, valid=9, test=9).build(tmp_path_factory.mktemp("damage") / "rocov2")


def cards(repository: Path) -> str:
    """The pages of all images, once these are read."""
    explorer = Explorer(Collection(repository))
    pages = [explorer.find(View(Filter(), page)) for page in (1, 2, 3)]
    for page in pages:
        assert all(explorer.collection.images(page.rows))
    return "".join(show_page(explorer, page) for page in pages)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("modality 7", "7 (no such label)"),
        ("modality -1", "-1 (no such label)"),
        ("direction 1099511627776", "1099511627776 (no such label)"),
        ("no caption", '<p class="caption">—</p>'),
        ("no cuis", "<small>—</small>"),
        ("no concept_names", ">— <small>"),
        ("null among cuis", "<small>—</small>"),
        ("a name too few", ">— <small>"),
        ("no url", " · PMC"),
        ("no width", "— × "),
        ("no id", 'data-image="—"'),
    ],
)
def test_wrong_rows_are_shown_with_what_is_wrong(built: Path, tmp_path: Path, name: str, shown: str) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    next(wrong for wrong in WRONG_ROWS if (wrong.kind, wrong.name) == ("data", name))(repository)
    found = cards(repository)
    assert found.count("<article") == 27
    assert shown in found


def test_a_label_out_of_range_is_no_choice(built: Path, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    before = Collection(built).choices["modalities"]
    next(wrong for wrong in WRONG_ROWS if wrong.name == "modality 7")(repository)
    assert set(Collection(repository).choices["modalities"]) <= set(before)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _without(column: str) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.drop_columns([column])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: _cut(root / TEXT), "test.parquet cannot be read"),
        (lambda root: (root / TEXT).unlink(), "split 'test' is incomplete, missing text/test.parquet"),
        (
            lambda root: rewrite(root, TEXT, _without("caption")),
            r"test.parquet cannot be read \(it has other columns: caption\)",
        ),
        (lambda root: _cut(root / "vocabulary/vocabulary.parquet"), "vocabulary.parquet cannot be read"),
        (lambda root: _cut(root / SHARD), f"{SHARD}"),
        (lambda root: rewrite(root, SHARD, _without("image")), "has no column image.bytes"),
    ],
)
def test_what_cannot_be_read_is_named(
    built: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    damage(repository)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        cards(repository)


def test_texts_of_another_type_are_named(built: Path, tmp_path: Path) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    table = pq.read_table(repository / TEXT, partitioning=None)
    pq.write_table(table.set_column(2, "cuis", table["caption"]), repository / TEXT)
    with pytest.raises(ValueError, match=r"cannot be read \(it has other columns: cuis\)"):
        Collection(repository)


def test_a_text_of_another_build_is_refused(tmp_path: Path) -> None:
    folder = make_raw(train=6, valid=4, test=4).build(tmp_path / "rocov2")
    table = pq.read_table(folder / "text" / "train.parquet")
    pq.write_table(table.slice(0, 5), folder / "text" / "train.parquet")
    with pytest.raises(ValueError, match=r"text/train\.parquet has 5 rows, but the split has 6 images"):
        Collection(folder)


def test_images_that_changed_are_refused(tmp_path: Path) -> None:
    folder = make_raw(train=6, valid=4, test=4).build(tmp_path / "rocov2")
    collection = Collection(folder)
    for shard in folder.glob("data/*"):
        shard.write_bytes(shard.read_bytes() + b"x")
    with pytest.raises(
        ValueError, match=r"images cannot be read: .* bytes, but [\d,]+ in conversion\.json: start the explorer again"
    ):
        collection.images(collection.rows(Filter()))
    with pytest.raises(ValueError, match=r"images cannot be read: .*\.parquet has [\d,]+ bytes, .*: download it again"):
        Collection(folder)
    for shard in folder.glob("data/*"):
        shard.unlink()
    with pytest.raises(
        ValueError, match=r"images cannot be read: .*\.parquet is missing: start the explorer again"
    ) as told:
        collection.images(collection.rows(Filter()))
    assert "epoch" not in str(told.value)
    with pytest.raises(FileNotFoundError, match="no folder"):
        Collection(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is not a built repository"):
        Collection(tmp_path)


@pytest.mark.parametrize("file", ["text/validation.parquet", "vocabulary/vocabulary.parquet"])
@pytest.mark.parametrize("damage", ["cut", "middle", "columns"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str, damage: str) -> None:
    folder = make_raw(train=6, valid=4, test=4).build(tmp_path / "rocov2")
    path = folder / file
    content = path.read_bytes()
    if damage == "columns":
        pq.write_table(pq.read_table(path).select([0]), path)
    else:
        path.write_bytes(
            content[:100] if damage == "cut" else content[:4] + b"\xff" * (len(content) - 12) + content[-8:]
        )
    with pytest.raises(ValueError, match=rf"{file} cannot be read \(.+\): download it again, or build") as told:
        Collection(folder)
    assert "\n" not in str(told.value)
