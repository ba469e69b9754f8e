"""The card on samples: the head of a split is compared with the whole, and the program draws a fair one."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from rocov2_build.card.readme import readme
from tests.build.card.test_readme import contents
from tests.support.blocks import find_blocks, run_block
from tests.support.raw import make_raw


@pytest.mark.slow
def test_the_program_draws_a_fair_sample(tmp_path: Path, environment: dict[str, str]) -> None:
    repository = make_raw(360, 2, 2).build(tmp_path / "rocov2", shard=40_000, row_group=10_000, small=None)
    shards = sorted(repository.glob("data/train-*"))
    assert len(shards) > 4
    whole = pq.read_table(repository / "text/train.parquet", columns=["license"])["license"].to_pylist()
    share = whole.count("CC BY") / len(whole)
    head = whole[: pq.read_metadata(shards[0]).num_rows]
    assert abs(head.count("CC BY") / len(head) - share) > 0.2, "the head is fair here: make it unfair"
    (program,) = [
        block
        for block in find_blocks((repository / "README.md").read_text(), "python")
        if "interleave_datasets" in block
    ]
    program = (
        program.replace("mixed.take(10)", "mixed.take(120)")
        + """
ids = [row["image_id"] for row in first]
assert len(set(ids)) == 120
print(sum(row["license"] == "CC BY" for row in first) / 120, len(some))
"""
    )
    found, some = run_block(program, tmp_path, environment).split()
    assert abs(float(found) - share) < 0.1
    assert int(some) == 36


def test_a_card_without_small_pictures_names_no_mini() -> None:
    assert "`mini`" not in readme(contents())
