"""What every verb has: a summary from the table of verbs, and examples at the end of its help."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from rocov2_commands.verbs import VERBS
from rocov2_shared.memory import require_address_space


class Command(click.Command):
    """A verb.

    Args:
        examples: arguments of each example; the help writes them behind the name under which the program was started.
    """

    def __init__(self, *arguments: Any, examples: Sequence[str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.examples = examples

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb, unless it needs more addresses than it may use."""
        if VERBS[str(self.name)].reads_parquet:
            require_address_space()
        return super().invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        program = ctx.command_path
        alias = VERBS[str(self.name)].alias
        if alias.endswith(f"/{program}"):  # a script: its usage line has only the file's name
            program = alias
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"  {program} {example}\n")


def command(name: str, about: str, examples: Sequence[str]) -> Callable[[Callable[..., Any]], Command]:
    """Make a function the command of a verb.

    Args:
        name: the verb.
        about: what its help says after the summary, above all about its arguments.
        examples: as in `Command`.
    """
    return click.command(name, cls=Command, help=f"{VERBS[name].summary}\n\n{about}", examples=examples)
