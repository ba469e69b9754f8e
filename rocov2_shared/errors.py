"""The error that both wings raise for a user; a module of its own, since workers import it and little else."""

from __future__ import annotations


class UserError(Exception):
    """Something outside the program is at fault; the message says what, what was expected and what to do. Exit code 1."""
