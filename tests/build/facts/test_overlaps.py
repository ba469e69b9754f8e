"""What images share: bytes and looks by hand for seven images, and against comparing each with each."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from rocov2_build.facts import overlaps
from rocov2_build.facts.columns import Columns
from rocov2_build.facts.hash_pairs import THRESHOLD
from rocov2_build.facts.overlaps import find_duplicates
from rocov2_build.worker.phash import hash_distance
from rocov2_build.worker.task import FileFacts
from tests.build.facts.test_compute import NOTHING, SPLITS, facts_of, seven_images
from tests.conftest import Seeds
from tests.support.raw import RawRelease, jpeg, make_raw


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seven_images().build(tmp_path_factory.mktemp("overlaps") / "rocov2")


@pytest.fixture(scope="module")
def facts(built: Path) -> dict[str, Any]:
    return facts_of(built)


def test_images_with_the_same_bytes(facts: dict[str, Any], built: Path) -> None:
    exact = facts["duplicates"]["exact"]
    rows = [
        row["image_id"][12:] for split in SPLITS for row in pq.read_table(built / f"text/{split}.parquet").to_pylist()
    ]
    listed = [[name for name in rows if name in ("train_000001", "train_000005", "test_000001")]]
    listed.append(["valid_000002", "test_000002"])
    assert exact == {
        **{"groups": 2, "images": 5},
        "within": {
            "train": {"groups": 1, "images": 2, "pairs": 1},
            "validation": NOTHING | {"pairs": 0},
            "test": NOTHING | {"pairs": 0},
        },
        "across": {
            "train-validation": {"groups": 0, "images": {"train": 0, "validation": 0}, "pairs": 0},
            "train-test": {"groups": 1, "images": {"train": 2, "test": 1}, "pairs": 2},
            "validation-test": {"groups": 1, "images": {"validation": 1, "test": 1}, "pairs": 1},
        },
        "listed": [[f"ROCOv2_2023_{name}" for name in group] for group in listed],
    }


def test_images_that_look_alike(facts: dict[str, Any]) -> None:
    none = {"images": 0, "pairs": 0}
    assert facts["duplicates"]["near"] == {
        **{"bits": 256, "distance": THRESHOLD, "flat": 2, "groups": 1, "images": 2},
        "within": {"train": none, "validation": none, "test": none},
        "across": {
            "train-validation": {"images": {"train": 1, "validation": 1}, "pairs": 1},
            "train-test": {"images": {"train": 0, "test": 0}, "pairs": 0},
            "validation-test": {"images": {"validation": 0, "test": 0}, "pairs": 0},
        },
        "listed": [["ROCOv2_2023_train_000002", "ROCOv2_2023_valid_000001"]],
    }


@pytest.mark.parametrize("verify", ["markers", "none"])
def test_looks_are_unknown_when_images_were_not_decoded(facts: dict[str, Any], tmp_path: Path, verify: str) -> None:
    unverified = facts_of(seven_images().build(tmp_path / "rocov2", verify=verify))
    assert unverified["duplicates"] == {"exact": facts["duplicates"]["exact"], "near": None}
    assert {name: part for name, part in unverified.items() if name != "duplicates"} == {
        name: part for name, part in facts.items() if name != "duplicates"
    }


def scattered(raw: RawRelease, repository: Path, seed: int) -> list[FileFacts]:
    """Facts of the shards as if their pictures were a few, in several versions, some of them flat."""
    source = random.Random(seed)
    bases = [source.getrandbits(256) for _ in range(5)] + [0, 1 << 255]
    looks: dict[str, str] = {}
    files = []
    for path in sorted(repository.glob("data/*")):
        rows = pq.read_metadata(path).num_rows
        contents = [f"{source.randrange(40):032x}" for _ in range(rows)]
        for content in contents:
            value = source.choice(bases)
            for place in source.sample(range(256), source.choice([0, 0, 5, 20, 40])):
                value ^= 1 << place
            looks.setdefault(content, f"{value:064x}")
        hashes = [looks[content] for content in contents]
        name = path.relative_to(repository).as_posix()
        files.append(FileFacts(name, rows, 1, "", 1, "", images="".join(contents), perceptual="".join(hashes)))
    return files


def plain_similar(rows: list[tuple[str, str, str]]) -> dict[str, Any]:
    """What looks alike among rows of split, content and hash, by comparing each with each."""
    pairs = [
        (one, other)
        for one, other in combinations(range(len(rows)), 2)
        if rows[one][1] != rows[other][1]
        and hash_distance(rows[one][2], rows[other][2]) <= THRESHOLD
        and all(int(rows[row][2], 16).bit_count() >= 96 for row in (one, other))
    ]
    number: Counter[str] = Counter()
    images: dict[tuple[str, str], set[int]] = {}
    for one, other in pairs:
        splits = sorted((rows[one][0], rows[other][0]), key=list(SPLITS).index)
        number["-".join(dict.fromkeys(splits))] += 1
        images.setdefault((rows[one][0], rows[other][0]), set()).add(one)
        images.setdefault((rows[other][0], rows[one][0]), set()).add(other)
    return {
        "pairs": number,
        "images": {key: len(found) for key, found in images.items()},
        "all": len(set().union(*images.values())) if images else 0,
        "flat": sum(int(value, 16).bit_count() < 96 for *_, value in rows),
    }


def test_looks_against_comparing_each_with_each(tmp_path: Path, seeds: Seeds) -> None:
    raw = make_raw(30, 12, 10)
    repository = raw.build(tmp_path / "rocov2", shard=3000)
    columns = Columns.open(repository)
    for seed in seeds(12):
        files = scattered(raw, repository, seed)
        near = find_duplicates(columns, files)["near"]
        rows = [
            (split, content, value)
            for split in SPLITS
            for file in files
            if file.path.startswith(f"data/{split}-")
            for content, value in zip(file.image_hashes, file.perceptual_hashes, strict=True)
        ]
        expected = plain_similar(rows)
        assert (near["images"], near["flat"]) == (expected["all"], expected["flat"])
        for split in SPLITS:
            found = near["within"][split]
            assert found == {"images": expected["images"].get((split, split), 0), "pairs": expected["pairs"][split]}
        for one, other in combinations(SPLITS, 2):
            found = near["across"][f"{one}-{other}"]
            assert found["pairs"] == expected["pairs"][f"{one}-{other}"]
            assert found["images"] == {
                one: expected["images"].get((one, other), 0),
                other: expected["images"].get((other, one), 0),
            }
        assert sum(map(len, near["listed"])) <= expected["all"]


def test_lists_are_cut_after_the_groups_that_matter_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = make_raw(8, 3, 1, noncommercial=False)
    for split, groups in (("train", "aaaabbcd"), ("valid", "cee")):
        for image, group in zip(raw.splits[split], groups, strict=True):
            image.data = jpeg(seed=ord(group))
    repository = raw.build(tmp_path / "rocov2")
    listed = facts_of(repository)["duplicates"]["exact"]["listed"]
    assert [(len(group), {name[12] for name in group}) for group in listed] == [
        (2, {"t", "v"}),
        (4, {"t"}),
        (2, {"t"}),
        (2, {"v"}),
    ]
    monkeypatch.setattr(overlaps, "MAX_GROUPS", 2)
    monkeypatch.setattr(overlaps, "MAX_IDS", 3)
    files = []
    for path in sorted(repository.glob("data/*")):
        images = [hashlib.sha256(image["bytes"]).hexdigest()[:32] for image in pq.read_table(path)["image"].to_pylist()]
        files.append(
            FileFacts(path.relative_to(repository).as_posix(), len(images), 1, "", 1, "", images="".join(images))
        )
    assert find_duplicates(Columns.open(repository), files)["exact"]["listed"] == [listed[0], listed[1][:3]]
