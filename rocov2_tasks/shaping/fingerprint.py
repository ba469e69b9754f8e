"""The fingerprint of the code that shapes a view, for the cache of `datasets`."""

from __future__ import annotations

import functools
import hashlib
import unicodedata
from pathlib import Path

import rocov2
import rocov2_shared


def list_sources() -> list[Path]:
    """Return the modules that a view may depend on: those of views, and what they import of the project."""
    tasks, core = Path(__file__).parents[1], Path(rocov2.__file__)
    folders = (tasks / "shaping", Path(rocov2_shared.__file__).parent)
    return [
        core,
        *sorted(tasks.glob("*.py")),
        *(source for folder in folders for source in sorted(folder.rglob("*.py"))),
    ]


@functools.cache
def hash_code() -> str:
    """Return a hash of all code that shapes a view, and of the table of Unicode by which captions are cleaned.

    `datasets` hashes the attributes of a step, not its code: without this its cache would return what an older version of the
    project made.
    """
    code = hashlib.sha256(unicodedata.unidata_version.encode())
    for source in list_sources():
        content = source.read_bytes()
        code.update(f"{source.name} {len(content)}\n".encode() + content)
    return code.hexdigest()
