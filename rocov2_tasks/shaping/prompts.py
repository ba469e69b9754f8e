"""Prompts for instruction tuning. A row always gets the same one, chosen by its id and a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from rocov2 import MODALITIES
from rocov2_tasks.arguments import require_choice, strings_of
from rocov2_tasks.shaping.markers import find_marker

_MODALITIES = ", ".join([*list(MODALITIES)[:-1], f"or {list(MODALITIES)[-1]}"])

PROMPTS = {
    "caption": (
        "Describe this radiology image.",
        "Write a caption for this radiology image.",
        "What does this medical image show?",
        "Provide a caption, as in a scientific article, for this image.",
        "Describe the findings in this image.",
        "Summarize what can be seen in this radiology image.",
        "Write the figure caption of this image.",
        "Give a brief description of this medical image.",
    ),
    "concepts": (
        "List the medical concepts of this radiology image, separated by semicolons.",
        "Which UMLS concepts does this image show? Name them, separated by semicolons.",
        "Name the modality, anatomy and findings of this image as UMLS concepts, separated by semicolons.",
        "Give the medical concepts that describe this image, separated by semicolons.",
    ),
    "modality": (
        f"Which imaging modality is this: {_MODALITIES}?",
        f"Name the imaging modality of this radiology image. Choose from {_MODALITIES}.",
        f"What kind of image is this? Answer with one of {_MODALITIES}.",
    ),
}
"""Target of a view -> neutral English questions whose answer is that target."""


def check_prompts(prompt: str | Sequence[str] | None, target: str) -> tuple[str, ...]:
    """Return the prompts to choose from: the built-in ones of `target` if `prompt` is None.

    Raises:
        ValueError: the target is unknown; a prompt is missing, blank, not valid text, or contains a marker of trainers.
    """
    require_choice("target", target, tuple(PROMPTS))
    if prompt is None:
        return PROMPTS[target]
    prompts = strings_of("prompt", prompt, "a text, a list of them, or None for the built-in ones", ordered=True)
    for text in prompts:
        # A command-line argument that is not UTF-8 contains surrogates, which no file can store.
        if not text.strip() or text.encode(errors="ignore").decode() != text:
            raise ValueError(f"prompt: {text!r} is blank or not valid text")
        marker = find_marker(text)
        if marker:
            raise ValueError(
                f"prompt: {text!r} contains {marker}, which trainers do not read as text (the image is inserted without it): "
                "leave it out"
            )
    return prompts


def choose_prompt(prompts: Sequence[str], image_id: str, seed: int) -> str:
    """Return one of `prompts`, chosen only by `image_id` and `seed`, so that the order of rows does not matter."""
    if len(prompts) == 1:
        return prompts[0]
    digest = hashlib.blake2b(f"{seed}/{image_id}".encode(), digest_size=8).digest()
    return prompts[int.from_bytes(digest, "big") % len(prompts)]
