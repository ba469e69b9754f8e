"""The generated blocks of the card and of the project's front page: what a repository contains, as Markdown."""

from __future__ import annotations

from typing import Any

import datasets

import rocov2
from rocov2_build.card.contents import Contents
from rocov2_build.card.tables import overlap_block, published_statistics, statistics_block
from rocov2_build.raw.releases import RELEASES, SAMPLE
from rocov2_shared.sizes import format_count, format_size


def schema_table() -> str:
    """Return the columns of the default configuration as Markdown."""
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
    """Return the label names with their concepts as Markdown."""
    lines = ["| column | labels, in order |", "| --- | --- |"]
    for name, labels in rocov2.LABELS.items():
        lines.append(
            f"| `{name}` | {', '.join(f'{label} ({cui})' if cui else label for label, cui in labels.items())} |"
        )
    return "\n".join(lines)


def license_table(facts: dict[str, Any]) -> str:
    """Return the licences of the images with their numbers as Markdown."""
    counted: dict[str, dict[str, int]] = facts["license"]
    splits = list(facts["images"])
    lines = [f"| {' | '.join(['licence', 'commercial use', *splits])} |", "| --- " * (2 + len(splits)) + "|"]
    for name, counts in counted.items():
        cells = [name, _commercial_use(name), *(f"{counts[split]:,}" for split in splits)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _known_licenses() -> str:
    lines = ["| licence | commercial use |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {_commercial_use(name)} |" for name in rocov2.LICENSES)])


def _commercial_use(name: str) -> str:
    return "yes" if rocov2.LICENSES[name] else "no"


def size_table(contents: Contents) -> str:
    """Return the configurations and splits that have rows, with their numbers, as Markdown."""
    sizes = contents.sizes
    splits = [split for split in (*rocov2.SPLITS, rocov2.VOCABULARY_SPLIT) if any(split in of for of in sizes.values())]
    lines = [f"| config | what it is | {' | '.join(splits)} | download |", "| --- " * (len(splits) + 3) + "|"]
    for config, parts in sizes.items():
        rows = [f"{parts[split].rows:,}" if split in parts else "" for split in splits]
        download = format_size(sum(size.download for size in parts.values()))
        lines.append(f"| {' | '.join([f'`{config}`', rocov2.CONFIGS[config].summary, *rows, download])} |")
    return "\n".join(lines)


def _config_table() -> str:
    lines = ["| config | what it is |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {definition.summary} |" for name, definition in rocov2.CONFIGS.items())])


def _release_table() -> str:
    splits = list(rocov2.SPLITS)
    lines = [f"| version of the release | images | {' | '.join(splits)} | note |", "| --- " * (len(splits) + 3) + "|"]
    for release in RELEASES.values():
        counts = [sum(release.images.values()), *(release.images[split] for split in splits)]
        cells = [f"{release.name} ([{release.doi}]({release.url}))", *(f"{count:,}" for count in counts), release.note]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def input_table(contents: Contents) -> str:
    """Return the files of the raw release with their hashes as Markdown."""
    if not contents.inputs:
        return ""
    lines = ["| file of the release | images | bytes of images | SHA-256 |", "| --- | --- | --- | --- |"]
    for name, recorded in sorted(contents.inputs.items()):
        counts = [f"{recorded[key]:,}" if key in recorded else "" for key in ("images", "bytes")]
        lines.append(f"| {name} | {' | '.join(counts)} | `{recorded.get('sha256') or recorded['fingerprint']}` |")
    about = (
        "The SHA-256 of a zip is that of its images' ids, sizes and CRC-32. It does not depend on the order or the "
        "compression in the zip."
    )
    return "\n".join([*lines, "", about])


def _build_notice(contents: Contents) -> str:
    rows = sum(size.rows for size in contents.sizes["default"].values())
    release_name = contents.release or "an unknown release"
    source = f"release {release_name}"
    if contents.release in RELEASES:
        source += f" ([{RELEASES[contents.release].doi}]({RELEASES[contents.release].url}))"
    lines = [
        f"This repository contains {rows:,} images of {source}; hash of its rows `{contents.identity['default'][:12]}`."
    ]
    if contents.release == SAMPLE:
        lines = [
            f"**This is the project's sample, not ROCOv2**: {rows:,} openly licensed scans in the form of a release, to try "
            "the tools on."
        ]
    if contents.part:
        lines.append(f"**It is a part of the release** (built with `{contents.part}`).")
    return " ".join(lines)


def _turned_notice(turned: int) -> str:
    if not turned:
        return ""
    have = format_count(turned, "picture is stored", "pictures are stored")
    return (
        f"{have} lying or mirrored, with an orientation in Exif or XMP. Loaders apply it, and `width` and `height` are those "
        "of the turned picture; the Hub's viewer shows what is stored. `conversion.json` lists them under `noted`."
    )


def built_blocks(contents: Contents) -> dict[str, str]:
    """Return the blocks of a built repository's card by name; a block is empty if there is nothing to show."""
    facts = contents.facts
    return _common_blocks() | {
        "examples": contents.examples.markdown() if contents.examples else "",
        "build": _build_notice(contents),
        "sizes": size_table(contents),
        "statistics": statistics_block(facts) if facts else "",
        "pictures": "\n\n".join(chart.markdown() for chart in contents.charts),
        "turned": _turned_notice(contents.turned),
        "inputs": input_table(contents),
        "overlap": overlap_block(facts) if facts else "",
        "licenses": license_table(facts) if facts else _known_licenses(),
    }


def published_blocks() -> dict[str, str]:
    """Return the same blocks by what is known without a build; those that describe a build are empty."""
    return (
        dict.fromkeys(("examples", "build", "pictures", "turned", "inputs", "overlap"), "")
        | _common_blocks()
        | {
            "sizes": _config_table(),
            "statistics": published_statistics(),
            "licenses": _known_licenses(),
        }
    )


def _common_blocks() -> dict[str, str]:
    return {
        "releases": _release_table(),
        "schema": schema_table(),
        "labels": label_table(),
        "citation": f"```bibtex\n{rocov2.CITATION}```",
    }
