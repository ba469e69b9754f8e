"""docs/commands.md: every verb with its arguments and options, written from the parsers.

`python -m rocov2_commands.reference` (`make card`) rewrites it in the project, which is the current directory.
"""

from __future__ import annotations

from pathlib import Path

import click

from rocov2_commands.group import load_verb
from rocov2_commands.verbs import VERBS
from rocov2_shared.files import write_text

PAGE = Path("docs", "commands.md")

_HEAD = """\
# Commands

`rocov2 VERB` is installed with the project (`make install`, then `. .venv/bin/activate`). The second column shows how to
start each verb in a clone that is not installed. `rocov2 --help` lists the verbs, `rocov2 VERB --help` prints what is on this
page.

| command | the same in a clone | what it does |
| --- | --- | --- |
"""

_ENDS = """
All commands exit with 0 when all is well, 1 when the data or the outside world is at fault, 2 after a wrong command line and
130 when interrupted. Errors, progress and notes go to standard error.

A SIZE is a number of bytes with a unit, such as `300MB` or `8MiB`.

<!-- Generated from the parsers by make card: change the help texts in rocov2_commands/ instead. -->
"""


def _value(option: click.Option) -> str:
    """What follows the option's name; empty for a flag."""
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " " + "|".join(map(str, option.type.choices))
    return " " + (option.metavar or option.type.name.upper())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _row(option: click.Option) -> str:
    name = f"`{_cell(option.opts[0] + _value(option))}`"
    notes = " Required." if option.required else f" Default: `{option.default}`." if option.show_default else ""
    return f"| {name} | {_cell(str(option.help))}{notes} |"


def _section(name: str) -> str:
    command = load_verb(name)
    context = click.Context(command, info_name=f"rocov2 {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    examples = "\n".join(f"rocov2 {name} {example}" for example in command.examples)
    parts = [f"## rocov2 {name}", f"`rocov2 {name} {usage}`", str(command.help), f"```sh\n{examples}\n```"]
    if options:
        parts.append("\n".join(["| option | what it does |", "| --- | --- |", *map(_row, options)]))
    return "\n\n".join(parts)


def reference() -> str:
    """Return the page."""
    rows = (f"| [`rocov2 {name}`](#rocov2-{name}) | `{verb.alias}` | {verb.summary} |" for name, verb in VERBS.items())
    return _HEAD + "\n".join(rows) + "\n" + _ENDS + "\n" + "\n\n".join(map(_section, VERBS)) + "\n"


if __name__ == "__main__":
    write_text(PAGE, reference())
