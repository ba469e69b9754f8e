"""Exports of repositories that are damaged, and of one on the Hub that goes away: it is told, and nothing is left."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from rocov2 import FEATURES, Repository
from rocov2_shared.errors import UserError
from rocov2_tasks.export import export, make_plan
from rocov2_tasks.formats import FORMATS, ExportOptions
from tests.conftest import PROJECT, Run
from tests.support.breaking import rewrite, set_value
from tests.support.full_disk import export_onto_full_disk
from tests.support.hub import Hub, Request, Response
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw

TARS = ExportOptions("webdataset")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_raw(train=12).build(tmp_path_factory.mktemp("built") / "rocov2", shard=3_000, row_group=1_500)


def a_shard(repository: Path) -> Path:
    return max((repository / "data").glob("train-*-commercial-*"))


def refused(repository: Path, output: Path, options: ExportOptions = TARS) -> str:
    """What is told; nothing may be left of an export."""
    with pytest.raises(UserError) as told:
        export(make_plan(str(repository), options), output, options)
    assert not list(output.parent.glob(f"{output.name}*"))
    return str(told.value)


# What comes from the Hub.


class Vanishing(Hub):
    """Gives one shard, and is gone."""

    def answer(self, request: Request) -> Response:
        before = [request for request in self.requests[:-1] if request.listener == "storage"]
        if request.listener == "storage" and before:
            self.__exit__()
            raise ConnectionAbortedError("gone")
        return super().answer(request)


_AT_ONCE = """
import runpy, sys, time
time.sleep = lambda seconds: None  # huggingface_hub waits before it asks again
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_network_that_is_lost_is_told(built: Path, tmp_path: Path) -> None:
    script = str(PROJECT / "scripts" / "export.py")
    command = [sys.executable, "-c", _AT_ONCE, script, "org/rocov2", "out", "--format", "webdataset"]
    with Vanishing({"org/rocov2": built}) as hub:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        settings: dict[str, Any] = {"env": environment | hub.environment(tmp_path / "home"), "cwd": tmp_path}
        done = subprocess.run(command, **settings, capture_output=True, text=True, check=False, timeout=HANG_SECONDS)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert re.fullmatch(
        r"Error: hf://datasets/org/rocov2@\w+/data/train-00001-of-\d{5}-commercial-\w+\.parquet could not be read from the "
        r"Hub \(ConnectError: .+\): check the network, and run the same command again",
        done.stderr.splitlines()[-1],
    )
    assert os.listdir(tmp_path) == ["home"]


class BreakingFile(io.FileIO):
    """A file whose footer can be read, and no more."""

    def __init__(self, path: str, error: Exception) -> None:
        super().__init__(path)
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() < 100:
            raise self._error
        return super().read(-1 if size is None else size)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("the client is closed\nand more"), "RuntimeError: the client is closed"),
        (TimeoutError(), "TimeoutError"),
        (ConnectionResetError(104, "reset"), "ConnectionResetError: [Errno 104] reset"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_of_the_hub_every_error_of_reading_is_the_networks(
    error: Exception, said: str, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(str(built), TARS)
    shard = f"{built}/{plan.shards['train'][0]}"
    monkeypatch.setattr("fsspec.open", lambda *_: SimpleNamespace(open=lambda: BreakingFile(shard, error)))
    with pytest.raises(type(error)):
        export(plan, tmp_path / "out", TARS)
    root = "hf://datasets/org/rocov2@0"
    with pytest.raises(UserError) as told:
        export(replace(plan, repository=replace(plan.repository, root=root), hashes=None), tmp_path / "out", TARS)
    expected = (
        f"{root}/{plan.shards['train'][0]} could not be read from the Hub ({said}): check the network, and run the same"
    )
    assert str(told.value) == f"{expected} command again"
    assert os.listdir(tmp_path) == []


def test_a_damaged_shard_of_the_hub_is_its_publishers_matter(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(str(built), TARS)
    (tmp_path / "damaged").write_bytes(b"PAR1 and no more")
    monkeypatch.setattr("fsspec.open", lambda *_: SimpleNamespace(open=lambda: (tmp_path / "damaged").open("rb")))
    repository = replace(plan.repository, root="hf://datasets/org/rocov2@0")
    with pytest.raises(
        UserError, match=r"cannot be read \(ArrowInvalid: .+\): report it to its publisher, or use another"
    ):
        export(replace(plan, repository=repository, hashes=None), tmp_path / "out", TARS)


# Files of a folder.


def drop_caption(table: pa.Table) -> pa.Table:
    return table.drop_columns("caption")


def add_note(table: pa.Table) -> pa.Table:
    return table.append_column("note", pa.array(["x"] * len(table)))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("change", [drop_caption, add_note])
def test_other_columns_are_told(
    format: str, change: Callable[[pa.Table], pa.Table], repository: Path, tmp_path: Path
) -> None:
    shard = a_shard(repository)
    table = change(pq.read_table(shard, partitioning=None))
    pq.write_table(table, shard)
    assert refused(repository, tmp_path / "out", ExportOptions(format)) == (
        f"{shard} has other columns (expected {', '.join(FEATURES)}, found {', '.join(table.column_names)}): check the "
        "repository with `rocov2 check`, and build or copy it again"
    )


@pytest.mark.parametrize("format", FORMATS)
def test_damage_that_still_decodes_is_told(format: str, repository: Path, tmp_path: Path) -> None:
    shard = a_shard(repository)
    content = bytearray(shard.read_bytes())
    place = content.index(b"JFIF\0") + len(b"JFIF\0\1\1\1")
    content[place] ^= 2  # of the horizontal density
    shard.write_bytes(content)
    for row in pq.read_table(shard, columns=["image"], partitioning=None)["image"].to_pylist():
        Image.open(io.BytesIO(row["bytes"])).load()
    stated = json.loads((repository / "conversion.json").read_bytes())["files"][f"data/{shard.name}"]["sha256"]
    told = refused(repository, tmp_path / "out", ExportOptions(format))
    assert told.startswith(
        f"{shard} is not as it was written (expected the SHA-256 {stated} of conversion.json, found "
    )
    assert told.endswith("): check the repository with `rocov2 check`, and build or copy it again")


FAULTS: list[tuple[str, Any, str]] = [
    ("caption", None, "caption is null"),
    ("cuis", None, "cuis is null"),
    ("concept_names", ["CT", None], "concept_names is a list with null"),
    ("modality", None, "modality is null"),
    ("modality", -1, "modality is -1, expected 0 to 6"),
    ("region", 8, "region is 8, expected 0 to 7"),
    ("attribution", None, "attribution is null"),
    ("image", None, "image is null"),
    ("image", {"bytes": None, "path": "x.jpg"}, "image has no bytes"),
]


@pytest.mark.parametrize(
    ("column", "value", "fault", "format"),
    [
        *((*fault, "webdataset") for fault in FAULTS),
        *((*FAULTS[0], format) for format in FORMATS if format != "webdataset"),
    ],
)
def test_a_row_without_a_value_is_named(
    column: str, value: Any, fault: str, format: str, repository: Path, tmp_path: Path
) -> None:
    shard = a_shard(repository)
    table = pq.read_table(shard, partitioning=None)
    rows = table.to_pylist()
    rows[-1][column] = value
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), shard)
    options = ExportOptions(format)
    plan = replace(make_plan(str(repository), options), hashes=None)  # as of a dataset on the Hub
    with pytest.raises(UserError) as told:
        export(plan, tmp_path / "out", options)
    assert str(told.value) == (
        f"{shard}: {rows[-1]['image_id']}: {fault}: check the repository with `rocov2 check`, and build or copy it again"
    )
    assert os.listdir(tmp_path) == ["rocov2"]


def test_a_shard_that_conversion_json_does_not_state_is_told(repository: Path, tmp_path: Path) -> None:
    path = repository / "conversion.json"
    conversion = json.loads(path.read_bytes())
    del conversion["files"][f"data/{a_shard(repository).name}"]
    path.write_text(json.dumps(conversion))
    assert "expected an entry in conversion.json, found " in refused(repository, tmp_path / "out")


@pytest.mark.parametrize("content", ["{", "[]", "null", "{}", '{"files": []}', '{"files": {"a": 1}}'])
def test_a_damaged_conversion_json_is_told(content: str, repository: Path, tmp_path: Path) -> None:
    (repository / "conversion.json").write_text(content)
    assert f"{repository}/conversion.json is damaged, expected the hashes" in refused(repository, tmp_path / "out")


@pytest.mark.parametrize("content", ["{", "[1]", '{"default": {"splits": {"test": {}}}}'])
def test_the_command_tells_a_damaged_dataset_infos_json(
    content: str, repository: Path, tmp_path: Path, run: Run
) -> None:
    (repository / "dataset_infos.json").write_text(content)
    done = run("export", repository, "out", "--format", "webdataset")
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {repository}/dataset_infos.json is damaged, expected the number of rows of ")
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == ["rocov2"]


def test_shards_of_the_hub_are_not_hashed(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Repository.open(built)
    monkeypatch.setattr(Repository, "open", lambda _: replace(repository, root="hf://datasets/org/rocov2@0"))
    assert make_plan("org/rocov2", TARS).hashes is None


@pytest.mark.parametrize(("format", "number"), [("webdataset", 3), ("vlmevalkit", 2)])
def test_a_full_disk_leaves_nothing_and_the_same_command_finishes(
    built: Path, tmp_path: Path, format: str, number: int
) -> None:
    assert export_onto_full_disk(built, tmp_path / "exports" / "out", format, number)


@pytest.mark.parametrize("path", ["../x.jpg", "/etc/x.jpg", "a\\b.jpg", "..", "c:x.jpg", ""])
@pytest.mark.parametrize("name", FORMATS)
def test_a_path_that_leads_elsewhere_is_not_exported(built: Path, tmp_path: Path, name: str, path: str) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    shard = a_shard(repository).relative_to(repository).as_posix()
    rewrite(repository, shard, set_value("image", 0, {"bytes": b"x", "path": path}))
    told = refused(repository, tmp_path / "out", ExportOptions(name))
    assert f"the path of image is {path!r}, expected the name of a file: " in told


@pytest.mark.parametrize("image_id", ["../x", "/x", "a.b", "", "x" * 91, "a\nb"])
def test_an_id_that_is_no_name_makes_no_member_of_a_tar(built: Path, tmp_path: Path, image_id: str) -> None:
    repository = Path(shutil.copytree(built, tmp_path / "rocov2"))
    shard = a_shard(repository).relative_to(repository).as_posix()
    rewrite(repository, shard, set_value("image_id", 0, image_id))
    assert f"image id {image_id!r} cannot be a file name in a tar" in refused(repository, tmp_path / "out")
