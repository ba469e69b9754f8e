"""Seeded mutations of the documents and footers of a repository: one change each, which no reader may be hurt by.

`mutations("facts.json", range(40))` gives 40 of them; the same seed makes the same change. `MAKERS` is the table of kinds: a
new kind of file is a new row, and the tests mutate it since it is there.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import yaml

from rocov2_build.card.texts import split_front_matter
from rocov2_shared.json_values import differences, show
from tests.support.breaking import SHARD, TEXT, seal
from tests.support.fuzz import damage

Maker = Callable[[Path, Random], str]
"""Makes one random change to the file at a path, and returns what it did."""

CARD, ASSET = "README.md", "assets/captions.png"

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 7, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, math.nan, math.inf),
    *(
        "",
        "0",
        "a",
        "\0",
        "\x1b[31m",
        "../../etc/passwd",
        "<script>",
        "\ud800",
        "x" * 100_000,
        "C0040405",
        "data/train-*",
    ),
    *([], {}, [[]], {"a": {}}, [None], "[" * 50_000),
]
"""What a value is replaced by."""


@dataclass(frozen=True)
class Mutation:
    """One change to one file: call it with the root of a repository; it returns what it did.

    Attributes:
        kind: the file, a key of `MAKERS`.
        seed: which of the changes.
        sealed: whether `conversion.json` records the changed file afterwards, as if it had been built so; only for the kinds
            of `STRUCTURED`.
    """

    kind: str
    seed: int
    sealed: bool = False

    def __call__(self, root: Path) -> str:
        random = Random(f"{self.kind} {self.seed}")
        makers = STRUCTURED if self.sealed else MAKERS
        done = random.choice(makers[self.kind])(root / self.kind, random)
        if self.sealed:
            seal(root)
        return f"{self.kind}: {done}"

    def __str__(self) -> str:
        return f"{self.kind}-{self.seed}{'-sealed' if self.sealed else ''}"


def mutations(kind: str, seeds: Iterable[int], sealed: bool = False) -> Iterator[Mutation]:
    """Yield a mutation of a kind for each seed."""
    for seed in seeds:
        yield Mutation(kind, seed, sealed)


def _places(value: Any, key: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield every part of a JSON value: what contains it, its key or index there, and where that is."""
    for part, inner in value.items() if isinstance(value, dict) else enumerate(value):
        where = f"{key}[{part!r}]"
        yield value, part, where
        if isinstance(inner, dict | list):
            yield from _places(inner, where)


def _near(value: Any, random: Random) -> Any:
    """Return a value of the same type that is close to another."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + random.choice([1, -1, value, 1000])
    if isinstance(value, str):
        at = random.randrange(len(value) + 1)
        return random.choice(
            [value[:at], value + "x", value[:at] + "~" + value[at + 1 :], value.swapcase(), f" {value}"]
        )
    return random.choice(VALUES)


def change_value(value: Any, random: Random) -> str:
    """Change one value somewhere in a JSON value, in place; returns what was done."""
    before = copy.deepcopy(value)
    while True:
        container, part, where = random.choice(list(_places(value)))
        old = container[part]
        kind = random.choice(
            ["near", "near", "near", "other", "other", "remove", "add", "twice", "rename", "swap", "wrap"]
        )
        if kind == "near":
            container[part] = _near(old, random)
        elif kind == "other":
            container[part] = random.choice(VALUES)
        elif kind == "remove":
            del container[part]
        elif kind == "add" and isinstance(container, dict):
            container[random.choice(["x", "data_dir", "filters", "columns", "default", "features"])] = random.choice(
                VALUES
            )
        elif kind in ("add", "twice") and isinstance(container, list):
            container.insert(part, copy.deepcopy(random.choice(container)))
        elif kind == "rename" and isinstance(container, dict):
            container[f"{part}x"] = container.pop(part)
        elif kind == "swap":
            other = random.choice(list(container) if isinstance(container, dict) else range(len(container)))
            container[part], container[other] = container[other], container[part]
        elif kind == "wrap":
            container[part] = random.choice([[old], {"a": old}, str(old)])
        if next(differences(before, value), None):
            return f"{kind} {where}"


def of_json(path: Path, random: Random) -> str:
    """Change one value of a JSON file."""
    value = json.loads(path.read_text(encoding="utf-8"))
    done = change_value(value, random)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    return done


def of_yaml(path: Path, random: Random) -> str:
    """Change one value of the card's YAML."""
    metadata, body = split_front_matter(path.read_text(encoding="utf-8"))
    done = change_value(metadata, random)
    try:
        header = yaml.safe_dump(metadata, sort_keys=False)
        path.write_text(f"---\n{header}---\n{body}", encoding="utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which YAML can only escape
        path.write_text(f'---\n"\\ud800": 1\n{header}---\n{body}', encoding="utf-8", errors="backslashreplace")
    return done


YAML_TEXTS = [
    *(
        "a: &a [1]\nb: *a\n",
        "a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "configs: []\n",
        "viewer: false\n",
        "? [1]\n: 2\n",
    ),
    *("a: !!python/object:os.system x\n", "a: !!timestamp x\n", "a: !!bool x\n", "a: !!int ''\n", "a: !!float x\n"),
    *("a: !!binary '*'\n", "a: 2024-13-45\n", "a: 0b\n", "a: 1:99\n", "a: !!set {b}\n", "a: !!omap [b]\n", "a: .nan\n"),
    *("\tb: c\n", "a: [\n", "--- b\n", "...\n", "a: '\\ud800'\n", 'a: "\\ud800"\n', "<<: {viewer: false}\n", "<<: 1\n"),
    *(
        "a: " + "[" * 3000 + "]" * 3000 + "\n",
        "a: " + "9" * 5000 + "\n",
        "a: 1e999\n",
        "%YAML 9.9\n",
        "%TAG ! x\n",
        "a\n",
    ),
]


def of_yaml_text(path: Path, random: Random) -> str:
    """Insert a line at the top of the card's YAML."""
    text = random.choice(YAML_TEXTS)
    path.write_text(path.read_text(encoding="utf-8").replace("---\n", f"---\n{text}", 1), encoding="utf-8")
    return f"with {show(text)}"


def of_body(path: Path, random: Random) -> str:
    """Cut or change the card's text."""
    text = path.read_text(encoding="utf-8")
    end = text.index("\n---\n", 4) + 5
    at = random.randrange(end, len(text))
    body = random.choice([text[end:at], text[at:], text[end:at] + "x" + text[at:], text[end:at] + text[at + 1 :], ""])
    path.write_text(text[:end] + body, encoding="utf-8")
    return f"another body at {at}"


def of_bytes(path: Path, random: Random) -> str:
    """Damage the bytes of a file."""
    content = path.read_bytes()
    at = random.randrange(len(content))
    kind = random.randrange(13)
    if kind == 0:
        damaged = damage(content, random)
    else:
        damaged = [
            b"",
            b"\xef\xbb\xbf" + content,
            content.decode("utf-8", "replace").encode("utf-16"),
            content[:at] + b"\xff" + content[at:],
            content.replace(b"\n", b"\r\n"),
            b"[" * 100_000,
            b'{"a":' * 100_000,
            content[:at] + b'{"a":' * 2000 + content[at:],
            b"null",
            b"[]",
            b"{}",
            b"\0" * len(content),
        ][kind - 1]
    while damaged == content:
        damaged = damage(content, random)
    path.write_bytes(damaged)
    return f"other bytes, {len(damaged):,} instead of {len(content):,}"


def of_key_twice(path: Path, random: Random) -> str:
    """Write a key of a JSON file twice."""
    lines = json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=1).split("\n")
    keys = [number for number, line in enumerate(lines) if line.lstrip().startswith('"') and '": ' in line]
    number = random.choice(keys)
    key = lines[number].split('": ')[0]
    lines.insert(number, f'{key}": {json.dumps(random.choice([0, None, "a", {}]))},')
    path.write_text("\n".join(lines), encoding="utf-8")
    return f"twice {key.strip()}"


def of_place(path: Path, random: Random) -> str:
    """Put something else in the place of a file."""
    content = path.read_bytes()
    path.unlink()
    kind = random.choice(["nothing", "a folder", "a link to nothing", "a link to itself", "a link to a folder"])
    if kind == "a folder":
        path.mkdir()
        (path / path.name).write_bytes(content)
    elif kind != "nothing":
        path.symlink_to(
            {"a link to nothing": "nowhere", "a link to itself": path.name, "a link to a folder": "."}[kind]
        )
    return kind


def of_footer(path: Path, random: Random) -> str:
    """Damage the footer of a Parquet file."""
    content = bytearray(path.read_bytes())
    size = struct.unpack("<I", content[-8:-4])[0]
    start = len(content) - 8 - size
    footer = bytes(content[start:-8])
    kind = random.choice(["bytes", "bytes", "length", "text"])
    if kind == "bytes":
        footer = damage(footer, random)
    elif kind == "text":
        old = random.choice(
            [b'{"info"', b'"Sequence"', b"image", b"caption", b"ClassLabel", b"content_defined_chunking"]
        )
        new = random.choice([b"\xff", b"[", b"{", b"\0", b'"', b"\xef\xbb\xbf"])
        footer = footer.replace(old, new * len(old))
    if footer == bytes(content[start:-8]):
        size = random.choice([0, 1, size - 1, size + 1, 2**31, 2**32 - 1, len(content), size // 2])
    else:
        size = len(footer)
    path.write_bytes(bytes(content[:start]) + footer + struct.pack("<I", size) + b"PAR1")
    return f"footer, {kind}"


def of_picture(path: Path, random: Random) -> str:
    """Cut a picture, change it, remove it, or add another beside it."""
    kind = random.choice(["bytes", "remove", "add", "empty"])
    if kind == "bytes":
        return of_bytes(path, random)
    if kind == "remove":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        shutil.copy(path, path.with_name("more.png"))
    return kind


_ANY: list[Maker] = [of_bytes, of_place]
_JSON: list[Maker] = [of_json, of_json, of_json, of_json, of_bytes, of_key_twice, of_place]
MAKERS: dict[str, list[Maker]] = {
    CARD: [of_yaml, of_yaml, of_yaml, of_yaml_text, of_body, of_bytes, of_place],
    "dataset_infos.json": _JSON,
    "croissant.json": _JSON,
    "facts.json": _JSON,
    "conversion.json": _JSON,
    "LICENSE.md": _ANY,
    ".gitattributes": _ANY,
    ASSET: [of_picture, *_ANY],
    SHARD: [of_footer, of_footer, of_footer, *_ANY],
    TEXT: [of_footer, *_ANY],
}
"""By file, what can be done to it; one is chosen by the seed."""

STRUCTURED: dict[str, list[Maker]] = {
    CARD: [of_yaml, of_yaml_text],
    "dataset_infos.json": [of_json, of_key_twice],
    "croissant.json": [of_json, of_key_twice],
}
"""Files whose content follows from the others: their mutations are found though `conversion.json` records their hash."""
