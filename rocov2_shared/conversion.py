"""What a repository states of itself in `conversion.json`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import fsspec

from rocov2_shared.errors import UserError

Value = TypeVar("Value")


def read_conversion(root: str, take: Callable[[Any], Value], remedy: str, expected: str = "") -> Value:
    """Take something of the `conversion.json` of a repository.

    Args:
        root: folder, or `hf://datasets/ORG/NAME@COMMIT`.
        take: gives it, of the content.
        remedy: what to do where it is not there.
        expected: what `take` looks for, for the message.

    Raises:
        UserError: the file is no JSON, or does not state it.
    """
    path = f"{root}/conversion.json"
    with fsspec.open(path, "rb") as file:
        text = file.read()
    try:
        return take(json.loads(text))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = error if isinstance(error, ValueError) else "it has another form"
        what = f", expected {expected}" if expected else ""
        raise UserError(f"{path} is damaged{what} ({found}): {remedy}") from error
