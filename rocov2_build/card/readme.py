"""What the repository says of itself: README.md (the Hub's card), LICENSE.md, dataset_infos.json.

The prose is in `template.md` and `LICENSE.md` beside this module. Between `<!-- generated: NAME -->` and
`<!-- end of generated: NAME -->` the template has blocks that this module fills: from the published numbers for the project's
own page, from the shards for a built repository. The parts between `<!-- project only -->` and `<!-- end of project only -->`
are left out of a built repository.

`python -m rocov2_build.card.readme` (`make card`) rewrites README.md, LICENSE.md and dataset_infos.json of the project, which
is the current directory.
"""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import datasets
import yaml
from huggingface_hub import DatasetCardData

import rocov2
from rocov2_build.card.blocks import Contents, SplitSize, fill_blocks
from rocov2_build.raw.releases import LATEST, RELEASES
from rocov2_build.worker.parquet import portable_features
from rocov2_build.worker.task import FileFacts
from rocov2_shared.files import write_json, write_text

_TEMPLATE, _LICENSE = "template.md", "LICENSE.md"
_LARGE = "filter=lfs diff=lfs merge=lfs -text"
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_PROJECT_ONLY = re.compile(r"<!-- project only -->.*?<!-- end of project only -->\n*", re.DOTALL)


def measure(files: list[FileFacts]) -> dict[str, dict[str, SplitSize]]:
    """Sizes by configuration and split of a repository with these files."""
    sizes: dict[str, dict[str, SplitSize]] = {}
    for config, facts in rocov2.CONFIGS.items():
        for split in facts.splits:
            size = SplitSize()
            for file in files:
                if facts.split_of(file.path) == split:
                    size.rows += file.rows
                    size.download += file.bytes
                    size.uncompressed += file.uncompressed
            if size.rows:
                sizes.setdefault(config, {})[split] = size
    return sizes


def published() -> Contents:
    """The latest release as its publication counts it; bytes are unknown until it is built."""
    release = RELEASES[LATEST]
    sizes = {split: SplitSize(rows=rows) for split, rows in release.images.items()}
    return Contents({"default": sizes, "text": sizes}, release.name)


def _split_info(split: str, size: SplitSize) -> dict[str, Any]:
    return {"name": split, "num_bytes": size.uncompressed, "num_examples": size.rows}


def dataset_infos(contents: Contents) -> dict[str, Any]:
    """Content of `dataset_infos.json`: features (lists spelled `Sequence`), splits and sizes of every configuration."""
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


def _metadata(contents: Contents) -> dict[str, Any]:
    """The part of the card's YAML that the shards decide: `configs` and `dataset_info`."""
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
    return {
        "configs": [
            {
                "config_name": config,
                # Part of the cache key of `datasets`: a build with other rows must not find the old ones.
                "description": f"{rocov2.CONFIGS[config].summary}; ROCOv2{contents.title or f' {LATEST}'}, rows "
                f"{contents.identity[config][:12]}",
                "data_files": [{"split": split, "path": rocov2.CONFIGS[config].files(split)} for split in sizes],
                **({"default": True} if config == "default" else {}),
            }
            for config, sizes in contents.sizes.items()
        ],
        "dataset_info": _spell_sequence(data["dataset_info"]),
    }


def _spell_sequence(value: Any) -> Any:
    """`list: string`, as datasets 4 writes, is `sequence: string` in every version."""
    if isinstance(value, dict):
        return {"sequence" if key == "list" else key: _spell_sequence(part) for key, part in value.items()}
    return [_spell_sequence(part) for part in value] if isinstance(value, list) else value


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """YAML and body of a README; the YAML is empty where there is none.

    Raises:
        ValueError: the YAML cannot be read.
    """
    front = _FRONT_MATTER.match(text)
    if not front:
        return {}, text
    try:
        metadata = yaml.safe_load(front[1])
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(metadata, dict):
        raise ValueError("the YAML at the top of README.md is no mapping")
    return metadata, text[front.end() :]


def _read(name: str) -> str:
    """Text of a file beside this module, which an installed wheel holds too."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def template_metadata() -> dict[str, Any]:
    """The YAML of the card that is the same for every repository."""
    return split_front_matter(_read(_TEMPLATE))[0]


def readme(contents: Contents) -> str:
    """The card of a built repository."""
    metadata, prose = split_front_matter(_read(_TEMPLATE))
    metadata["pretty_name"] += contents.title
    body = fill_blocks(_PROJECT_ONLY.sub("", prose), contents)
    body = re.sub(r"^(# .*)$", lambda title: title[1] + contents.title, body, count=1, flags=re.MULTILINE)
    header = yaml.safe_dump(metadata | _metadata(contents), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{header}---\n{body}"


def write_card(repository: Path, contents: Contents) -> None:
    """Write README.md, LICENSE.md, .gitattributes and dataset_infos.json of a repository."""
    write_text(repository / "README.md", readme(contents))
    write_text(repository / "LICENSE.md", _read(_LICENSE))
    write_text(repository / ".gitattributes", "".join(f"*.{kind} {_LARGE}\n" for kind in ("parquet", "png")))
    write_json(repository / "dataset_infos.json", dataset_infos(contents))


def write_project_files(project: Path) -> None:
    """Write README.md, LICENSE.md and dataset_infos.json of the project itself."""
    write_text(project / "README.md", fill_blocks(_read(_TEMPLATE), published()))
    write_text(project / "LICENSE.md", _read(_LICENSE))
    write_json(project / "dataset_infos.json", dataset_infos(published()))


if __name__ == "__main__":
    write_project_files(Path())
