"""The name of the repository in its card: `rocov2` in a folder, `org/name` on the Hub.

Python blocks and code in the text name it: `load_dataset("rocov2")`, and paths such as `"rocov2/text/train.parquet"`. Other
blocks are left as they are: what a program prints may contain anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

FOLDER = "rocov2"

_HUB = "hf://datasets/"
_REPO_ID = r"[\w.-]+/[\w.-]+"
_CODE = re.compile(
    r"^(?P<fence>`{3,})(?P<kind>[^`\n]*)\n.*?^(?P=fence)`*$|(?<![\\`])`[^`\n]+`(?!`)", re.MULTILINE | re.DOTALL
)
"""A block of any kind, or code within a line."""
_IN_FOLDER = re.compile(rf"""(\bload_dataset\(\s*"){FOLDER}(?=")|(?<=["']){FOLDER}(?=/)""")
_ON_HUB = re.compile(rf"""(\bload_dataset\(\s*")({_REPO_ID})(?=")|(?<=["']){_HUB}({_REPO_ID})(?=/)""")


def card_on_the_hub(text: str, repo_id: str) -> str:
    """Return the card's text, with the repository's name on the Hub in its code.

    `load_dataset("rocov2")` becomes `load_dataset("org/name")`, and a path such as `"rocov2/text/train.parquet"` becomes
    `"hf://datasets/org/name/text/train.parquet"`. A card that names another repository of the Hub is a copy of that one's,
    and gets the new name.
    """

    def name(found: re.Match[str]) -> str:
        return f"{found[1]}{repo_id}" if found[1] else f"{_HUB}{repo_id}"

    return replace_in_code(card_in_a_folder(text), lambda code: _IN_FOLDER.sub(name, code))


def card_in_a_folder(text: str) -> str:
    """Return the card's text as it was built, with `rocov2` as the repository's name.

    A card that uses several names is returned as it is: publishing writes one.
    """
    codes = [found[0] for found in _programs(text)]
    names = {found[2] or found[3] for code in codes for found in _ON_HUB.finditer(code)}
    if len(names) != 1 or any(_IN_FOLDER.search(code) for code in codes):
        return text
    return replace_in_code(text, lambda code: _ON_HUB.sub(lambda found: f"{found[1] or ''}{FOLDER}", code))


def replace_in_code(text: str, replace: Callable[[str], str]) -> str:
    """Return Markdown with its Python blocks and the code within its lines replaced."""
    return _CODE.sub(lambda found: replace(found[0]) if _is_program(found) else found[0], text)


def _programs(text: str) -> Iterator[re.Match[str]]:
    return filter(_is_program, _CODE.finditer(text))


def _is_program(found: re.Match[str]) -> bool:
    return not found["fence"] or found["kind"].split()[:1] == ["python"]
