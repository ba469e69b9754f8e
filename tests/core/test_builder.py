"""The builder's steps, one by one, and what `load` takes as a path and as a split; with this environment's `datasets`."""

from __future__ import annotations

import io
import os
import random
import shutil
import socket
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import rocov2
from tests.conftest import Run
from tests.support.raw import make_raw

ROWS = {"train": 48, "validation": 6, "test": 6}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with several shards and row groups."""
    layout = {"shard": 6_000, "row_group": 1_500, "small": 256}
    return make_raw(train=48, shared=False).build(tmp_path_factory.mktemp("built") / "rocov2", **layout)


def _builder(repository: Path | str, cache: Path, **options: Any) -> rocov2.Rocov2:
    return rocov2.Rocov2(data_dir=str(repository), cache_dir=str(cache), **options)


def _shards(repository: Path, split: str, config: str = "default") -> list[str]:
    pattern = f"data/{split}-*-commercial-*" if config == "commercial" else f"data/{split}-*"
    return [str(path) for path in sorted(repository.glob(pattern))]


@pytest.mark.parametrize("config", list(rocov2.CONFIGS))
def test_info(repository: Path, tmp_path: Path, config: str) -> None:
    info = _builder(repository, tmp_path, config_name=config)._info()
    assert info.features == rocov2.CONFIGS[config].features
    assert list(info.features) == list(rocov2.CONFIGS[config].features)
    counts = {split: facts.num_examples for split, facts in info.splits.items()}
    assert counts == {
        "default": ROWS,
        "commercial": {"train": 32, "validation": 4, "test": 4},
        "apart": ROWS,
        "small": ROWS,
        "mini": ROWS,
        "text": ROWS,
        "vocabulary": {"vocabulary": 23},
    }.get(config)
    assert (info.description, info.citation) == (rocov2.DESCRIPTION, rocov2.CITATION)
    assert (info.homepage, info.license) == (rocov2.HOMEPAGE, rocov2.LICENSE)


@pytest.mark.parametrize("config", ["default", "commercial"])
def test_split_generators(repository: Path, tmp_path: Path, config: str) -> None:
    generators = _builder(repository, tmp_path, config_name=config)._split_generators(datasets.DownloadManager())
    assert [(generator.name, generator.gen_kwargs["files"]) for generator in generators] == [
        (split, _shards(repository, split, config)) for split in ROWS
    ]
    assert len(generators[0].gen_kwargs["files"]) == (16 if config == "default" else 8)


def test_generate_tables_gives_a_table_for_each_row_group(repository: Path, tmp_path: Path) -> None:
    files = _shards(repository, "train")[:2]
    groups = [(number, group) for number, file in enumerate(files) for group in range(_row_groups(file))]
    assert len(groups) > len(files)
    tables = dict(_builder(repository, tmp_path)._generate_tables(files, [None, None]))
    assert list(tables) == [f"{number}-{group}" for number, group in groups]
    for number, group in groups:
        table = tables[f"{number}-{group}"]
        assert table.schema == rocov2.FEATURES.arrow_schema
        assert table.to_pylist() == pq.ParquetFile(files[number]).read_row_group(group).to_pylist()
    assert list(dict(_builder(repository, tmp_path)._generate_tables(files, [(1,), (0,)]))) == ["0-1", "1-0"]


def _row_groups(file: str) -> int:
    return int(pq.read_metadata(file).num_row_groups)


class _CountingFile(io.FileIO):
    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(-1 if size is None else size)
        _CountingFile.taken += len(data)
        return data


@pytest.mark.parametrize("columns", [["caption", "image_id"], None])
def test_only_the_named_columns_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: list[str] | None
) -> None:
    raw = make_raw(12, 2, 2, noncommercial=False, shared=False)
    for number, image in enumerate(raw.splits["train"]):
        image.data = _noise(number)
    (file,) = _shards(raw.build(tmp_path / "rocov2", row_group=400_000), "train")
    builder = _builder(tmp_path / "rocov2", tmp_path / "cache", columns=columns)
    monkeypatch.setattr(rocov2, "open", _CountingFile, raising=False)
    monkeypatch.setattr(_CountingFile, "taken", 0)
    tables = list(builder._generate_tables([file], [None]))
    assert len(tables) == 3
    assert {tuple(table.column_names) for _, table in tables} == {
        ("image_id", "caption") if columns else tuple(rocov2.FEATURES)
    }
    images = sum(len(image.data) for image in raw.splits["train"])
    assert images > 1_000_000
    # Without the images: the end of the file with its footer, which is read in one piece, and a few small columns.
    assert _CountingFile.taken < 100_000 if columns else _CountingFile.taken > images


def _noise(seed: int, side: int = 350) -> bytes:
    """A JPEG that does not compress."""
    buffer = io.BytesIO()
    noise = random.Random(seed).randbytes(side * side)
    Image.frombytes("L", (side, side), noise).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def test_a_file_with_other_types_is_cast(repository: Path, tmp_path: Path) -> None:
    (file, *_) = _shards(repository, "test")
    table = pq.read_table(file)
    builder = _builder(repository, tmp_path / "cache")
    position = table.schema.get_field_index("caption")
    pq.write_table(table.set_column(position, "caption", table["caption"].cast(pa.large_string())), tmp_path / "large")
    ((_, cast),) = builder._generate_tables([str(tmp_path / "large")], [None])
    assert cast.schema == rocov2.FEATURES.arrow_schema


def test_reshard_makes_row_groups_the_shards(repository: Path, tmp_path: Path) -> None:
    stream = _builder(repository, tmp_path).as_streaming_dataset("train")
    groups = sum(map(_row_groups, _shards(repository, "train")))
    resharded = stream.reshard()
    assert (stream.num_shards, resharded.num_shards) == (16, groups)
    assert groups > 16
    ids = [row["image_id"] for row in stream]
    assert [row["image_id"] for row in resharded] == ids
    assert [row["image_id"] for row in resharded.reshard()] == ids
    halves = [resharded.shard(2, index) for index in range(2)]
    assert sorted(row["image_id"] for half in halves for row in half) == sorted(ids)


@pytest.mark.parametrize(
    "form", ["rocov2", "./rocov2/", "../{name}/rocov2", "{folder}/rocov2", "~/rocov2", Path("rocov2")]
)
def test_paths(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str | Path) -> None:
    folder = repository.parent
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    path = form if isinstance(form, Path) else form.format(folder=folder, name=folder.name)
    assert len(rocov2.load(path, split="test", cache_dir=str(tmp_path))) == 6
    assert _builder(path, tmp_path).config.data_dir == str(repository)


def test_the_current_directory_is_a_path(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    assert len(rocov2.load(".", split="test", cache_dir=str(tmp_path))) == 6


def test_splits(repository: Path, tmp_path: Path) -> None:
    def ids(split: Any) -> list[Any]:
        loaded = rocov2.load(str(repository), "text", split=split, cache_dir=str(tmp_path))
        return [part["image_id"] for part in loaded] if isinstance(loaded, list) else list(loaded["image_id"])

    train, validation, test = (ids(split) for split in ROWS)
    assert [len(train), len(validation), len(test)] == list(ROWS.values())
    assert ids("train[:25%]") == train[:12]
    assert ids("train[-3:]+test[1:3]") == train[-3:] + test[1:3]
    assert ids("train+validation") == train + validation
    assert ids("all") == train + validation + test
    assert list(map(list, ids(["test", "validation[2:]"]))) == [test, validation[2:]]
    assert ids(datasets.Split.TEST) == test
    assert ids(datasets.ReadInstruction("test", to=2, unit="abs")) == test[:2]


def test_the_identity_is_that_of_the_shards_alone(repository: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(repository, tmp_path / "rocov2"))
    before = rocov2.Repository.open(root).identity
    (root / "data" / "linked").symlink_to("nothing")
    (root / "data" / "notes.txt").write_text("x")
    assert rocov2.Repository.open(root).identity == before


def test_the_identity_follows_size_and_times_of_the_shards(repository: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(repository, tmp_path / "rocov2")
    shard = Path(_shards(changed, "train")[0])
    content, stat = shard.read_bytes(), shard.stat()

    def identify() -> str:
        return rocov2.Repository.open(changed).identity

    found = [identify()]
    (changed / "README.md").write_text("another card")
    shard.read_bytes()
    assert identify() == found[0]
    for what in (content[:-1], b"X" + content[1:], content):
        shard.write_bytes(what)
        os.utime(shard, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a repair by `cp -p` or `rsync -a`
        found.append(identify())
    os.utime(shard, ns=(0, 1))
    found.append(identify())
    assert len(set(found)) == 5


DAMAGED = {
    "{": "Expecting property name enclosed in double quotes",
    "[1]": "it has another form",
    "null": "it has another form",
    '{"default": 5}': "it has another form",
    '{"default": {"splits": ["train"]}}': "it has another form",
    '{"default": {"splits": {"train": {}}}}': "it has another form",
    '{"default": {"splits": {"train": {"num_examples": "x"}}}}': "invalid literal",
    '{"default": {"splits": {"train": {"num_examples": 1e999}}}}': "it has another form",
    '{"default": {"splits": {}}}': "no split",
    "{}": "no split",
}
"""Contents of a dataset_infos.json, and what is said of them."""


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_dataset_infos_json_is_told(repository: Path, tmp_path: Path, content: str) -> None:
    damaged = shutil.copytree(repository, tmp_path / "rocov2")
    (damaged / "dataset_infos.json").write_text(content)
    for read in (
        lambda: rocov2.load(damaged, cache_dir=str(tmp_path / "cache")),
        lambda: _builder(damaged, tmp_path / "cache"),
    ):
        with pytest.raises(ValueError, match="is damaged") as told:
            read()
        assert str(told.value).startswith(
            f"{damaged}/dataset_infos.json is damaged, expected the number of rows of each split ({DAMAGED[content]}"
        )
        assert str(told.value).endswith(
            "): build the repository again with `rocov2 convert RAW --overwrite`, or download that file again"
        )


def test_what_shows_a_repository_tells_a_damaged_dataset_infos_json(repository: Path, tmp_path: Path, run: Run) -> None:
    damaged = shutil.copytree(repository, tmp_path / "rocov2")
    (damaged / "dataset_infos.json").write_text("{")
    done = run("show_repository")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {damaged}/dataset_infos.json is damaged, expected the number of rows")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (TimeoutError("timed out"), "timed out"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (socket.gaierror(-2, "Unknown name"), "its name cannot be resolved, Unknown name: is there a network?"),
    ],
)
@pytest.mark.parametrize("offline", [False, True])
def test_a_hub_out_of_reach_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cause: Exception, reason: str, offline: bool
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("of a library") from cause

    monkeypatch.setattr("rocov2.HfApi.dataset_info", fail)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", offline)
    found = f"the Hub https://huggingface.co cannot be reached for 'raw/rocov2@v1' ({reason})"
    if offline:
        found = (
            "offline mode (HF_HUB_OFFLINE or HF_DATASETS_OFFLINE) keeps the Hub from being asked for 'raw/rocov2@v1'"
        )
    with pytest.raises(ConnectionError) as told:
        rocov2.load("raw/rocov2", revision="v1", cache_dir=str(tmp_path))
    assert str(told.value) == (
        f"no folder 'raw/rocov2' in {Path.cwd()}, {found}, and the cache has no copy. When the Hub can be reached, download "
        "it first: `hf download raw/rocov2 --repo-type dataset --revision v1`"
    )
