"""The texts of a repository: README.md (the Hub's card), LICENSE.md, .gitattributes and dataset_infos.json."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import datasets
import yaml
from huggingface_hub import DatasetCardData

import rocov2
from rocov2_build.card.blocks import built_blocks
from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.licenses import license_text
from rocov2_build.card.naming import replace_in_code
from rocov2_build.card.texts import TEMPLATE, fill, read_text, split_front_matter, template_metadata
from rocov2_build.raw.releases import LATEST
from rocov2_build.worker.parquet import portable_features
from rocov2_build.worker.task import FileFacts
from rocov2_shared.files import write_json, write_text

ATTRIBUTES = """\
* -text
*.parquet filter=lfs diff=lfs merge=lfs -text
*.png filter=lfs diff=lfs merge=lfs -text
"""
"""Content of .gitattributes: git must not change line endings, since `conversion.json` has the hashes of all files."""


LISTED_FIRST = "text"
"""The configuration that the card's YAML lists first, for the tag "optimized-parquet" of the Hub.

The Hub's viewer looks for a page index and chunking in the first file of the first configuration, and takes a pattern with
`*` for a file's name. `default: true` keeps `default` what `load_dataset` returns without a name, and what the page shows
first.
"""


def measure(files: list[FileFacts]) -> dict[str, dict[str, SplitSize]]:
    """Return the sizes by configuration and split of a repository with these files."""
    sizes: dict[str, dict[str, SplitSize]] = {}
    by_path = {file.path: file for file in files}
    for config, splits in rocov2.files_by_config(by_path).items():
        for split, paths in splits.items():
            parts = [by_path[path] for path in paths]
            sizes.setdefault(config, {})[split] = SplitSize(
                sum(part.rows for part in parts),
                sum(part.bytes for part in parts),
                sum(part.uncompressed for part in parts),
            )
    return sizes


def _split_info(split: str, size: SplitSize) -> dict[str, Any]:
    return {"name": split, "num_bytes": size.uncompressed, "num_examples": size.rows}


def dataset_infos(contents: Contents) -> dict[str, Any]:
    """Return the content of `dataset_infos.json`; lists are spelled `Sequence`, which every version of `datasets` reads."""
    return {
        config: {
            "description": rocov2.DESCRIPTION,
            "citation": rocov2.CITATION,
            "homepage": rocov2.HOMEPAGE,
            "license": rocov2.LICENSE,
            "features": portable_features(rocov2.CONFIGS[config].features.to_dict()),
            "config_name": config,
            "splits": {split: _split_info(split, size) for split, size in sizes.items()},
            "download_size": sum(size.download for size in sizes.values()),
            "dataset_size": sum(size.uncompressed for size in sizes.values()),
        }
        for config, sizes in contents.sizes.items()
    }


def metadata(contents: Contents) -> dict[str, Any]:
    """Return the card's YAML: that of the template, and `configs` and `dataset_info`, which depend on the shards."""
    common = template_metadata()
    infos = {
        config: datasets.DatasetInfo(
            features=rocov2.CONFIGS[config].features,
            splits=[_split_info(split, size) for split, size in sizes.items()],
            download_size=sum(size.download for size in sizes.values()),
            dataset_size=sum(size.uncompressed for size in sizes.values()),
        )
        for config, sizes in contents.sizes.items()
    }
    data = DatasetCardData()
    datasets.info.DatasetInfosDict(infos).to_dataset_card_data(data)
    return common | {
        "pretty_name": common["pretty_name"] + contents.title,
        "size_categories": [size_category(contents.images)],
        "configs": [
            {
                "config_name": config,
                # Part of the cache key of `datasets`: a build with other rows must not find the old ones.
                "description": f"{rocov2.CONFIGS[config].summary}; ROCOv2{contents.title or f' {LATEST}'}, rows "
                f"{contents.identity[config][:12]}",
                "data_files": [{"split": split, "path": rocov2.CONFIGS[config].files(split)} for split in sizes],
                **({"default": True} if config == "default" else {}),
            }
            for config, sizes in sorted(contents.sizes.items(), key=lambda item: item[0] != LISTED_FIRST)
        ],
        "dataset_info": _spell_sequence(data.get("dataset_info", [])),  # none without a row,
    }


def size_category(images: int) -> str:
    """Return the Hub's category of sizes for a number of images.

    >>> size_category(79_789)
    '10K<n<100K'
    """
    edges = {1_000: "1K", 10_000: "10K", 100_000: "100K", 1_000_000: "1M"}
    below = [name for edge, name in edges.items() if images >= edge]
    above = [name for edge, name in edges.items() if images < edge]
    return f"{below[-1]}<n<{above[0]}" if below and above else f"n<{above[0]}" if above else f"n>{below[-1]}"


def _spell_sequence(value: Any) -> Any:
    """Spell `list: string`, as datasets 4 writes it, as `sequence: string`, which every version reads."""
    if isinstance(value, dict):
        return {"sequence" if key == "list" else key: _spell_sequence(part) for key, part in value.items()}
    return [_spell_sequence(part) for part in value] if isinstance(value, list) else value


def readme(contents: Contents) -> str:
    """Return the card of a built repository."""
    _, body = split_front_matter(read_text(TEMPLATE))
    body = fill(name_built_splits(body, contents.splits), built_blocks(contents))
    body = re.sub(r"^(# .*)$", lambda title: title[1] + contents.title, body, count=1, flags=re.MULTILINE)
    header = yaml.safe_dump(metadata(contents), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{header}---\n{body}"


def name_built_splits(text: str, splits: list[str]) -> str:
    """Return the card's text with programs that read a split which was built: the first one, if train was not."""
    if not splits or "train" in splits:
        return text
    return replace_in_code(text, lambda code: re.sub(r"\btrain(?=-?\"|\.parquet)", splits[0], code))


def write_card(repository: Path, contents: Contents) -> None:
    """Write README.md, LICENSE.md, .gitattributes and dataset_infos.json of a repository."""
    write_text(repository / "README.md", readme(contents))
    write_text(repository / "LICENSE.md", license_text(contents))
    write_text(repository / ".gitattributes", ATTRIBUTES)
    write_json(repository / "dataset_infos.json", dataset_infos(contents))
