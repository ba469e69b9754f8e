"""Streams of plain `datasets`: equal shares for nodes, heads and unions, columns; as docs/streaming.md tells it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.support.environments import SUPPORT, child_environment, python_of
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.streams import build_shards

pytestmark = pytest.mark.slow

VERSIONS = ("4.8.5", "5.2.0")


@dataclass(frozen=True)
class Told:
    """What one version of `datasets` gave of a repository."""

    version: str
    rows: dict[str, list[str]]
    answer: dict[str, Any]


@pytest.fixture(scope="module", params=VERSIONS)
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Told:
    folder = tmp_path_factory.mktemp("nodes")
    repository = build_shards(folder, train=150)
    rows: dict[str, list[str]] = {
        split: [
            row
            for file in sorted(repository.glob(f"data/{split}-*"))
            for row in pq.read_table(file, columns=["image_id"])["image_id"].to_pylist()
        ]
        for split in ("train", "validation")
    }
    return Told(request.param, rows, ask(request.param, repository, folder))


def ask(version: str, repository: Path, home: Path) -> dict[str, Any]:
    """Run `tests/support/nodes.py` with a version of `datasets`."""
    done = subprocess.run(
        [str(python_of(version)), str(SUPPORT / "nodes.py"), str(repository)],
        cwd=home,
        env=child_environment(home / "hf_home"),
        timeout=HANG_SECONDS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("nodes", [1, 2, 4, 8])
def test_nodes_read_shards_of_their_own_and_get_equal_shares(told: Told, nodes: int) -> None:
    shares, shards = told.answer["shares"][str(nodes)], told.answer["shards"]
    assert len(shards) == 16
    for node, share in enumerate(shares):
        assert share == [row for shard in shards[node::nodes] for row in shard]
    counts = [len(share) for share in shares]
    assert max(counts) - min(counts) <= len(shards) // nodes, "more than one row for each shard"
    assert sorted(row for share in shares for row in share) == sorted(told.rows["train"])


def test_other_numbers_of_nodes_get_equal_shares_by_reading_everything(told: Told) -> None:
    shares = told.answer["shares"]["3"]
    assert shares == [told.rows["train"][node::3] for node in range(3)]


def test_heads_and_unions(told: Told) -> None:
    train, validation = told.rows["train"], told.rows["validation"]
    assert told.answer["take"] == train[:10]
    assert told.answer["concatenated"] == train + validation
    assert sorted(told.answer["interleaved"]) == sorted(train + validation)
    assert told.answer["head"] == {"map": train[:15], "stream": "ValueError"}
    old = told.version < "5"
    assert told.answer["union"] == {"map": train + validation, "stream": "ValueError" if old else train + validation}
    assert (told.answer["skip"] == len(train) - 10) != old


def test_epochs_have_orders_of_their_own(told: Told) -> None:
    first, again, second = told.answer["epochs"]
    assert first == again != second
    assert sorted(first) == sorted(second) == sorted(told.rows["train"])


@pytest.mark.skipif(sys.platform != "linux", reason="counts bytes in /proc")
@pytest.mark.parametrize("version", VERSIONS)
def test_only_the_argument_columns_leaves_the_images_unread(version: str, tmp_path: Path) -> None:
    # Larger images, and one shard of each group: footers count little beside them.
    repository = make_raw(train=40, valid=2, test=2, side=400, shared=False).build(tmp_path / "rocov2")
    size = sum(file.stat().st_size for file in repository.glob("data/train-*"))
    read = ask(version, repository, tmp_path)["bytes"]
    assert read["select_columns"] >= 0.9 * size
    assert read["all"] >= 0.9 * size
    assert read["columns"] <= 0.3 * size
