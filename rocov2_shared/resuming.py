"""Whether the same command, run again, resumes where this one stopped: work says so, and the last message repeats it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

RESUME = "Run the same command again to resume where this one stopped."


@contextmanager
def resumable(has_begun: Callable[[], bool]) -> Iterator[None]:
    """Note on an error or interruption inside that the same command resumes, if anything is done that need not be repeated.

    with resumable(lambda: any(folder.iterdir())):
        fill(folder)
    """
    try:
        yield
    except BaseException as error:
        try:
            begun = has_begun()
        except OSError:
            begun = False
        if begun:
            error.add_note(RESUME)
        raise


def resume_hint(error: BaseException | None) -> str:
    """Return what to add to the message of an error: ` Run the same command again ...`, or nothing."""
    return f" {RESUME}" if RESUME in getattr(error, "__notes__", ()) else ""
