"""Markers: texts that trainers, chat templates and tokenizers do not read as text.

A caption is trained on as the answer of a chat. If it contains such a text, a trainer counts an image that is not there and
ends, or the tokenizer makes the end of a turn of it. One rule holds for all views and exports of chats: an answer with a
marker is refused by image id, or escaped.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable

from rocov2_shared.sizes import format_count

RAISE, ESCAPE = "raise", "escape"
ON_MARKER = (RAISE, ESCAPE)
"""What a view or an export does with an answer that contains a marker; the first is the default."""

MARKERS = {
    r"</?(?:image|video|audio|bbox|ref-object|cot-process|start-image)>": "placeholders of LLaMA-Factory, ms-swift and LLaVA",
    r"<[|｜][^<>]{1,64}[|｜]>": "ChatML, Llama 3, Phi, GLM, DeepSeek: turns, images, end of text",
    r"</?(?:img|IMG_CONTEXT|box|ref|quad|think|tool_call|tool_response|vision)>": "InternVL, Qwen",
    r"<(?:start|end)_of_(?:turn|image|utterance|text)>|<image_soft_token>": "Gemma, SmolVLM, CLIP",
    r"<(?:fake_token_around_image|global-img|row_\d+_col_\d+)>": "Idefics, SmolVLM",
    r"<(?:image_newline|image_pad|video_pad|im_start|im_end|im_patch|vid_start|vid_end)>": "LLaVA and those that follow it",
    r"<(?:loc|seg)\d{1,4}>|<(?:loc_|unused|extra_id_|reserved_)\d{1,4}>": "PaliGemma, Florence, Gemma, T5",
    r"</?s>|<(?:bos|eos|pad|unk|mask)>": "tokenizers of SentencePiece: begin, end, padding",
    r"\[/?INST\]|<</?SYS>>|\[IMG(?:_BREAK|_END)?\]|\[/?(?:SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]": (
        "Llama 2, Mistral, Pixtral"
    ),
}
"""Pattern of markers -> who reads them so. Case matters to all of them."""

Marked = list[tuple[str, str]]
"""Answers with a marker: what a message calls each of them, such as the image id, and its first marker."""

_MARKER = re.compile("|".join(MARKERS))
_SHOWN = 5


def find_marker(text: str) -> str | None:
    """Return the first marker of a text.

    >>> find_marker("see <image> above")
    '<image>'
    """
    found = _MARKER.search(text)
    return found.group() if found else None


def escape_markers(text: str) -> str:
    """Return the text with a blank after the first character of each marker, which is then read as text.

    >>> escape_markers("see <image> above")
    'see < image> above'
    """
    return _MARKER.sub(lambda found: f"{found.group()[0]} {found.group()[1:]}", text)


def find_marked(answers: Iterable[str], names: Iterable[str]) -> Marked:
    """Return the name and the first marker of each answer that contains one.

    Args:
        answers: texts.
        names: what a message calls each of them, such as the image id.
    """
    return [(name, marker) for name, text in zip(names, answers, strict=True) if (marker := find_marker(text))]


def describe_marked(marked: Marked) -> str:
    """Return the message about answers that are refused, given as name and marker; the caller adds what to do."""
    verb = "contains" if len(marked) == 1 else "contain"
    return f"{format_count(len(marked), 'answer')} {verb} a marker, which trainers do not read as text: {_list(marked)}"


def describe_escaped(marked: Marked, total: int) -> str:
    """Return how many of `total` answers were escaped, and which."""
    return f"{len(marked):,} of {format_count(total, 'answer')}: {_list(marked)}"


def warn_of_escapes(marked: Marked, total: int) -> None:
    """Warn that answers were escaped."""
    if marked:
        warnings.warn(f'on_marker="escape": escaped the markers of {describe_escaped(marked, total)}', stacklevel=2)


def _list(marked: Marked) -> str:
    items = [f"{name} ({marker})" for name, marker in marked]
    return ", ".join(items[:_SHOWN]) + (f" and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else "")
