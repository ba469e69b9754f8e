"""Text from a release as Markdown: it arrives as text, whatever it contains."""

from __future__ import annotations

import re

_SPECIAL = re.compile(
    r"""
    [\\`*_\[\]<>|~&$@]  # code, emphasis, links and images, HTML, tables, strike-through, entities, formulas, addresses
    | ^[#+=-]  # headings, lists and rules begin a line
    | (?<=\w)\.(?=[^\W\d]) | :(?=//) | (?<=:)/ | (?<=:/)/  # addresses become links without any mark
    """,
    re.VERBOSE,
)


def escape_markdown(text: str) -> str:
    r"""Return one line of Markdown (CommonMark or GitHub's) that shows a text and nothing else, also in a cell of a table.

    Runs of blanks and line breaks become one blank.

    >>> escape_markdown("| a |\n# <b>x</b> ](x)")
    '\\| a \\| # \\<b\\>x\\</b\\> \\](x)'
    """
    line = _SPECIAL.sub(lambda found: f"\\{found[0]}", " ".join(text.split()))
    return re.sub(r"^(\d{1,9})(?=[.)])", r"\1\\", line)  # numbered lists
