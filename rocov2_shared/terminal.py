"""What commands print: one line per step, a progress bar with rate and time left, one message per fault."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import click

from rocov2_shared.errors import UserError
from rocov2_shared.printable import printable
from rocov2_shared.resuming import resume_hint
from rocov2_shared.sizes import format_size, parse_size
from rocov2_shared.system_errors import describe, may_be_over

INTERRUPTED = 130
_PLAIN_SECONDS = 10.0
_BAR_SECONDS = 0.1
_BAR_WIDTH = 14


class Size(click.ParamType[int]):
    """A number of bytes, such as `300MB` or `64MiB`.

    Args:
        bounds: the smallest and the largest size that make sense, as text; by default every size does.
    """

    name = "size"

    def __init__(self, *bounds: str) -> None:
        self._bounds = bounds

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes; a number stays as it is."""
        if isinstance(value, int):
            return value
        try:
            size = parse_size(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if self._bounds:
            least, most = map(parse_size, self._bounds)
            if not least <= size <= most:
                self.fail(f"{str(value)!r} is {format_size(size)}: use {' to '.join(self._bounds)}", param, ctx)
        return size


def format_seconds(seconds: float) -> str:
    """Return a duration as `0:00:51`."""
    return str(timedelta(seconds=round(seconds)))


def echo(text: str = "", err: bool = False, end: str = "\n") -> None:
    """Print a text, which may have several lines, on standard output or error; every message of every command ends here.

    What could confuse a terminal is escaped, and so is what the stream cannot encode.
    """
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(_shown(text).encode(encoding, "backslashreplace").decode(encoding) + end, nl=False, err=err)


def _shown(text: str) -> str:
    """Return a text with all but its own line breaks escaped: those in names of the command line are not its own."""
    for word in sys.argv:
        for name in re.split("[/=]", word):  # a message shows a path as `pathlib` writes it, or the value of an option
            if "\n" in name:
                text = text.replace(name, printable(name))
    return printable(text, keep="\n\t")


def say(step: str, text: str, end: str = "\n") -> None:
    """Print one line about a step on standard error."""
    echo(f"{step:<10}{printable(text)}", err=True, end=end)


@dataclass(frozen=True)
class Console:
    """Where a command reports: standard error, or nowhere if `quiet`."""

    quiet: bool = False

    def report(self, step: str, text: str) -> None:
        """Print one line about a step."""
        if not self.quiet:
            say(step, text)

    @contextlib.contextmanager
    def timed(self, step: str, text: str) -> Iterator[None]:
        """Print what a step does when it begins, and on the same line how long it took when it is done.

        with console.timed("Card", "README.md and its pictures"):  # Card      README.md and its pictures ... 0:00:03
            write_card()
        """
        if self.quiet:
            yield
            return
        begin, end = time.monotonic(), ""
        say(step, f"{text} ...", end=" ")
        try:
            yield
            end = format_seconds(time.monotonic() - begin)
        finally:
            echo(end, err=True)

    def progress(
        self, step: str, total: int, parts: int, unit: str, part: str, show: Callable[[int], str] = "{:,}".format
    ) -> Progress:
        """Return a progress bar; the arguments are those of `Progress`."""
        return Progress(step, total, parts, unit, part, self.quiet, show)


class Progress:
    """A progress bar on standard error; if that is not a terminal, a plain line every ten seconds.

    Args:
        step: name of the step.
        total, parts: numbers of items and of parts.
        unit, part: their names; no unit if `show` includes it.
        quiet: print nothing.
        show: formats a number of items.
    """

    def __init__(
        self,
        step: str,
        total: int,
        parts: int,
        unit: str,
        part: str,
        quiet: bool = False,
        show: Callable[[int], str] = "{:,}".format,
    ) -> None:
        self._step, self._total, self._parts, self._unit, self._part = step, total, parts, unit, part
        self._items = self._done = self._skipped = 0
        self._show = show
        self._begin = time.monotonic()
        self._terminal = sys.stderr.isatty()
        self._wait = _BAR_SECONDS if self._terminal else _PLAIN_SECONDS
        self._last = self._begin - (self._wait if self._terminal else 0)
        self._quiet = quiet

    def __enter__(self) -> Progress:
        if self._terminal and not self._quiet and self._parts:
            self._print(0.0)
        return self

    def __exit__(self, *_: object) -> None:
        if self._terminal and not self._quiet:
            sys.stderr.write("\n")

    def add(self, items: int, skipped: bool = False) -> None:
        """Count a finished part with `items` items; `skipped` if an earlier run did it, so that the rate leaves it out."""
        self._done += 1
        self.advance(items, skipped)

    def advance(self, items: int, skipped: bool = False) -> None:
        """Count `items` more items of a part; a negative number if they must be done again."""
        self._items += items
        self._skipped += items if skipped else 0
        now = time.monotonic()
        if self._quiet or (now - self._last < self._wait and self._done < self._parts):
            return
        self._last = now
        self._print(now - self._begin)

    def _print(self, seconds: float) -> None:
        line = self.line(seconds)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + line[:width].ljust(width))
            sys.stderr.flush()
        else:
            echo(line, err=True)

    def line(self, seconds: float) -> str:
        """Return the line to print `seconds` after the beginning: with the time that is left, at the end that it took."""
        share = self._items / self._total if self._total else 1.0
        bar = "#" * round(share * _BAR_WIDTH)
        rate = max(self._items - self._skipped, 0) / seconds if seconds > 0 else 0.0
        left = f"{format_seconds((self._total - self._items) / rate) if rate else '?'} left"
        if self._done >= self._parts:
            left = f"in {format_seconds(seconds)}"
        return (
            f"{self._step:<10}{bar:.<{_BAR_WIDTH}}  {self._done}/{self._parts} {self._part}  "
            f"{self._show(self._items)}/{self._show(self._total)}  "
            f"{f'{self._show(round(rate))} {self._unit}'.strip()}/s  {left}"
        )


def _open_closed_streams() -> None:
    """Open the null device for each standard stream that is closed (`>&-`).

    Reports need a stream, and the next file that is opened would get its number: what a library prints would land in it.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - open until the end


def run(command: click.Command) -> None:
    """Run a command line and exit: 0 done, 1 fault of the data or the outside world, 2 wrong usage, 130 interrupted."""
    _open_closed_streams()
    with contextlib.suppress(OSError):  # a standard stream that takes nothing more: there is no way to say so
        code = 1
        code = _run(command)
    gc.freeze()  # the interpreter ends soon: its last searches for cycles would take longer than many a command
    sys.exit(code)


def _run(command: click.Command) -> int:
    """Run a command line, print the message of its error, and return its exit code."""
    try:
        command.main(standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt) as stop:
        if not isinstance(stop.__cause__, KeyboardInterrupt):  # else click has ended the line that shows ^C
            echo(err=True)
        echo(f"Interrupted.{resume_hint(stop) or resume_hint(stop.__cause__)}", err=True)
        return INTERRUPTED
    except UserError as error:
        echo(f"Error: {error}", err=True)
        return 1
    except Exception as error:
        reason = describe(error)
        if reason is None:
            raise
        echo(f"Error: {reason}.{resume_hint(error) if may_be_over(error) else ''}", err=True)
        return 1
    return 0


def _show(error: click.ClickException) -> None:
    """Print a message of click: wrong usage."""
    text = io.StringIO()
    error.show(text)
    echo(text.getvalue().rstrip("\n"), err=True)
