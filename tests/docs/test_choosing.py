"""docs/choosing.md: what its table says can be said, for configurations that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rocov2
from rocov2_build.convert import Conversion, convert
from tests.conftest import PROJECT
from tests.support.blocks import run_block

ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (PROJECT / "docs/choosing.md").read_text().partition("\n\nImages/s")[0].splitlines()
    if line.startswith("| ")
][2:]
IMPORTS = """\
from datasets import load_dataset
from rocov2_tasks.pretraining import PretrainingStream
from rocov2_tasks.subsets import drop_shared_articles, filter_commercial
from rocov2_tasks.views import multi_task, read_vocabulary, to_messages
"""


def test_every_configuration_has_its_work() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[1])}
    assert named == set(rocov2.CONFIGS)
    assert all(len(row) == 6 for row in ROWS)


@pytest.mark.slow
def test_what_the_table_says_can_be_said(tmp_path: Path, environment: dict[str, str]) -> None:
    convert(Conversion(PROJECT / "sample", tmp_path / "rocov2", release="any", quiet=True))
    calls = [row[5].strip("`") for row in ROWS]
    program = IMPORTS + "".join(f"for row in {call}:\n    break\n" for call in calls) + "print('said')"
    assert run_block(program, tmp_path, environment) == "said\n"
