"""Checks of a stream's arguments, with the bad value and what would be right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasets.utils.py_utils import convert_file_size_to_int

from rocov2_tasks.decoding import DECODES, FILTERS, FITS, Decoder


def require_integer(option: str, value: Any, least: int) -> None:
    """Raise ValueError unless `value` is an integer of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{option}={value!r}: expected an integer from {least} on")


def require_choice(option: str, value: Any, choices: Sequence[str]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{option}={value!r}: expected one of {', '.join(choices)}")


def number_of_bytes(option: str, value: str | int) -> int:
    """Bytes of a size such as "64MB" (10^6) or "64MiB" (2^20).

    Raises:
        ValueError: it is none, or not positive.
    """
    try:
        size: int = convert_file_size_to_int(value)
    except (ValueError, TypeError, AttributeError):
        size = 0
    if size <= 0:
        raise ValueError(f'{option}={value!r}: expected a number of bytes, or a size such as "64MB"')
    return size


def width_and_height(image_size: int | Sequence[int] | None) -> tuple[int, int] | None:
    """Width and height of a side, or of (height, width).

    Raises:
        ValueError: it is neither.
    """
    if image_size is None:
        return None
    sides = tuple(image_size) if isinstance(image_size, Sequence) else (image_size, image_size)
    if len(sides) != 2 or not all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides):
        raise ValueError(f"image_size={image_size!r}: expected a side in pixels, or (height, width)")
    return sides[1], sides[0]


def make_decoder(decode: str, size: tuple[int, int] | None, fit: str, resample: str, images: bool) -> Decoder | None:
    """The decoder that was asked for; None for the JPEGs themselves, or no images.

    Raises:
        ValueError: an unknown name, or names that do not go together.
    """
    require_choice("decode", decode, DECODES)
    require_choice("fit", fit, FITS)
    require_choice("resample", resample, tuple(FILTERS))
    if size is not None and (decode == "bytes" or not images):
        raise ValueError('image_size: there are no pixels to resize with decode="bytes", or without the column image')
    if decode in ("scaled", "fast") and images and size is None:
        raise ValueError(f"decode={decode!r} decodes at the scale of image_size: give one")
    if decode == "fast" and resample != "bilinear":
        raise ValueError(f'decode="fast" has a filter of its own, resample={resample!r} is for exact and scaled')
    return Decoder(decode, size, fit, resample) if images and decode != "bytes" else None
