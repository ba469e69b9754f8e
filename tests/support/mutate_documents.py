"""Random changes to one document: a value, its text, its bytes, or what is in its place."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml

from rocov2_build.card.texts import split_front_matter
from rocov2_shared.json_values import differences, show
from tests.support.fuzz import damage
from tests.support.mutation import Done

_SAME_VALUES = "every reader of JSON or YAML reads the same values"

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


def of_json(path: Path, random: Random) -> Done:
    """Change one value of a JSON file."""
    value = json.loads(path.read_text(encoding="utf-8"))
    done = change_value(value, random)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    return Done(done)


def of_yaml(path: Path, random: Random) -> Done:
    """Change one value of the card's YAML."""
    metadata, body = split_front_matter(path.read_text(encoding="utf-8"))
    done = change_value(metadata, random)
    try:
        header = yaml.safe_dump(metadata, sort_keys=False)
        path.write_text(f"---\n{header}---\n{body}", encoding="utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair, which YAML can only escape
        path.write_text(f'---\n"\\ud800": 1\n{header}---\n{body}', encoding="utf-8", errors="backslashreplace")
    return Done(done)


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


def of_yaml_text(path: Path, random: Random) -> Done:
    """Insert a line at the top of the card's YAML."""
    text = random.choice(YAML_TEXTS)
    path.write_text(path.read_text(encoding="utf-8").replace("---\n", f"---\n{text}", 1), encoding="utf-8")
    return Done(f"with {show(text)}")


def of_body(path: Path, random: Random) -> Done:
    """Cut or change the card's text."""
    text = path.read_text(encoding="utf-8")
    end = text.index("\n---\n", 4) + 5
    at = random.randrange(end, len(text))
    body = random.choice([text[end:at], text[at:], text[end:at] + "x" + text[at:], text[end:at] + text[at + 1 :], ""])
    path.write_text(text[:end] + body, encoding="utf-8")
    return Done(f"another body at {at}")


def of_bytes(path: Path, random: Random) -> Done:
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
    return Done(f"other bytes, {len(damaged):,} instead of {len(content):,}")


def of_key_twice(path: Path, random: Random) -> Done:
    """Write a key of a JSON file twice."""
    lines = json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=1).split("\n")
    keys = [number for number, line in enumerate(lines) if line.lstrip().startswith('"') and '": ' in line]
    number = random.choice(keys)
    key = lines[number].split('": ')[0]
    lines.insert(number, f'{key}": {json.dumps(random.choice([0, None, "a", {}]))},')
    path.write_text("\n".join(lines), encoding="utf-8")
    return Done(f"twice {key.strip()}")


def of_place(path: Path, random: Random) -> Done:
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
    return Done(kind)


def of_picture(path: Path, random: Random) -> Done:
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
        return Done(kind, (f"{path.parent.name}/more.png",))
    return Done(kind)


STYLES = ["indent", "sorted keys", "CRLF", "a line more at the end", "escapes"]
"""Other ways to write the same values, which no reader tells apart."""


def of_json_style(path: Path, random: Random) -> Done:
    """Write the same values of a JSON file in another way."""
    value = json.loads(path.read_text(encoding="utf-8"))
    style = random.choice(STYLES)
    text = json.dumps(value, indent=3, sort_keys=style == "sorted keys", ensure_ascii=style == "escapes")
    text = text.replace("\n", "\r\n") if style == "CRLF" else text
    path.write_bytes((text + "\n\n" * (style == STYLES[3])).encode())
    return Done(f"the same values with {style}", harmless=_SAME_VALUES)


def of_yaml_style(path: Path, random: Random) -> Done:
    """Write the same values of the card's YAML in another way, or with a comment."""
    text = path.read_text(encoding="utf-8")
    metadata, body = split_front_matter(text)
    style = random.choice(["a comment", "flow style", "sorted keys", "quotes", "CRLF", "blanks"])
    if style == "a comment":
        text = text.replace("---\n", "---\n# a comment\n", 1)
    elif style == "blanks":
        text = text.replace("\n---\n", "\n\n---\n", 1)
    elif style != "CRLF":
        header = yaml.safe_dump(
            metadata,
            sort_keys=style == "sorted keys",
            default_flow_style=style == "flow style",
            default_style='"' if style == "quotes" else None,
        )
        text = f"---\n{header}---\n{body}"
    path.write_bytes((text.replace("\n", "\r\n") if style == "CRLF" else text).encode())
    return Done(f"the same YAML with {style}", harmless=_SAME_VALUES)


def of_attributes(path: Path, random: Random) -> Done:
    """Change the text of .gitattributes: a line, a pattern, a value."""
    lines = path.read_text(encoding="utf-8").splitlines()
    number = random.randrange(len(lines))
    kind = random.choice(["remove", "another pattern", "unset", "a line behind", "no filter", "comment"])
    line = lines[number]
    ending = line.split()[0]
    changed = {
        "remove": [],
        "another pattern": [line.replace("*", "x", 1)],
        "unset": [line.replace("filter=lfs", "-filter").replace("-text", "text")],
        "a line behind": [line, f"{ending} -filter text"],
        "no filter": [f"{ending} text=auto"],
        "comment": [f"# {line}"],
    }[kind]
    path.write_text("\n".join([*lines[:number], *changed, *lines[number + 1 :]]) + "\n", encoding="utf-8")
    return Done(f"{kind}: {line}")
