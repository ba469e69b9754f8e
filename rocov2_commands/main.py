"""Where every command starts.

Each worker process imports the program that started it, and with it this module. So click and the verbs are imported in
the functions.
"""

from __future__ import annotations


def main() -> None:
    """Run `rocov2` and exit."""
    from rocov2_commands.group import group
    from rocov2_shared.terminal import run

    run(group)


def run_verb(name: str) -> None:
    """Run one verb as a program of its own, such as a script, and exit."""
    from rocov2_commands.group import load_verb
    from rocov2_shared.terminal import run

    run(load_verb(name))
