"""The error for a user that both wings raise; workers import this module and little else."""

from __future__ import annotations


class UserError(Exception):
    """Something outside the program is at fault: the message names it, what was expected and what to do. Exit code 1."""
