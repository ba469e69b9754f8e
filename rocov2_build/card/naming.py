"""The name of the repository in its card: `rocov2` in a folder, `org/name` on the Hub.

Only Python blocks name it: `load_dataset("rocov2")`, and paths such as `"rocov2/text/train.parquet"`.
"""

from __future__ import annotations

import re

FOLDER = "rocov2"

_HUB = "hf://datasets/"
_REPO_ID = r"[\w.-]+/[\w.-]+"
_BLOCK = re.compile(r"^```python\b.*?^```$", re.MULTILINE | re.DOTALL)
_IN_FOLDER = re.compile(rf"""(\bload_dataset\(\s*"){FOLDER}(?=")|(?<=["']){FOLDER}(?=/)""")
_ON_HUB = re.compile(rf"""(\bload_dataset\(\s*")({_REPO_ID})(?=")|(?<=["']){_HUB}({_REPO_ID})(?=/)""")


def card_on_the_hub(text: str, repo_id: str) -> str:
    """Return the card's text, with the repository's name on the Hub in its Python blocks.

    `load_dataset("rocov2")` becomes `load_dataset("org/name")`, and a path such as `"rocov2/text/train.parquet"` becomes
    `"hf://datasets/org/name/text/train.parquet"`. A card that names another repository of the Hub is a copy of that one's,
    and gets the new name.
    """

    def name(found: re.Match[str]) -> str:
        return f"{found[1]}{repo_id}" if found[1] else f"{_HUB}{repo_id}"

    return _BLOCK.sub(lambda block: _IN_FOLDER.sub(name, block[0]), card_in_a_folder(text))


def card_in_a_folder(text: str) -> str:
    """Return the card's text as it was built, with `rocov2` as the repository's name.

    A card that uses several names is returned as it is: publishing writes one.
    """
    blocks = _BLOCK.findall(text)
    names = {found[2] or found[3] for block in blocks for found in _ON_HUB.finditer(block)}
    if len(names) != 1 or any(_IN_FOLDER.search(block) for block in blocks):
        return text
    return _BLOCK.sub(lambda block: _ON_HUB.sub(lambda found: f"{found[1] or ''}{FOLDER}", block[0]), text)
