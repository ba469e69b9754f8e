"""Paths of the command lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


class FolderPath(click.Path):
    """A folder, or a name for a new one. `~` is the home folder, where the shell has not put it in place (`"~/rocov2"`).

    `datasets` and Arrow do the same, so a folder that is named `~` would be one for them and another for this program.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path of a text."""
        return super().convert(os.path.expanduser(value), param, ctx)
