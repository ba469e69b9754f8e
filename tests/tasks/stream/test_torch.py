"""The stream for pre-training in the loaders of torch and torchdata: same batches, same order, resumed exactly."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from rocov2_tasks.pretraining import PretrainingStream
from tests.conftest import PROJECT
from tests.support.streams import BATCH, build_shards, flat, ids_by_batch, open_stream

pytestmark = pytest.mark.torch
torch: Any = pytest.importorskip("torch", reason="torch is not installed: make test-torch")
DataLoader = torch.utils.data.DataLoader

each_number_of_workers = pytest.mark.parametrize("workers", [0, 1, 2, 4])


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shards(tmp_path_factory.mktemp("stream"))


@pytest.fixture(scope="module")
def epochs(repository: Path) -> list[list[list[str]]]:
    """The batches of two epochs, without any loader."""
    stream = open_stream(repository)
    first = ids_by_batch(stream)
    stream.set_epoch(1)
    return [first, ids_by_batch(stream)]


def stateful(stream: PretrainingStream, workers: int, **options: Any) -> Any:
    """A StatefulDataLoader over a stream that makes its batches itself."""
    torchdata = pytest.importorskip("torchdata.stateful_dataloader", reason="torchdata is not installed")
    return torchdata.StatefulDataLoader(stream, batch_size=None, num_workers=workers, **options)


def test_the_epochs_of_these_tests_hold_every_row_once_in_different_orders(epochs: list[list[list[str]]]) -> None:
    first, second = map(flat, epochs)
    assert len(first) == len(set(first)) == 90
    assert sorted(first) == sorted(second) != first != second


def test_a_stream_is_an_iterable_dataset_of_torch(repository: Path) -> None:
    assert isinstance(open_stream(repository), torch.utils.data.IterableDataset)
    assert not isinstance(object(), torch.utils.data.IterableDataset)


def test_it_is_one_also_when_torch_is_imported_after_it_was_made(repository: Path, environment: dict[str, str]) -> None:
    program = f"""
import sys
from tests.support.streams import ids_by_batch, open_stream
stream = open_stream({str(repository)!r})
alone = ids_by_batch(stream)
assert "torch" not in sys.modules, "the stream imported torch"
import torch
assert isinstance(stream, torch.utils.data.IterableDataset)
loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2, persistent_workers=True)
assert ids_by_batch(loader) == alone
stream.set_epoch(1)
assert ids_by_batch(loader) != alone, "the workers did not see the new epoch"
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_module_does_not_import_torch(environment: dict[str, str]) -> None:
    program = "import sys, rocov2_tasks.pretraining; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=False)
    assert done.returncode == 0


@each_number_of_workers
def test_a_loader_gives_the_same_batches_in_the_same_order(
    repository: Path, epochs: list[list[list[str]]], workers: int
) -> None:
    loader = DataLoader(open_stream(repository), batch_size=None, num_workers=workers)
    assert len(loader) == len(epochs[0])
    assert ids_by_batch(loader) == epochs[0]


@each_number_of_workers
def test_a_loader_gives_the_same_single_samples(repository: Path, epochs: list[list[list[str]]], workers: int) -> None:
    loader = DataLoader(open_stream(repository, batch_size=None), batch_size=None, num_workers=workers)
    assert [row["image_id"] for row in loader] == flat(epochs[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_images_come_out_as_tensors_with_the_same_pixels(repository: Path, workers: int) -> None:
    stream = open_stream(repository, columns=["image", "image_id"], image_size=24)
    alone = [batch["image"].copy() for batch in stream]
    loaded = [batch["image"] for batch in DataLoader(stream, batch_size=None, num_workers=workers)]
    assert loaded[0].dtype == torch.uint8
    assert loaded[0].shape == (BATCH, 24, 24, 3)
    assert [images.numpy().tolist() for images in loaded] == [images.tolist() for images in alone]


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_see_the_epoch_that_is_set(repository: Path, epochs: list[list[list[str]]], persistent: bool) -> None:
    stream = open_stream(repository)
    loader = DataLoader(stream, batch_size=None, num_workers=2, persistent_workers=persistent)
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        assert ids_by_batch(loader) == epochs[epoch]


@pytest.mark.parametrize("context", ["spawn", "forkserver"])
def test_workers_that_are_not_forked_see_it_too(repository: Path, epochs: list[list[list[str]]], context: str) -> None:
    stream = open_stream(repository)
    next(iter(stream))  # what runs in this process cannot go to another
    stream.set_epoch(1)
    loader = DataLoader(
        stream, batch_size=None, num_workers=2, multiprocessing_context=context, persistent_workers=True
    )
    assert ids_by_batch(loader) == epochs[1]
    stream.set_epoch(0)
    assert ids_by_batch(loader) == epochs[0]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("others", [0, 1, 4])
def test_any_number_of_workers_goes_on_from_the_state_after_the_batches_consumed(
    repository: Path, epochs: list[list[list[str]]], workers: int, others: int
) -> None:
    for consumed in (0, 4, len(epochs[0])):
        stream = open_stream(repository)
        list(islice(DataLoader(stream, batch_size=None, num_workers=workers), consumed))
        state = json.loads(json.dumps(stream.state_at(consumed)))
        resumed = open_stream(repository)
        resumed.load_state_dict(state)
        loader = DataLoader(resumed, batch_size=None, num_workers=others)
        assert len(loader) == len(epochs[0]) - consumed
        assert ids_by_batch(loader) == epochs[0][consumed:]
        resumed.set_epoch(1)
        assert len(loader) == len(epochs[1])
        assert ids_by_batch(loader) == epochs[1]


@pytest.mark.parametrize("seeded", [False, True])
@pytest.mark.parametrize("persistent", [False, True])
def test_after_a_resume_every_next_epoch_is_whole_also_without_set_epoch(
    repository: Path, epochs: list[list[list[str]]], persistent: bool, seeded: bool
) -> None:
    resumed = open_stream(repository)
    resumed.load_state_dict(resumed.state_at(5))
    loader = DataLoader(resumed, batch_size=None, num_workers=2, persistent_workers=persistent)
    for begun in (5, 0, 0):
        if seeded:
            torch.manual_seed(7)  # both iterations have the same seed
        assert ids_by_batch(loader) == epochs[0][begun:]
        assert resumed.state_at(3)["position"] == BATCH * (begun + 3)
    other = DataLoader(resumed, batch_size=None, num_workers=3)  # also with other workers
    assert ids_by_batch(other) == epochs[0]
    assert resumed.stats()["bytes_read"] > 0


@pytest.mark.parametrize("persistent", [False, True])
def test_batches_are_counted_from_where_the_workers_began(
    repository: Path, epochs: list[list[list[str]]], persistent: bool
) -> None:
    resumed = open_stream(repository)
    loader = DataLoader(resumed, batch_size=None, num_workers=2, persistent_workers=persistent)
    for begun, consumed in ((0, 5), (5, 3), (8, 7)):
        assert ids_by_batch(islice(loader, consumed)) == epochs[0][begun : begun + consumed]
        resumed.load_state_dict(resumed.state_at(consumed))
    assert ids_by_batch(loader) == []


@each_number_of_workers
def test_a_stateful_loader_goes_on_after_any_batch(
    repository: Path, epochs: list[list[list[str]]], workers: int
) -> None:
    batches = epochs[0]
    for consumed in range(len(batches) + 1) if workers in (0, 2) else (1, 6, len(batches)):
        loader = stateful(open_stream(repository), workers)
        assert ids_by_batch(islice(loader, consumed)) == batches[:consumed]
        state = json.loads(json.dumps(loader.state_dict())) if not workers else loader.state_dict()
        resumed = open_stream(repository)
        loader = stateful(resumed, workers)
        loader.load_state_dict(state)
        assert ids_by_batch(loader) == batches[consumed:], consumed
        resumed.set_epoch(1)
        assert ids_by_batch(loader) == epochs[1], "the epoch after the resumed one is not whole"


@each_number_of_workers
def test_a_stateful_loader_goes_on_several_times(repository: Path, epochs: list[list[list[str]]], workers: int) -> None:
    seen: list[list[str]] = []
    state: Any = None
    for consumed in (2, 1, 5, 3, 99):
        loader = stateful(open_stream(repository), workers)
        if state is not None:
            loader.load_state_dict(state)
        seen += ids_by_batch(islice(loader, consumed))
        state = loader.state_dict()
    assert seen == epochs[0]


def test_a_stateful_loader_goes_on_in_a_later_epoch(repository: Path, epochs: list[list[list[str]]]) -> None:
    stream = open_stream(repository)
    loader = stateful(stream, 2, persistent_workers=True)
    assert ids_by_batch(loader) == epochs[0]
    stream.set_epoch(1)
    assert ids_by_batch(islice(loader, 4)) == epochs[1][:4]
    resumed = stateful(open_stream(repository), 2)
    resumed.load_state_dict(loader.state_dict())
    assert ids_by_batch(resumed) == epochs[1][4:]


def test_another_number_of_workers_refuses_the_state_of_a_stateful_loader(repository: Path) -> None:
    loader = stateful(open_stream(repository), 2)
    list(islice(loader, 3))
    resumed = stateful(open_stream(repository), 1)
    resumed.load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match="the state belongs to worker 0 of 2:"):
        list(resumed)
