"""The repository's name in the card: in programs and in code within the text, there and back."""

from __future__ import annotations

import pytest

from rocov2_build.card.naming import card_in_a_folder, card_on_the_hub

FENCE = "```"
CARD = f"""\
Text: `load_dataset("rocov2", "text")`, `"rocov2/text/train.parquet"`; a caption: \\`load\\_dataset("rocov2")\\`.

{FENCE}python torch
load_dataset(
    "rocov2", split="train")
open('rocov2/text/train.parquet')
{FENCE}

{FENCE}{FENCE}text
`load_dataset("rocov2")` {FENCE}python
load_dataset("a/b")
{FENCE}{FENCE}
"""


def test_programs_and_code_in_the_text_name_the_repository_on_the_hub() -> None:
    card = card_on_the_hub(CARD, "org/name")
    assert card.splitlines()[0] == (
        'Text: `load_dataset("org/name", "text")`, `"hf://datasets/org/name/text/train.parquet"`; a caption: '
        '\\`load\\_dataset("rocov2")\\`.'
    )
    assert 'load_dataset(\n    "org/name", split="train")\nopen(\'hf://datasets/org/name/text/train.parquet\')' in card


def test_what_a_program_prints_is_left_as_it_is() -> None:
    assert card_on_the_hub(CARD, "org/name").splitlines()[-4:] == CARD.splitlines()[-4:]


@pytest.mark.parametrize("repo_id", ["org/name", "a.b/c-d_e"])
def test_there_and_back(repo_id: str) -> None:
    on_the_hub = card_on_the_hub(CARD, repo_id)
    assert card_in_a_folder(on_the_hub) == CARD
    assert card_on_the_hub(on_the_hub, "other/name") == card_on_the_hub(CARD, "other/name")
    assert card_in_a_folder(CARD) == CARD
