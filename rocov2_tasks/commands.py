"""How the commands of this wing end: one message for a fault, and the exit codes of all commands of the project."""

from __future__ import annotations

import sys

import click

DONE, FAULT, INTERRUPTED = 0, 1, 130


class CommandError(Exception):
    """Something outside the program is at fault; the message says what, what was expected and what to do. Exit code 1."""


def say(step: str, text: str) -> None:
    """One line about a step, on standard error."""
    click.echo(f"{step:<10}{text}", err=True)


def run(command: click.Command) -> None:
    """Run a command line and exit: 0 done, 1 the data or the outside world is at fault, 2 wrong usage, 130 interrupted."""
    code = DONE
    try:
        command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted.", err=True)
        code = INTERRUPTED
    except CommandError as error:
        click.echo(f"Error: {error}", err=True)
        code = FAULT
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        click.echo(f"Error: {error.strerror or error}{where}.", err=True)
        code = FAULT
    sys.exit(code)
