"""The error for a user that both wings raise, and words for it; workers import this module and little else."""

from __future__ import annotations

import os

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The clone of the project, or the folder of installed packages."""


class UserError(Exception):
    """Something outside the program is at fault: the message names it, what was expected and what to do. Exit code 1."""


def how_to_install(extra: str) -> str:
    """Return what to do when a package of an extra of the project is missing."""
    if not os.path.isfile(os.path.join(_ROOT, "pyproject.toml")):
        return f"install the extra {extra}: pip install 'rocov2-hub[{extra}]'"
    return f"install the project with the extra {extra}: pip install -e '.[{extra}]' in a clone of it"
