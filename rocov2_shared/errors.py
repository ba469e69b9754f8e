"""The error for a user that both wings raise, and words for it; workers import this module and little else."""

from __future__ import annotations


class UserError(Exception):
    """Something outside the program is at fault: the message names it, what was expected and what to do. Exit code 1."""


def how_to_install(extra: str) -> str:
    """Return what to do when a package of an extra of the project is missing."""
    return f"install the project with the extra {extra}: pip install -e '.[{extra}]' in a clone of it"
