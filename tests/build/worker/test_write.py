"""One task -> one file and its facts, called directly."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rocov2 import MODALITIES
from rocov2_build.raw.archives import Images, open_images
from rocov2_build.raw.problems import Report
from rocov2_build.raw.rows import MEASURED
from rocov2_build.shards.tasks import config_schema
from rocov2_build.worker.jpeg import inspect
from rocov2_build.worker.task import CheckTask, FileFacts, ImageFault, ShardTask, TableTask, TextTask, serialize
from rocov2_build.worker.verification import Verification
from rocov2_build.worker.write import run_task
from rocov2_shared.errors import UserError
from tests.support.raw import RawImage, RawRelease, jpeg, make_raw

DATA = config_schema("default")
TEXT = config_schema("text")
SHARD = "data/train-00000-of-00001-commercial-apart.parquet"
GROUPS = (3, 1, 4)


def known(images: list[RawImage]) -> pa.Table:
    """What the tables know of these images, as a task holds it."""
    rows = [
        {
            "image_id": image.id,
            "caption": image.caption,
            "cuis": image.cuis,
            "modality": list(MODALITIES).index(image.modality),
            "concept_names": image.cuis,
            "manual_cuis": image.manual,
            "region": None,
            "direction": None,
            "license": "CC BY",
            "attribution": image.attribution,
            "pmcid": image.pmcid,
            "url": image.link,
            "article_in_other_split": False,
        }
        for image in images
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([field for field in TEXT if field.name not in MEASURED]))


def small_release() -> RawRelease:
    """Eight images of several kinds."""
    raw = make_raw(8, 1, 1)
    raw.image("train", 1).data = jpeg(30, 20, orientation=6)
    raw.image("train", 5).data = jpeg(30, 20, "CMYK", progressive=True)
    return raw


def shard_task(
    raw: RawRelease, folder: Path, groups: tuple[int, ...] = GROUPS, verify: str = "strict", **options: Any
) -> ShardTask:
    """A task with all images of train, in an order that is not the zip's."""
    raw.write(folder, **options)
    source = next(folder / name for name in ("train_images.zip", "train") if (folder / name).exists())
    images = raw.splits["train"][::-1]
    places = open_images(source, "train", Report())
    members = tuple(places.members[image.id] for image in images)
    return ShardTask(
        SHARD, DATA.serialize().to_pybytes(), serialize(known(images)), groups, str(source), members, verify
    )


def run(task: Any, repository: Path) -> FileFacts:
    """Facts of the file of a task that succeeds."""
    (repository / task.path).parent.mkdir(parents=True, exist_ok=True)
    facts = run_task(task, str(repository))
    assert isinstance(facts, FileFacts)
    return facts


def expected_table(images: list[RawImage], sizes: list[tuple[int, int]]) -> pa.Table:
    """The shard as it has to be read."""
    rows = [
        row | {"image": {"bytes": image.data, "path": f"{image.id}.jpg"}, "width": width, "height": height}
        for row, image, (width, height) in zip(known(images).to_pylist(), images, sizes, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=DATA)


def group_bytes(footer: pq.FileMetaData, number: int) -> int:
    group = footer.row_group(number)
    return sum(group.column(i).total_compressed_size for i in range(group.num_columns))


def test_shard(tmp_path: Path) -> None:
    raw = small_release()
    facts = run(shard_task(raw, tmp_path / "raw"), tmp_path)
    path = tmp_path / SHARD
    images = raw.splits["train"][::-1]
    sizes = [(47, 32), (46, 32), (30, 20), (44, 32), (43, 32), (42, 32), (20, 30), (40, 32)]
    assert pq.read_table(path).equals(expected_table(images, sizes))
    assert pq.read_schema(path).metadata == DATA.metadata
    footer = pq.read_metadata(path)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == list(GROUPS)
    assert facts == FileFacts(
        path=SHARD,
        rows=8,
        bytes=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        uncompressed=sum(footer.row_group(i).total_byte_size for i in range(footer.num_row_groups)),
        rows_sha256=facts.rows_sha256,
        layout={
            "footer_bytes": int.from_bytes(path.read_bytes()[-8:-4], "little") + 8,
            "row_groups": {
                "rows": list(GROUPS),
                "bytes": [group_bytes(footer, i) for i in range(footer.num_row_groups)],
            },
        },
        modes={"CMYK": 1, "L": 6, "RGB": 1},
        turned=[raw.image("train", 1).id],
        benign={},
        images="".join(hashlib.sha256(image.data).hexdigest()[:32] for image in images),
        perceptual="".join(inspect(image.data).perceptual for image in images),
    )


@pytest.mark.parametrize("verify", ["markers", "none"])
def test_images_that_are_not_decoded_have_no_perceptual_hashes(tmp_path: Path, verify: str) -> None:
    assert run(shard_task(small_release(), tmp_path / "raw", verify=verify), tmp_path).perceptual == ""


def test_twice_is_the_same(tmp_path: Path) -> None:
    task = shard_task(small_release(), tmp_path / "raw")
    facts = run(task, tmp_path)
    assert run(task, tmp_path) == facts
    assert [file.name for file in (tmp_path / "data").iterdir()] == [Path(SHARD).name]


def test_the_archive_decides_nothing(tmp_path: Path) -> None:
    raw = small_release()
    facts = [
        run(shard_task(raw, tmp_path / name, **options), tmp_path / f"{name} out")
        for name, options in (
            ("zip", {}),
            ("reversed", {"reverse_members": True}),
            ("stored", {"compression": 0}),
            ("folder", {"unpacked": True}),
        )
    ]
    assert facts == [facts[0]] * 4


def test_the_hash_of_the_rows_knows_values_and_order_but_not_the_layout(tmp_path: Path) -> None:
    facts = run(shard_task(small_release(), tmp_path / "a"), tmp_path)
    regrouped = run(shard_task(small_release(), tmp_path / "b", (8,)), tmp_path)
    assert (regrouped.rows_sha256, regrouped.sha256 == facts.sha256) == (facts.rows_sha256, False)
    other_caption, other_image, other_order = small_release(), small_release(), small_release()
    other_caption.image("train", 3).caption += " "
    other_image.image("train", 0).data = jpeg(40, 32, seed=99)
    images = other_order.splits["train"]
    images[2:4] = images[3:1:-1]
    hashes = [
        run(shard_task(raw, tmp_path / str(i)), tmp_path).rows_sha256
        for i, raw in enumerate((other_caption, other_image, other_order))
    ]
    assert len({*hashes, facts.rows_sha256}) == 4


def test_the_hash_of_the_rows_can_be_computed_from_the_file(tmp_path: Path) -> None:
    facts = run(shard_task(small_release(), tmp_path / "raw"), tmp_path)
    rows = [
        [value for name, value in row.items() if name != "image"] + [hashlib.sha256(row["image"]["bytes"]).hexdigest()]
        for row in pq.read_table(tmp_path / facts.path).to_pylist()
    ]
    lines = "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)
    assert facts.rows_sha256 == hashlib.sha256(lines.encode()).hexdigest()


@pytest.mark.parametrize("verify", ["strict", "markers", "none"])
def test_all_faults_of_a_shard_are_told_and_no_file_is_left(tmp_path: Path, verify: str) -> None:
    raw = small_release()
    first, second, third, fourth = (raw.image("train", i) for i in (1, 3, 4, 6))
    first.data = b"<html></html>"
    second.data = second.data[:-20]
    third.data = third.data[:-40] + b"\xff\xd9"
    fourth.data = b""
    (tmp_path / "data").mkdir()
    faults = run_task(shard_task(raw, tmp_path / "raw", verify=verify), str(tmp_path))
    assert isinstance(faults, list)
    source = "train_images.zip"
    length = len(second.data)
    possible = {
        "none": ImageFault("not-a-jpeg", source, first.id, "a JPEG", repr(first.data)),
        "markers": ImageFault(
            "truncated-jpeg", source, second.id, "the marker of the end (EOI)", f"none in {length} bytes"
        ),
        "strict": ImageFault(
            "damaged-jpeg",
            source,
            third.id,
            "a JPEG that decodes without a loss",
            "Corrupt JPEG data: premature end of data segment",
        ),
    }
    empty = ImageFault("not-a-jpeg", source, fourth.id, "a JPEG", "an empty file")
    seen = list(possible)[: list(possible).index(verify) + 1]
    assert sorted(faults, key=lambda fault: fault.image_id) == [*(possible[level] for level in seen), empty]
    assert list((tmp_path / "data").iterdir()) == []


def test_benign_images_are_listed_with_the_complaint(tmp_path: Path) -> None:
    raw = small_release()
    image = raw.image("train", 2)
    place = image.data.index(b"\xff\xdb")
    image.data = image.data[:place] + b"junk" + image.data[place:]
    found = "Corrupt JPEG data: 4 extraneous bytes before marker 0xdb"
    assert run(shard_task(raw, tmp_path / "raw"), tmp_path).benign == {image.id: found}


def test_turned_images_are_listed(tmp_path: Path) -> None:
    raw = small_release()
    for number, orientation in enumerate([1, 3, 6]):
        raw.image("train", number).data = jpeg(orientation=orientation)
    ids = [raw.image("train", number).id for number in (2, 1)]  # in the order of the rows
    for verify in Verification:
        assert run(shard_task(raw, tmp_path / "raw", verify=verify), tmp_path).turned == ids


def test_an_archive_that_is_gone(tmp_path: Path) -> None:
    task = shard_task(small_release(), tmp_path / "raw")
    Path(task.source).unlink()
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match="is gone: the raw release must stay in place"):
        run_task(task, str(tmp_path))
    assert list((tmp_path / "data").iterdir()) == []


def test_text(tmp_path: Path) -> None:
    raw, other = small_release(), small_release()
    for image in other.splits["train"]:
        image.caption = f"other {image.caption}"
    shards = [run(shard_task(raw, tmp_path / "a"), tmp_path)]
    second = ShardTask(**vars(shard_task(other, tmp_path / "b")) | {"path": "data/train-00001.parquet"})
    shards.append(run(second, tmp_path))
    task = TextTask(
        "text/train.parquet", TEXT.serialize().to_pybytes(), tuple((facts.path, facts.sha256) for facts in shards)
    )
    facts = run(task, tmp_path)
    path = tmp_path / "text/train.parquet"
    expected = pa.concat_tables(pq.read_table(tmp_path / shard.path).drop_columns(["image"]) for shard in shards)
    assert pq.read_table(path).equals(expected.cast(TEXT))
    assert pq.read_schema(path).metadata == TEXT.metadata
    assert (facts.rows, facts.modes, facts.benign, facts.images) == (16, {}, {}, "")
    assert (facts.bytes, facts.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert run(task, tmp_path) == facts


def test_table(tmp_path: Path) -> None:
    schema = config_schema("vocabulary")
    rows = [
        {"cui": "C1", "name": None, "kind": "concept", "train": 1, "validation": 0, "test": 2},
        {"cui": "C2", "name": "two, 2", "kind": "region", "train": 0, "validation": 0, "test": 0},
    ]
    table = pa.Table.from_pylist(rows, schema=schema)
    facts = run(TableTask("vocabulary/v.parquet", schema.serialize().to_pybytes(), serialize(table)), tmp_path)
    path = tmp_path / "vocabulary/v.parquet"
    assert pq.read_table(path).to_pylist() == rows
    assert pq.read_schema(path).equals(schema, check_metadata=True)
    assert (facts.rows, facts.bytes, facts.modes) == (2, path.stat().st_size, {})
    lines = b'["C1",null,"concept",1,0,2]\n["C2","two, 2","region",0,0,0]\n'
    assert facts.rows_sha256 == hashlib.sha256(lines).hexdigest()


def check_task(images: Images, verify: str = "strict") -> CheckTask:
    """A look at all images of an archive."""
    return CheckTask("check", str(images.path), tuple(images.members), tuple(images.members.values()), verify)


def test_check_writes_nothing(tmp_path: Path) -> None:
    raw = small_release()
    raw.image("train", 0).data = b"GIF89a"
    raw.image("train", 7).data = raw.image("train", 7).data[:-2]
    images = open_images(raw.write(tmp_path / "raw") / "train_images.zip", "train", Report())
    found = run_task(check_task(images), str(tmp_path / "nowhere"))
    assert isinstance(found, list)
    assert [(fault.code, fault.image_id) for fault in found] == [
        ("not-a-jpeg", raw.image("train", 0).id),
        ("truncated-jpeg", raw.image("train", 7).id),
    ]
    assert run_task(check_task(images, "none"), "") == found[:1]
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


def test_check_of_intact_images(tmp_path: Path) -> None:
    images = open_images(small_release().write(tmp_path, unpacked=True) / "train", "train", Report())
    assert run_task(check_task(images), "") == []


def test_workers_import_neither_datasets_nor_pandas_nor_rocov2(tmp_path: Path) -> None:
    # Not even for their first task: pyarrow imports pandas as soon as it may be given something of it.
    (tmp_path / "data").mkdir()
    (tmp_path / "task").write_bytes(pickle.dumps(shard_task(small_release(), tmp_path / "raw")))
    program = (
        "import pickle, sys, rocov2_build.worker.write\n"
        "task = pickle.load(open(sys.argv[1] + '/task', 'rb'))\n"
        "assert rocov2_build.worker.write.run_task(task, sys.argv[1]).rows == 8\n"
        "print(*sys.modules)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    modules = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "pyarrow.parquet" in modules
    assert {"datasets", "pandas", "rocov2", "numpy.testing", "click"}.isdisjoint(modules)
