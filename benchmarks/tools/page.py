"""Write docs/tools.md from results.json, rows.py and advice.md: `python -m benchmarks.tools.page`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.tools.rows import FAMILIES, TOOLS, Tool
from rocov2 import CONFIGS, SPLITS

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
ADVICE = HERE / "advice.md"
PAGE = HERE.parents[1] / "docs" / "tools.md"

ASPECTS = {
    "images": "JPEG bytes",
    "pixels": "decoded pictures",
    "texts": "captions",
    "nulls": "a null label",
    "lists": "lists",
    "labels": "labels",
    "order": "order",
}
"""Findings that have a column -> its heading. All others are listed below the table."""

OTHERS = {"names": "names of the labels", "reads": "what it read"}
"""Other findings -> what the page calls them."""

HIDDEN = ("traps", "memory")
"""Findings that have tables of their own."""

HEAD = """\
# Tools that were run on the repository

Each tool below read a small repository in an environment of its own, and what it gave was compared with the truth: the
bytes of each JPEG, grey, coloured and turned pictures, captions such as `NA` and `null`, null labels, lists and empty
lists, the order of the rows. `make test-tools` runs all of them again and writes this page; it takes about an hour,
gigabytes of packages, and is no part of `make test`. The results are in [results.json](../benchmarks/tools/results.json),
the programs in [benchmarks/tools/probes](../benchmarks/tools/probes). [recipes.md](recipes.md) and
[trainers.md](trainers.md) have whole recipes.

Machine: {machine}. {dates}

## Wrong values first

**Name the files, not the folder.** `rocov2/` contains the same images up to four times (`data`, `small`, `mini`, and
their rows in `text`), and `vocabulary`, whose rows are concepts. `rocov2/data` contains all splits. A tool that takes a
folder mixes them, often without a word. These patterns are the configurations:

| configuration | train | |
| --- | --- | --- |
{patterns}

For `validation` and `test` replace `train`, except in `apart`, whose validation and test are those of `default`. What the
tools make of folders and wide patterns ({rows} rows are right):

| tool | what was read | what came |
| --- | --- | --- |
{traps}

**A null label may become a number.** Region and direction are null where there is none. What each tool makes of it:

| a null label becomes | tools |
| --- | --- |
{nulls}

**Labels are numbers** unless the table says `names`. `datasets`, the export to tars and croissant.json have the names.

**A picture may be turned, or lose its channels.** `as stored` in the tables means that the tool ignores the orientation
in the EXIF data of a JPEG, which `datasets` applies. One picture here is turned. Of 800 files of ROCOv2 and 5,963 of ROCO v1
that were looked at, none is, and the pictures of `small` and `mini` are upright. Grey pictures have 1 channel in some tools
and 3 in others.
"""

COLUMN_NOTE = (
    "**Memory** in the tables is the peak over that before, in MB, while 140 MB of images are read; with child processes, "
    "without imports. It is a single run beside other work: a rough figure."
)


def render(results: Mapping[str, Any]) -> str:
    """Return the page."""
    found: dict[str, Any] = results["tools"]
    parts = [
        HEAD.format(
            machine=results["machine"],
            dates=_dates(found),
            patterns=_patterns(),
            rows=_train_rows(found),
            traps="\n".join(_traps(found)),
            nulls="\n".join(_nulls(found)),
        ),
        f"\n{COLUMN_NOTE}\n",
    ]
    for family, title in FAMILIES.items():
        tools = [tool for tool in TOOLS.values() if tool.family == family and tool.name in found]
        parts += [f"\n## {title}\n\n", *_table(tools, found), "\n", *(_notes(tool, found[tool.name]) for tool in tools)]
    return "".join(parts)


def _dates(found: Mapping[str, Any]) -> str:
    dates = sorted({entry["date"] for entry in found.values()})
    return f"Run on {dates[0]}." if len(dates) == 1 else f"Run from {dates[0]} to {dates[-1]}."


def _patterns() -> str:
    lines = []
    for name, config in CONFIGS.items():
        split = next(iter(SPLITS)) if next(iter(SPLITS)) in config.splits else config.splits[0]
        pattern = config.files(split)
        pattern = pattern if pattern.endswith(".parquet") else f"{pattern}.parquet"
        lines.append(f"| `{name}` | `rocov2/{pattern}` | {config.summary} |")
    return "\n".join(lines)


def _train_rows(found: Mapping[str, Any]) -> int:
    counts = {
        int(match[1])
        for entry in found.values()
        for words in entry.get("findings", {}).get("traps", {}).values()
        if (match := re.match(r"(\d+) rows, train \(right\)", str(words)))
    }
    (count,) = counts
    return count


def _traps(found: Mapping[str, Any]) -> list[str]:
    return [
        f"| {name} | `{place}` | {_cell(words)} |"
        for name, entry in found.items()
        for place, words in entry.get("findings", {}).get("traps", {}).items()
    ]


def _nulls(found: Mapping[str, Any]) -> list[str]:
    groups: dict[str, list[str]] = {}
    for name, entry in found.items():
        words = entry.get("findings", {}).get("nulls")
        if words and TOOLS[name].probe != "python":
            groups.setdefault(str(words), []).append(name)
    ordered = sorted(groups.items(), key=lambda group: (group[0] != "None", -len(group[1]), group[0]))
    return [f"| {_cell(words)} | {', '.join(names)} |" for words, names in ordered]


def _table(tools: list[Tool], found: Mapping[str, Any]) -> list[str]:
    shown = {
        key: title
        for key, title in ASPECTS.items()
        if any(key in found[tool.name].get("findings", {}) for tool in tools)
    }
    lines = [
        f"| tool | {' | '.join(shown.values())} | memory |\n",
        f"| --- | {' | '.join('---' for _ in shown)} | --- |\n",
    ]
    for tool in tools:
        entry = found[tool.name]
        name = f"{tool.name} {_version(tool)}".strip()
        if "failed" in entry:
            lines.append(f"| {name} | {_cell(entry['failed'])} |{' |' * len(shown)}\n")
            continue
        findings = entry["findings"]
        memory = findings.get("memory")
        cells = [_cell(findings.get(key, "")) for key in shown]
        lines.append(f"| {name} | {' | '.join(cells)} | {memory['over_mb'] if isinstance(memory, dict) else ''} |\n")
    return lines


def _version(tool: Tool) -> str:
    first = tool.packages[0]
    return re.split(r"==|(?<=.)@", first)[-1] if tool.probe != "python" else ""


def _notes(tool: Tool, entry: Mapping[str, Any]) -> str:
    findings = entry.get("findings", {})
    notes = [
        f"{OTHERS.get(key, key)}: {_cell(findings[key])}"
        for key in findings
        if key not in ASPECTS and key not in HIDDEN
    ]
    ran = f"Python {entry['python']}" if "python" in entry else f"Node {entry['node']}" if "node" in entry else ""
    older = "" if entry["configurations"] == list(CONFIGS) else "on an older layout of the repository"
    beside = [*tool.packages[1:], tool.system, ran, older]
    notes.append(f"run with {', '.join(filter(None, beside))}")
    lines = "".join(f"- {note}\n" for note in notes)
    return f"\n**{tool.name}.** {_advice().get(tool.name, '')}".rstrip() + f"\n\n{lines}"


@cache
def _advice() -> dict[str, str]:
    """The paragraphs of advice.md by tool, each in a line."""
    sections = re.split(r"^## (.+)$", ADVICE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {name: " ".join(text.split()) for name, text in zip(sections[::2], sections[1::2], strict=True)}


def _cell(value: Any) -> str:
    words = ", ".join(f"{key} {entry}" for key, entry in value.items()) if isinstance(value, dict) else str(value)
    return " ".join(words.split()).replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
