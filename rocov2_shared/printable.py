"""Text from outside, made safe to show: what is not a printable character becomes its escape sequence, as in `repr`.

File names may contain bytes that are not UTF-8 (lone surrogates in Python), and any text may contain the control sequences
of a terminal, line breaks or marks that change the direction of writing.
"""

from __future__ import annotations


def is_utf8(name: str) -> bool:
    """Return whether the name of a file is UTF-8 on disk, as libraries outside of Python require."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str, keep: str = "") -> str:
    r"""Return a text with an escape sequence for each character that is not printable, such as `\x1b` or `\udcff`.

    Args:
        text: any text.
        keep: characters that stay as they are, such as line breaks.

    >>> printable("a\x1b[31m\n")
    'a\\x1b[31m\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text
    )
