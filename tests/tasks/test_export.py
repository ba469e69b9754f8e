"""Exports, read back by the tools they are for where these are light, else by what those tools do with them."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

import rocov2
from rocov2_shared.errors import UserError
from rocov2_tasks.export import export, make_plan
from rocov2_tasks.formats import CREDIT, FORMATS, ExportOptions
from rocov2_tasks.formats.vlmevalkit import write_vlmevalkit
from rocov2_tasks.shaping.prompts import PROMPTS
from tests.support.raw import make_raw
from tests.support.repositories import files_of, images_by_id

COUNTS = {"train": 24, "validation": 6, "test": 6}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first rows of train have neither region nor direction."""
    raw = make_raw(train=24)
    by_place = sorted(raw.splits["train"], key=lambda image: hashlib.sha256(image.id.encode()).digest())
    by_place.sort(key=lambda image: image.region is not None or image.direction is not None)
    for image, id in zip(by_place, sorted((i.id for i in by_place), key=_place), strict=True):
        image.id = id
    return raw.build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


def _place(id: str) -> bytes:
    return hashlib.sha256(id.encode()).digest()


@pytest.fixture
def rows(built: Path, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rows by split in the order of the files, without images, labels by name."""
    text = rocov2.load(built, "text", cache_dir=str(tmp_path / "text"))
    return {
        split: [
            row
            | {name: value or [""] for name, value in row.items() if isinstance(value, list)}
            | {
                name: "" if row[name] is None else feature.int2str(row[name])
                for name, feature in part.features.items()
                if isinstance(feature, datasets.ClassLabel)
            }
            for row in part
        ]
        for split, part in text.items()
    }


def make(built: Path, output: Path, format: str, **options: Any) -> Path:
    chosen = ExportOptions(format, **options)
    export(make_plan(str(built), chosen), output, chosen)
    return output


# WebDataset.


def test_tars_have_image_caption_and_the_rest(built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    out = make(built, tmp_path / "out", "webdataset")
    images = images_by_id(built)
    sizes = json.loads((out / "sizes.json").read_bytes())
    assert set(sizes) == {path.name for path in out.glob("*.tar")} == set(os.listdir(out)) - {"sizes.json"}
    for split, expected in rows.items():
        tars = sorted(out.glob(f"{split}-*.tar"))
        assert len(tars) == len(list((built / "data").glob(f"{split}-*")))
        found = []
        for path in tars:
            with tarfile.open(path) as tar:
                members = tar.getmembers()
                contents = [tar.extractfile(member).read() for member in members]  # type: ignore[union-attr]
            assert all((m.mtime, m.uid, m.gid, m.uname, m.mode) == (0, 0, 0, "", 0o644) for m in members)
            assert len(members) == 3 * sizes[path.name]
            for number in range(0, len(members), 3):
                key = members[number].name.partition(".")[0]
                assert [m.name for m in members[number : number + 3]] == [f"{key}.{e}" for e in ("jpg", "txt", "json")]
                assert contents[number] == images[key]
                found.append(json.loads(contents[number + 2]) | {"caption": contents[number + 1].decode()})
        assert found == expected


def test_webdataset_reads_them(built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    out = make(built, tmp_path / "out", "webdataset")
    images = images_by_id(built)
    last = len(list(out.glob("train-*.tar"))) - 1
    samples = list(webdataset.WebDataset(f"{out}/train-{{00000..{last:05d}}}.tar", shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [row["image_id"] for row in rows["train"]]
    assert all(sample["jpg"] == images[sample["__key__"]] for sample in samples)
    pairs = webdataset.WebDataset(f"{out}/train-{{00000..{last:05d}}}.tar", shardshuffle=False).decode("pilrgb")
    captions = [(caption, image.mode) for image, caption in pairs.to_tuple("jpg;png", "txt")]
    assert captions == [(row["caption"], "RGB") for row in rows["train"]]


@pytest.mark.torch
def test_workers_share_the_tars(built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    out = make(built, tmp_path / "out", "webdataset", split="train")
    last = len(list(out.glob("train-*.tar"))) - 1
    reader = webdataset.WebDataset(f"{out}/train-{{00000..{last:05d}}}.tar", shardshuffle=False)
    samples = list(torch.utils.data.DataLoader(reader, num_workers=2, batch_size=None))
    assert sorted(sample["__key__"] for sample in samples) == sorted(row["image_id"] for row in rows["train"])


def test_datasets_reads_them(built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    out = make(built, tmp_path / "out", "webdataset")
    files = {split: f"{out}/{split}-*.tar" for split in COUNTS}
    for streaming in (False, True):
        loaded = datasets.load_dataset(
            "webdataset", data_files=files, streaming=streaming, cache_dir=str(tmp_path / "cache")
        )
        for split, expected in rows.items():
            found = list(loaded[split].cast_column("jpg", datasets.Image(decode=False)))
            assert [row["json"] | {"caption": row["txt"]} for row in found] == expected
            images = images_by_id(built)
            assert all(row["jpg"]["bytes"] == images[row["__key__"]] for row in found)


@pytest.mark.parametrize("size", [1, 4_000, 10**9])
def test_tars_hold_as_many_bytes_as_are_asked_for(size: int, built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    out = make(built, tmp_path / "out", "webdataset", max_shard_size=size, split="train")
    images = images_by_id(built)
    keys = []
    for path in sorted(out.glob("*.tar")):
        with tarfile.open(path) as tar:
            names = [Path(member.name).stem for member in tar.getmembers() if member.name.endswith(".jpg")]
        assert len(names) == 1 or sum(len(images[name]) for name in names) <= size
        keys.append(names)
    assert [name for names in keys for name in names] == [row["image_id"] for row in rows["train"]]
    assert all(len(images[b[0]]) + sum(len(images[name]) for name in a) > size for a, b in pairwise(keys))
    assert sum(json.loads((out / "sizes.json").read_bytes()).values()) == 24


# LLaMA-Factory.


def test_the_form_of_llamafactory(built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    out = make(built, tmp_path / "out", "llamafactory", seed=1)
    info = json.loads((out / "dataset_info.json").read_bytes())
    images = images_by_id(built)
    assert list(info) == ["rocov2_train", "rocov2_validation", "rocov2_test"]
    for split, expected in rows.items():
        entry = info[f"rocov2_{split}"]
        assert entry["formatting"] == "sharegpt"
        # As its loader does: all files of the folder, by the extension of the first.
        files = [str(path) for path in sorted((out / entry["file_name"]).iterdir())]
        assert {Path(file).suffix for file in files} == {".parquet"}
        part = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path / "cache"))
        assert part.column_names == ["image_id", *CREDIT, "conversations", "images"]
        found = list(part)
        for row, before in zip(found, expected, strict=True):
            assert [row[name] for name in ("image_id", *CREDIT)] == [before[name] for name in ("image_id", *CREDIT)]
            turns, pictures = (row[entry["columns"][name]] for name in ("messages", "images"))
            assert [turn["from"] for turn in turns] == ["human", "gpt"]
            assert turns[0]["value"].startswith("<image>")
            assert turns[0]["value"].removeprefix("<image>") in PROMPTS["caption"]
            assert turns[1]["value"] == before["caption"]
            assert sum(turn["value"].count("<image>") for turn in turns) == len(pictures) == 1
            # Bytes and path, no picture: its map() would save a picture anew.
            assert pictures[0] == {"bytes": images[before["image_id"]], "path": f"{before['image_id']}.jpg"}
        assert len({row["conversations"][0]["value"] for row in found}) > 1


# VLMEvalKit.


def test_the_form_of_vlmevalkit(built: Path, rows: dict[str, Any], tmp_path: Path) -> None:
    out = make(built, tmp_path / "out", "vlmevalkit", prompts=('Describe\tthis "image".',))
    images = images_by_id(built)
    assert {path.name for path in out.iterdir()} == {f"ROCOv2_{split}.tsv" for split in COUNTS}
    for split, expected in rows.items():
        table = pd.read_csv(out / f"ROCOv2_{split}.tsv", sep="\t")  # as it does; "NA" and the like become NaN
        assert list(table) == ["index", "image", "question", "answer", "category", "image_id", *CREDIT]
        assert table["index"].tolist() == list(range(len(expected)))
        assert not table.isna().any(axis=None)
        assert set(table["question"]) == {'Describe\tthis "image".'}
        assert [ast.literal_eval(answer) for answer in table["answer"]] == [[row["caption"]] for row in expected]
        assert table["category"].tolist() == [row["modality"] for row in expected]
        for name in ("image_id", *CREDIT):
            assert table[name].tolist() == [row[name] for row in expected]
        for id, image in zip(table["image_id"], table["image"], strict=True):
            assert len(image) > 64  # a shorter one is taken for the index of another row
            assert base64.b64decode(image) == images[id]


@pytest.mark.parametrize("text", ["a\rb?", "a\r\nb?", "a\nb?", "\ta", 'a"', '"a"\t"\r"', "'a', \\r", " a "])
def test_tables_hold_any_text(text: str, built: Path, tmp_path: Path) -> None:
    table = pq.read_table(max((built / "data").glob("test-*")), partitioning=None).slice(0, 2)
    for name in ("caption", "attribution", "url"):
        table = table.set_column(table.column_names.index(name), name, pa.array([text] * 2))
    write_vlmevalkit(tmp_path, "test", iter([iter([table])]), ExportOptions("vlmevalkit", prompts=(text,)))
    found = pd.read_csv(tmp_path / "ROCOv2_test.tsv", sep="\t")
    assert found["index"].tolist() == [0, 1]
    assert [ast.literal_eval(answer) for answer in found["answer"]] == [[text]] * 2
    for name in ("question", "attribution", "url"):
        assert found[name].tolist() == [text] * 2
    assert [base64.b64decode(image) for image in found["image"]] == [row["bytes"] for row in table["image"].to_pylist()]


# All formats.


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_bytes_again(format: str, built: Path, tmp_path: Path) -> None:
    first = files_of(make(built, tmp_path / "a", format))
    assert files_of(make(built, tmp_path / "b", format)) == first
    (tmp_path / "empty").mkdir()
    assert files_of(make(built, tmp_path / "empty", format)) == first
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "empty"]


@pytest.mark.parametrize("format", FORMATS)
def test_one_split_and_one_config(format: str, built: Path, tmp_path: Path) -> None:
    whole, part = make(built, tmp_path / "whole", format), make(built, tmp_path / "part", format, split="test")
    expected = {path: data for path, data in files_of(whole).items() if "test" in path}
    assert expected
    assert {path: data for path, data in files_of(part).items() if not path.endswith(".json")} == expected
    free = make(built, tmp_path / "free", format, split="train", config="commercial")
    ids = {image.id for image in make_raw(train=24).splits["train"] if "-NC" not in image.attribution}
    assert len(_ids(free, format)) == len(ids) < 24


def _ids(out: Path, format: str) -> list[str]:
    if format == "webdataset":
        paths = sorted(out.glob("*.tar"))
        return [name[:-4] for path in paths for name in tarfile.open(path).getnames() if name.endswith(".jpg")]
    if format == "llamafactory":
        return [id for path in sorted(out.glob("*/*")) for id in pq.read_table(path)["image_id"].to_pylist()]
    return [id for path in out.glob("*.tsv") for id in pd.read_csv(path, sep="\t")["image_id"]]


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_repository_leaves_nothing(format: str, tmp_path: Path) -> None:
    built = make_raw(train=6).build(tmp_path / "rocov2")
    shard = max((built / "data").glob("train-*"))
    shard.write_bytes(shard.read_bytes()[:-40])
    with pytest.raises(UserError, match=rf"{shard.name} cannot be read \(.*\): check the repository"):
        make(built, tmp_path / "out", format)
    assert set(os.listdir(tmp_path)) <= {"rocov2"}


def test_missing_rows_are_told(tmp_path: Path) -> None:
    built = make_raw(train=6).build(tmp_path / "rocov2")
    infos = json.loads((built / "dataset_infos.json").read_text())
    infos["default"]["splits"]["test"]["num_examples"] += 1
    (built / "dataset_infos.json").write_text(json.dumps(infos))
    with pytest.raises(UserError, match=r"split 'test' has 6 rows, but dataset_infos\.json records 7"):
        make(built, tmp_path / "out", "vlmevalkit")
    assert not (tmp_path / "out").exists()


def test_a_link_in_the_place_of_the_unfinished_folder_is_not_followed(built: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("")
    (tmp_path / "out.exporting").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match=r"out\.exporting is needed for unfinished work"):
        make(built, tmp_path / "out", "webdataset")
    assert (tmp_path / "precious" / "file").exists()


def test_an_export_is_not_made_inside_the_repository_or_around_it(built: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(built)
    before = sorted(built.parent.rglob("*"))
    for output in (built, built / "out", built / "data" / "out", tmp_path / "link" / "out", built.parent):
        with pytest.raises(UserError, match=r"name a folder outside for OUTPUT, so that nothing that is read"):
            make(built, output, "webdataset")
    assert sorted(built.parent.rglob("*")) == before


def test_an_export_goes_where_a_link_leads(built: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("disk/tars")
    make(built, tmp_path / "out", "webdataset")
    assert (tmp_path / "out").is_symlink()
    assert (tmp_path / "disk" / "tars" / "sizes.json").is_file()
    assert os.listdir(tmp_path / "disk") == ["tars"]
