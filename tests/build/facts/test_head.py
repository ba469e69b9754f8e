"""The first rows of a split, compared with all of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq

from rocov2 import MODALITIES
from rocov2_build.facts.compute import compute_row_facts
from tests.build.facts.test_compute import in_splits
from tests.support.raw import make_raw


def test_the_head_of_a_split_against_the_whole(tmp_path: Path) -> None:
    raw = make_raw(40, 5, 1, noncommercial=False)
    by_hash = sorted(raw.splits["train"], key=lambda image: hashlib.sha256(image.id.encode()).digest())
    for image in by_hash[:3]:
        image.attribution = "CC BY-NC Doe (2020)"
    repository = raw.build(tmp_path / "rocov2")
    table = pq.read_table(repository / "text/train.parquet", columns=["license", "modality"]).to_pylist()
    head = compute_row_facts(repository)["head"]
    assert {split: part["rows"] for split, part in head.items()} == in_splits(4, 1, 1)
    found = head["train"]["license"]
    for part, rows in (("head", table[:4]), ("split", table)):
        share = sum(row["license"] == found["value"] for row in rows) / len(rows)
        assert found[part] == share
    assert head["test"]["license"] == {"value": "CC BY", "head": 1.0, "split": 1.0}
    labels = list(MODALITIES)
    apart = {
        label: abs(sum(labels[row["modality"]] == label for row in table[:4]) / 4
                   - sum(labels[row["modality"]] == label for row in table) / 40)
        for label in labels
    }  # fmt: skip
    value = head["train"]["modality"]["value"]
    assert apart[value] == max(apart.values())
