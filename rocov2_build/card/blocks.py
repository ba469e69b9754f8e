"""The generated blocks of the card: what a repository holds, as Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import datasets

import rocov2
from rocov2_build.card.tables import overlap_block, statistics_block
from rocov2_build.raw.releases import LATEST, RELEASES, SAMPLE
from rocov2_shared.sizes import format_size


@dataclass
class SplitSize:
    """One split of a configuration: rows, bytes of its files, and bytes of its columns before compression."""

    rows: int = 0
    download: int = 0
    uncompressed: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture of the card: its file in the repository, and the text that stands for it."""

    path: str
    alternative: str

    def markdown(self) -> str:
        """The picture; what is markup in its text is made plain, for it may hold captions."""
        text = re.sub(r"([\\\[\]`*_<>|~])", r"\\\1", " ".join(self.alternative.split()))
        return f"![{text}]({self.path})"


@dataclass(frozen=True)
class Contents:
    """What a repository holds, for its card.

    Attributes:
        sizes: by configuration and split, those that have rows.
        release: name of the release, `sample`, or None.
        part: what of the release it is (`--limit 100`), None for the whole.
        identity: by configuration, hash of its rows.
        facts: its numbers, as in `facts.json`; None when nothing is built.
        inputs: by file of the raw release, what identifies its content (`RawRelease.files`).
        examples: the contact sheet, None where there is none.
        charts: the other pictures.
    """

    sizes: dict[str, dict[str, SplitSize]]
    release: str | None
    part: str | None = None
    identity: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] | None = None
    inputs: dict[str, dict[str, int | str]] = field(default_factory=dict)
    examples: Picture | None = None
    charts: list[Picture] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether this is less than a release: a part of one, or the sample."""
        return self.part is not None or self.release == SAMPLE

    @property
    def title(self) -> str:
        """What is added to the title when this is not the latest release as a whole."""
        marks = [
            "" if self.release == LATEST else self.release or "unknown release",
            "partial" if self.partial else "",
        ]
        return f" ({', '.join(filter(None, marks))})" if any(marks) else ""


def schema_table() -> str:
    """Columns of the default configuration as Markdown."""
    lines = ["| column | type | what it is |", "| --- | --- | --- |"]
    for name, column in rocov2.COLUMNS.items():
        feature = column.feature
        if isinstance(feature, datasets.ClassLabel):
            kind = "label: " + ", ".join(feature.names)
        elif isinstance(feature, datasets.Image):
            kind = "image"
        elif isinstance(feature, datasets.Value):
            kind = feature.dtype
        else:
            kind = f"list of {feature.feature.dtype}"
        lines.append(f"| `{name}` | {kind} | {column.text} |")
    return "\n".join(lines)


def label_table() -> str:
    """Label names with their concepts as Markdown."""
    lines = ["| column | labels, in order |", "| --- | --- |"]
    for name, labels in rocov2.LABELS.items():
        lines.append(
            f"| `{name}` | {', '.join(f'{label} ({cui})' if cui else label for label, cui in labels.items())} |"
        )
    return "\n".join(lines)


def license_table(facts: dict[str, Any] | None) -> str:
    """Licences as Markdown: those of the images with their numbers, or, before anything is built, all that are known."""
    counted: dict[str, dict[str, int]] = facts["license"] if facts else {}
    splits = list(facts["images"]) if facts else []
    lines = [f"| {' | '.join(['licence', 'commercial use', *splits])} |", "| --- " * (2 + len(splits)) + "|"]
    for name in counted or rocov2.LICENSES:
        cells = [name, "yes" if rocov2.LICENSES[name] else "no", *(f"{counted[name][split]:,}" for split in splits)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def size_table(contents: Contents) -> str:
    """Configurations with the rows of their splits as Markdown."""
    splits = [*rocov2.SPLITS, rocov2.VOCABULARY_SPLIT]
    lines = [f"| config | what it is | {' | '.join(splits)} | download |", "| --- " * (len(splits) + 3) + "|"]
    for config, facts in rocov2.CONFIGS.items():
        sizes = contents.sizes.get(config, {})
        cells = [f"{sizes[split].rows:,}" if split in sizes else "" for split in splits]
        download = sum(size.download for size in sizes.values())
        lines.append(
            f"| `{config}` | {facts.summary} | {' | '.join(cells)} | {format_size(download) if download else ''} |"
        )
    return "\n".join(lines)


def input_table(contents: Contents) -> str:
    """Files of the raw release with their hashes as Markdown."""
    if not contents.inputs:
        return "(The card of a built repository lists the release's files with their hashes here.)"
    lines = ["| file of the release | images | bytes of images | SHA-256 |", "| --- | --- | --- | --- |"]
    for name, facts in sorted(contents.inputs.items()):
        counts = [f"{facts[key]:,}" if key in facts else "" for key in ("images", "bytes")]
        # Of images it is that of their ids, sizes and CRC-32, whatever the zip's order and compression.
        lines.append(f"| {name} | {' | '.join(counts)} | `{facts.get('sha256') or facts['fingerprint']}` |")
    return "\n".join(lines)


def _examples(contents: Contents) -> str:
    if contents.examples:
        return contents.examples.markdown()
    return "" if contents.identity else "(The card of a built repository shows images of every modality here.)"


def _charts(contents: Contents) -> str:
    if contents.charts:
        return "\n\n".join(chart.markdown() for chart in contents.charts)
    return "" if contents.identity else "(And charts of them here.)"


def _build_notice(contents: Contents) -> str:
    if not contents.identity:
        release = RELEASES[LATEST]
        return (
            f"The numbers on this page are those that release {release.name} ([{release.doi}]({release.url})) publishes: "
            f"{sum(release.images.values()):,} images. A built repository states its own."
        )
    rows = sum(size.rows for size in contents.sizes["default"].values())
    release_name = contents.release or "an unknown release"
    source = f"release {release_name}"
    if contents.release in RELEASES:
        source += f" ([{RELEASES[contents.release].doi}]({RELEASES[contents.release].url}))"
    lines = [
        f"This repository holds {rows:,} images of {source}; hash of its rows `{contents.identity['default'][:12]}`."
    ]
    if contents.release == SAMPLE:
        lines = [
            f"**This is the project's sample, not ROCOv2**: {rows:,} openly licensed scans in the form of a release, to try "
            "the tools on."
        ]
    if contents.part:
        lines.append(f"**It is a part of the release** (built with `{contents.part}`).")
    return " ".join(lines)


def fill_blocks(text: str, contents: Contents) -> str:
    """Put the generated blocks into a text."""
    blocks = {
        "examples": _examples(contents),
        "inputs": input_table(contents),
        "pictures": _charts(contents),
        "build": _build_notice(contents),
        "sizes": size_table(contents),
        "schema": schema_table(),
        "labels": label_table(),
        "licenses": license_table(contents.facts),
        "statistics": statistics_block(contents.facts),
        "overlap": overlap_block(contents.facts),
        "citation": f"```bibtex\n{rocov2.CITATION}```",
    }
    for name, block in blocks.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of generated: {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the template lacks the block {name}: {begin} ... {end}")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    return text
