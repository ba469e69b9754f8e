"""The table of export formats: every row refuses the options that it does not take, before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from rocov2_shared.errors import UserError
from rocov2_tasks.export import make_plan
from rocov2_tasks.formats import FORMATS, ExportOptions, Format


@pytest.mark.parametrize("format", FORMATS.values(), ids=list(FORMATS))
@pytest.mark.parametrize(
    ("attribute", "option", "given"),
    [
        ("cuts", "--max-shard-size", {"max_shard_size": 1, "prompts": ()}),
        ("asks", "--prompt", {"max_shard_size": None, "prompts": ("Why?",)}),
        ("asks", "--seed", {"max_shard_size": None, "prompts": (), "seed": 0}),
        ("chats", "--on-marker", {"max_shard_size": None, "prompts": (), "on_marker": "raise"}),
    ],
)
def test_a_format_refuses_an_option_that_it_does_not_take(
    format: Format, attribute: str, option: str, given: dict[str, Any]
) -> None:
    if getattr(format, attribute):
        format.check(**given)
        return
    with pytest.raises(ValueError, match=f"^{option} does not apply to --format {format.name}.*: leave it out$"):
        format.check(**given)


def test_a_plan_refuses_it_too_without_a_repository() -> None:
    with pytest.raises(UserError, match="--max-shard-size does not apply to --format vlmevalkit"):
        make_plan("nowhere", ExportOptions("vlmevalkit", max_shard_size=1))


def test_names_are_the_keys() -> None:
    assert [format.name for format in FORMATS.values()] == list(FORMATS)
