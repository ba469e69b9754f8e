"""Prompts: usable, and chosen by image id and seed alone."""

from __future__ import annotations

import rocov2
from rocov2_tasks.shaping.prompts import PROMPTS, check_prompts, choose_prompt


def test_the_choice_of_a_prompt_never_changes() -> None:
    # Kept by heart: with another choice, what was trained before could not be repeated.
    assert [choose_prompt(("a", "b", "c", "d"), f"ROCOv2_2023_train_{i:06d}", 0) for i in range(8)] == list("aadaacda")


def test_every_prompt_is_used_about_as_often() -> None:
    chosen = [choose_prompt(PROMPTS["caption"], f"ROCOv2_2023_train_{i:06d}", 0) for i in range(8_000)]
    assert all(800 < chosen.count(prompt) < 1_200 for prompt in PROMPTS["caption"])


def test_built_in_prompts_are_usable() -> None:
    for target, prompts in PROMPTS.items():
        assert check_prompts(prompts, target) == check_prompts(None, target)
        assert len(set(prompts)) == len(prompts) > 1
    assert all(name in prompt for prompt in PROMPTS["modality"] for name in rocov2.MODALITIES)
