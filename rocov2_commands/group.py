"""`rocov2`: lists the verbs, and imports the one that is called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import cast

import click

from rocov2_commands.command import Command
from rocov2_commands.verbs import VERBS
from rocov2_shared.terminal import echo


def load_verb(name: str) -> Command:
    """Import the command of a verb."""
    return cast(Command, import_module(f"rocov2_commands.{name}").main)


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load_verb(cmd_name) if cmd_name in VERBS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = get_close_matches(args[0].lower(), VERBS, n=1)
        if near and args[0] not in VERBS:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])


def _print_version(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from rocov2 import __version__

        echo(f"rocov2 {__version__}")
        context.exit()


@click.group(cls=_Verbs, help="ROCOv2 for the Hugging Face Hub: build, check, publish and use the dataset.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def group() -> None:
    """Do nothing: the verbs do the work."""
