"""Searching a dataset on the Hub: by its text, with images fetched when they are shown."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rocov2_build.shards import mini
from rocov2_tasks.explorer.filters import Filter
from tests.support.hub import Hub
from tests.support.processes import HANG_SECONDS
from tests.support.raw import make_raw
from tests.support.repositories import all_rows, images_by_id

pytestmark = pytest.mark.slow

pytest.importorskip("duckdb")

from rocov2_tasks.explorer.collection import Collection  # noqa: E402


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    release = make_raw(train=60, valid=20, test=12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "ROWS", {"train": 20, "validation": 12, "test": 12})
        return release.build(tmp_path_factory.mktemp("hub") / "rocov2", shard=20_000, row_group=5_000, small=16)


PROGRAM = """
import hashlib, json
from rocov2_tasks.explorer.collection import Collection, Filter
collection = Collection("org/rocov2")
filter = Filter(text="*e*", modalities=("CT", "MRI"))
rows = collection.rows(filter)
names = {}
exec(collection.python(filter), names)
free = Filter(text="*e*", commercial=True)
names_free = {}
exec(collection.python(free), names_free)
free = [[row["image_id"] for row in collection.rows(free)], names_free["rows"]["image_id"][:], collection.python(free)]
hashes = [hashlib.sha256(image).hexdigest() for image in collection.images(rows)]
few = collection.rows(Filter(config="mini"))
few = [[row["image_id"], hashlib.sha256(image).hexdigest()] for row, image in zip(few, collection.images(few, "mini"))]
names = names["rows"]["image_id"][:]
print(json.dumps([[row["image_id"] for row in rows], hashes, names, collection.sql(filter), *free, few]))
"""


def test_a_dataset_on_the_hub_is_searched_by_its_text(repository: Path, tmp_path: Path, environment: Any) -> None:
    with Hub({"org/rocov2": repository}) as hub:
        variables = environment | hub.environment(tmp_path / "home") | {"HF_HUB_OFFLINE": "0"}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True)
        commit = hub.snapshot("org/rocov2").commit
    assert done.returncode == 0, done.stderr
    found, hashes, copied, sql, free, free_copied, code, few = json.loads(done.stdout)
    assert few == [[row["image_id"], row["image"][1]] for rows in all_rows(repository)["mini"].values() for row in rows]
    wanted = [row["image_id"] for row in Collection(repository).rows(Filter(text="*e*", modalities=("CT", "MRI")))]
    images = images_by_id(repository)
    assert len(wanted) > 2
    assert found == copied == wanted
    assert hashes == [hashlib.sha256(images[id]).hexdigest() for id in wanted]
    assert f"'hf://datasets/org/rocov2@{commit}/text/train.parquet'" in sql
    assert 0 < len(free) < 92
    assert free_copied == free
    load = f"rows = load_dataset('org/rocov2', \"commercial\", revision='{commit}', split='train+validation+test')\n"
    assert '# Downloads every image before it filters; the configuration "text" has the rows without images.' in code
    assert load in code
    assert "license" not in code


IMPATIENT = """
import sys
from rocov2_tasks.explorer import collection as module, images
images.PATIENCE = 1.0
collection = module.Collection("org/rocov2")
print("open", flush=True)
sys.stdin.readline()
try:
    collection.images(collection.rows(module.Filter()))
except ConnectionError as error:
    print(error, flush=True)
"""


def test_a_hub_that_is_gone_is_not_waited_for(repository: Path, tmp_path: Path, environment: Any) -> None:
    with Hub({"org/rocov2": repository}) as hub:
        variables = environment | hub.environment(tmp_path / "home") | {"HF_HUB_OFFLINE": "0"}
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([sys.executable, "-c", IMPATIENT], env=variables, text=True, **pipes)
        assert process.stdout
        try:
            opened = process.stdout.readline()
        except BaseException:
            process.kill()
            raise
    with process, socket.socket() as port:
        # Keep the port of the Hub that is gone, so that no server of another test gets it and answers.
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.bind(("127.0.0.1", int(hub.endpoint.rpartition(":")[2])))
        try:
            assert opened == "open\n"
            said, error = process.communicate("go\n", timeout=HANG_SECONDS)
        finally:
            process.kill()
    assert said == "The Hub does not answer, try again\n", error
    assert process.returncode == 0
