"""docs/commands.md is what the parsers say."""

from __future__ import annotations

import click
import pytest

from rocov2_commands.group import load_verb
from rocov2_commands.reference import PAGE, reference
from rocov2_commands.verbs import VERBS
from tests.conftest import PROJECT


def test_the_page_is_fresh() -> None:
    assert (PROJECT / PAGE).read_text(encoding="utf-8") == reference(), "run make card"


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_has_a_section_with_its_options_and_examples(name: str) -> None:
    section = reference().partition(f"\n## rocov2 {name}\n")[2].partition("\n## ")[0]
    assert VERBS[name].summary in section
    command = load_verb(name)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert f"| `{parameter.opts[0]}" in section
    for example in command.examples:
        assert f"\nrocov2 {name} {example}\n" in section


def test_rows_name_values_and_defaults() -> None:
    page = reference()
    assert "| `--verify strict\\|markers\\|none` | Decode every image strictly, " in page
    assert (
        "| `--row-group-size SIZE` | Approximate number of image bytes in one row group, 1KB to 64MB. Default: `8MB`. |"
        in page
    )
    assert "| `--dry-run` | " in page
    assert "tables for VLMEvalKit. Required. |" in page
