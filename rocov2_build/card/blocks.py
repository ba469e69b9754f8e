"""The generated blocks of the card and of the project's front page: what a repository contains, as Markdown."""

from __future__ import annotations

from typing import Any

import datasets

import rocov2
from rocov2_build.card.contents import Contents
from rocov2_build.card.examples import examples_block, output_block, row_block
from rocov2_build.card.licenses import known_licenses, license_table
from rocov2_build.card.scaled import small_block
from rocov2_build.card.statistics import published_statistics, statistics_block
from rocov2_build.card.tables import format_share, head_table, overlap_block
from rocov2_build.card.versions import (
    build_notice,
    cited_block,
    input_table,
    method_block,
    release_table,
    versions_block,
)
from rocov2_shared.sizes import format_count, format_size

USES = {
    "default": "full pictures: fine-tuning of vision-language models, classification above 256 pixels",
    "commercial": "products and services that earn money",
    "apart": "training whose scores on validation and test must not leak",
    "small": "training on small pictures, notebooks, first experiments",
    "mini": "tutorials, tests of code, a first look",
    "text": "captions and concepts alone: statistics, search, language models",
    "vocabulary": "names of concepts, lists of labels",
}
"""For which work a configuration is made."""


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


def size_table(contents: Contents) -> str:
    """Return the configurations and splits that have rows with their numbers, and how to load each, as Markdown."""
    splits = contents.splits
    lines = [f"| config | what it is | for | {' | '.join(splits)} | download |", "| --- " * (len(splits) + 4) + "|"]
    calls = []
    for config, parts in contents.sizes.items():
        summary = rocov2.CONFIGS[config].summary
        if rocov2.VOCABULARY_SPLIT in parts:
            summary += f" ({format_count(parts[rocov2.VOCABULARY_SPLIT].rows, 'row')})"
        rows = [f"{parts[split].rows:,}" if split in parts else "–" for split in splits]
        download = format_size(sum(size.download for size in parts.values()))
        lines.append(f"| {' | '.join([f'`{config}`', summary, USES[config], *rows, download])} |")
        name = "" if config == "default" else f', "{config}"'
        calls.append(f'{config} = load_dataset("rocov2"{name}, split="{next(iter(parts))}")')
    program = "\n".join(["```python", "from datasets import load_dataset", "", *calls, "```"])
    return "\n".join([*lines, "", program])


def _config_table() -> str:
    lines = ["| config | what it is | for |", "| --- | --- | --- |"]
    return "\n".join([*lines, *(f"| `{name}` | {it.summary} | {USES[name]} |" for name, it in rocov2.CONFIGS.items())])


def _turned_notice(turned: int) -> str:
    if not turned:
        return ""
    have = format_count(turned, "picture is stored", "pictures are stored")
    return (
        f"{have} lying or mirrored, with an orientation in Exif or XMP. Loaders apply it, and `width` and `height` are those "
        "of the turned picture; the Hub's viewer shows what is stored. `conversion.json` lists them under `noted`."
    )


def head_block(contents: Contents, facts: dict[str, Any]) -> str:
    """Return how the rows are ordered, how far the head of a split differs from the whole, and which sample is fair."""
    mini = ""
    if "mini" in contents.sizes:
        rows = ", ".join(f"{size.rows:,} of {split}" for split, size in contents.sizes["mini"].items())
        mini = (
            f"\n\n`mini` is a fair sample, drawn at random and with every label that a split has: {rows}. Others are:"
        )
    text = (
        "A shard contains images of one group: licences that allow commercial use or not, articles that are in other splits "
        "or not. The shards of the groups alternate; within a group, train has a fixed shuffled order, validation and test "
        "that of the release. **The head of a split or of a stream is therefore not a fair sample.** Here the first tenth "
        "differs by up to this:"
    )
    return f"{text}\n\n{head_table(facts)}{mini}"


def apart_block(contents: Contents | None = None) -> str:
    """Return how to train without the articles of validation and test.

    Args:
        contents: of the repository, None for the project's page.
    """
    if contents and "apart" not in contents.sizes:
        return ""
    rows = ""
    if contents:
        apart, train = (contents.sizes[config]["train"].rows for config in ("apart", "default"))
        rows = f" ({apart:,} of {format_count(train, 'row')})"
    others = [
        split for split in rocov2.SPLITS if split != "train" and (not contents or split in contents.sizes["apart"])
    ]
    whole = f" Its {' and '.join(others)} {'is' if len(others) == 1 else 'are'} whole, so that scores can be compared."
    return f'`load_dataset("rocov2", "apart")` has a train split without these articles{rows}.{whole if others else ""}'


def concepts_block(facts: dict[str, Any]) -> str:
    """Return how many images have no concept beyond the curated ones."""
    parts = [
        f"{format_share(count, facts['images'][split])} of {split}"
        for split, count in facts["concepts"]["only_curated"].items()
    ]
    return (
        f"Images without any concept beyond the curated ones: {', '.join(parts)}. A score of the automatic concepts against "
        "experts is not published."
    )


def built_blocks(contents: Contents) -> dict[str, str]:
    """Return the blocks of a built repository's card by name; a block is empty if there is nothing to show."""
    facts = contents.facts
    return _common_blocks() | {
        "build": build_notice(contents),
        "examples": examples_block(contents),
        "row": row_block(contents),
        "output": output_block(contents),
        "sizes": size_table(contents),
        "small": small_block(contents),
        "head": head_block(contents, facts) if facts else "",
        "turned": _turned_notice(contents.turned),
        "statistics": statistics_block(facts, contents.charts) if facts else "",
        "concepts": concepts_block(facts) if facts else "",
        "overlap": overlap_block(facts) if facts else "",
        "apart": apart_block(contents),
        "licenses": license_table(facts) if facts else known_licenses(),
        "releases": release_table(contents),
        "versions": versions_block(contents),
        "cited": cited_block(contents),
        "method": method_block(contents) if contents.plan else "",
        "inputs": input_table(contents),
    }


def published_blocks() -> dict[str, str]:
    """Return the same blocks by what is known without a build; those that describe a build are empty."""
    describing = ("build", "examples", "row", "output", "head", "turned", "concepts", "overlap", "versions", "method")
    return (
        dict.fromkeys((*describing, "inputs"), "")
        | _common_blocks()
        | {
            "sizes": _config_table(),
            "small": small_block(),
            "apart": apart_block(),
            "statistics": published_statistics(),
            "licenses": known_licenses(),
            "releases": release_table(),
            "cited": cited_block(),
        }
    )


def _common_blocks() -> dict[str, str]:
    return {
        "schema": schema_table(),
        "labels": label_table(),
        "citation": f"```bibtex\n{rocov2.CITATION}```",
    }
