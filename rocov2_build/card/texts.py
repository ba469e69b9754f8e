"""The texts of the card, which are files beside this module, and the markers in them.

A marker is a line of its own. A generated block replaces `<!-- block: NAME -->`, a section of the template replaces
`<!-- section: HEADING -->`. An empty part leaves no trace.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from importlib import resources
from typing import Any

import yaml

from rocov2_shared.json_values import require_plain

TEMPLATE = "template.md"
"""The card of a built repository, with markers."""
FRONT_PAGE = "front_page.md"
"""README.md of the project, with markers; it has no YAML, since it takes that of the template."""
LICENSE = "LICENSE.md"

INTRODUCTION = "introduction"
"""Name of the section between the title and the first marker or heading."""

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_MARKER = re.compile(r"^<!-- (block|section): (.+?) -->\n(\n?)", re.MULTILINE)


def read_text(name: str) -> str:
    """Return the text of a file beside this module, which an installed wheel contains too."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


class _StrictLoader(yaml.SafeLoader):
    """Reads YAML as every reader does: without aliases, which can stand for gigabytes, and without a key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias, which means another value of the file")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        values = super().construct_mapping(node, deep)
        if len(values) < len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            raise yaml.YAMLError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} occurs twice")
        return values


def split_front_matter(text: str) -> tuple[dict[Any, Any], str]:
    """Return the YAML and the body of a card; the YAML is empty if there is none.

    Raises:
        ValueError: the YAML cannot be read, or readers understand it differently.
    """
    front = _FRONT_MATTER.match(text)
    if not front:
        return {}, text
    try:
        metadata = yaml.load(front[1], _StrictLoader)  # noqa: S506 (a loader that is safer than the safe one)
        require_plain(metadata)
    except (
        Exception
    ) as error:  # PyYAML raises AttributeError, IndexError, KeyError, ... for values that their tag forbids
        raise ValueError(f"{str(error) or type(error).__name__}") from error
    if not isinstance(metadata, dict):
        raise ValueError("the YAML at the top of README.md is not a mapping")
    return metadata, text[front.end() :]


def template_metadata() -> dict[str, Any]:
    """Return the YAML that is the same on every card."""
    return split_front_matter(read_text(TEMPLATE))[0]


def sections(text: str) -> dict[str, str]:
    """Return the sections of a text by heading, each with its heading; the introduction has none."""
    _, body = split_front_matter(text)
    first, *others = re.split(r"^(?=## )", body, flags=re.MULTILINE)
    _, _, introduction = first.partition("\n# ")
    introduction = _MARKER.split(introduction.partition("\n")[2], maxsplit=1)[0]
    return {INTRODUCTION: introduction.strip("\n")} | {
        section.partition("\n")[0].removeprefix("## "): section.strip("\n") for section in others
    }


def fill(text: str, blocks: Mapping[str, str], parts: Mapping[str, str] | None = None) -> str:
    """Replace the markers of a text.

    Args:
        text: Markdown with markers.
        blocks: generated Markdown by name of the block.
        parts: sections of the template by heading; they may contain markers of blocks.

    Raises:
        ValueError: a marker names an unknown block or section.
    """
    known = {"block": blocks, "section": parts or {}}

    def replace(marker: re.Match[str]) -> str:
        kind, name, blank = marker.groups()
        if name not in known[kind]:
            raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(known[kind])}")
        part = known[kind][name]
        if kind == "section":
            part = fill(f"{part}\n", blocks).rstrip("\n")
        return f"{part}\n{blank}" if part else ""

    return _MARKER.sub(replace, text)
