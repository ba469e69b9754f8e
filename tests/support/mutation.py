"""What a mutation of a repository did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple


class Done(NamedTuple):
    """What a mutation did.

    Attributes:
        what: in a few words.
        roots: files that a check may name first; empty for the mutated file.
        harmless: why no reader is hurt if a check does not find it; empty if it has to be found.
    """

    what: str
    roots: tuple[str, ...] = ()
    harmless: str = ""


Maker = Callable[[Path, Random], Done]
"""Makes one random change to the file at a path (or in the folder of the repository), and returns what it did."""
