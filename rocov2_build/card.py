"""What the repository says of itself: README.md (the Hub's card), LICENSE.md, dataset_infos.json.

The prose is the project's own README.md. Between `<!-- generated: NAME -->` and `<!-- end of generated: NAME -->` it holds
blocks that this module makes: from the published numbers in the project, from the shards in a built repository. What
stands between `<!-- project only -->` and `<!-- end of project only -->` is left out of a built repository.

`python -m rocov2_build.card` writes the project's README.md and dataset_infos.json anew (`make card`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import datasets
import yaml
from huggingface_hub import DatasetCardData

import rocov2
from rocov2_build.files import write_json, write_text
from rocov2_build.parquet import portable_features
from rocov2_build.releases import LATEST, RELEASES, SAMPLE
from rocov2_build.shards import FileFacts
from rocov2_build.terminal import format_size

PROJECT = Path(__file__).resolve().parent.parent
_LARGE = "filter=lfs diff=lfs merge=lfs -text"
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_PROJECT_ONLY = re.compile(r"<!-- project only -->.*?<!-- end of project only -->\n*", re.DOTALL)

COLUMNS = {
    "image": "the picture; in the file its JPEG, byte for byte as released, with the path `<image_id>.jpg`",
    "image_id": "id of the release, such as `ROCOv2_2023_train_000001`; ids have holes",
    "caption": "caption as released: not stripped, not cleaned",
    "cuis": "UMLS concepts (CUIs), the curated ones first, then those found in the caption; never empty",
    "modality": "imaging modality, from the curated concepts; `combined` where several are in one picture",
    "concept_names": "UMLS name of each of `cuis`; the CUI itself where the release names it not",
    "manual_cuis": "the concepts curated by hand: modality, and for X-rays body region and direction; empty for `combined`",
    "region": "X-ray: body region, where the curated concepts have one",
    "direction": "X-ray: direction, where the curated concepts have one",
    "license": "licence of this image",
    "attribution": "whom to credit for this image",
    "pmcid": "article in PubMed Central",
    "url": "link to the article",
    "article_in_other_split": "whether another split holds an image of the same article",
    "width": "pixels, as `datasets` decodes the image",
    "height": "pixels, as `datasets` decodes the image",
}
"""What each column of the features holds; the schema table of the card."""


@dataclass
class SplitSize:
    """One split of a configuration: rows, bytes of its files, and bytes of its columns before compression."""

    rows: int = 0
    download: int = 0
    uncompressed: int = 0


@dataclass(frozen=True)
class Contents:
    """What a repository holds, for its card.

    Attributes:
        sizes: by configuration and split, those that have rows.
        release: name of the release, `sample`, or None.
        part: what of the release it is (`--limit 100`), None for the whole.
        identity: by configuration, hash of its rows.
    """

    sizes: dict[str, dict[str, SplitSize]]
    release: str | None
    part: str | None = None
    identity: dict[str, str] = field(default_factory=dict)

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


def config_holds(config: str, path: str) -> bool:
    """Whether the file at `path`, relative to the repository, belongs to a configuration."""
    facts = rocov2.CONFIGS[config]
    return any(fnmatch(path, facts.pattern.format(split=split)) for split in facts.splits)


def measure(files: list[FileFacts]) -> dict[str, dict[str, SplitSize]]:
    """Sizes by configuration and split of a repository with these files."""
    sizes: dict[str, dict[str, SplitSize]] = {}
    for config, facts in rocov2.CONFIGS.items():
        for split in facts.splits:
            size = SplitSize()
            for file in files:
                if fnmatch(file.path, facts.pattern.format(split=split)):
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
                "data_files": [
                    {"split": split, "path": rocov2.CONFIGS[config].pattern.format(split=split)} for split in sizes
                ],
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


def schema_table() -> str:
    """Columns of the default configuration as Markdown."""
    lines = ["| column | type | what it is |", "| --- | --- | --- |"]
    for name, feature in rocov2.FEATURES.items():
        if isinstance(feature, datasets.ClassLabel):
            kind = "label: " + ", ".join(feature.names)
        elif isinstance(feature, datasets.Image):
            kind = "image"
        elif isinstance(feature, datasets.Value):
            kind = feature.dtype
        else:
            kind = f"list of {feature.feature.dtype}"
        lines.append(f"| `{name}` | {kind} | {COLUMNS[name]} |")
    return "\n".join(lines)


def label_table() -> str:
    """Label names with their concepts as Markdown."""
    lines = ["| column | labels, in order |", "| --- | --- |"]
    for name, labels in (
        ("modality", rocov2.MODALITIES),
        ("region", rocov2.REGIONS),
        ("direction", rocov2.DIRECTIONS),
    ):
        lines.append(
            f"| `{name}` | {', '.join(f'{label} ({cui})' if cui else label for label, cui in labels.items())} |"
        )
    return "\n".join(lines)


def license_table() -> str:
    """Known licences as Markdown."""
    lines = ["| licence | commercial use |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {name} | {'yes' if free else 'no'} |" for name, free in rocov2.LICENSES.items())])


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
    """Put the generated blocks into a README's text."""
    blocks = {
        "build": _build_notice(contents),
        "sizes": size_table(contents),
        "schema": schema_table(),
        "labels": label_table(),
        "licenses": license_table(),
        "citation": f"```bibtex\n{rocov2.CITATION}```",
    }
    for name, block in blocks.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end of generated: {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"README.md lacks the block {name}: {begin} ... {end}")
        text = f"{before}{begin}\n{block}\n{end}{after}"
    return text


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


def readme(contents: Contents) -> str:
    """The card of a built repository."""
    metadata, prose = split_front_matter((PROJECT / "README.md").read_text(encoding="utf-8"))
    metadata["pretty_name"] += contents.title
    body = fill_blocks(_PROJECT_ONLY.sub("", prose), contents)
    body = re.sub(r"^(# .*)$", lambda title: title[1] + contents.title, body, count=1, flags=re.MULTILINE)
    header = yaml.safe_dump(metadata | _metadata(contents), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{header}---\n{body}"


def write_card(repository: Path, contents: Contents) -> None:
    """Write README.md, LICENSE.md, .gitattributes and dataset_infos.json of a repository."""
    write_text(repository / "README.md", readme(contents))
    write_text(repository / "LICENSE.md", (PROJECT / "LICENSE.md").read_text(encoding="utf-8"))
    write_text(repository / ".gitattributes", "".join(f"*.{kind} {_LARGE}\n" for kind in ("parquet", "png")))
    write_json(repository / "dataset_infos.json", dataset_infos(contents))


def write_project_files(project: Path = PROJECT) -> None:
    """Write the generated parts of the project's own README.md and dataset_infos.json anew."""
    path = project / "README.md"
    write_text(path, fill_blocks(path.read_text(encoding="utf-8"), published()))
    write_json(project / "dataset_infos.json", dataset_infos(published()))


if __name__ == "__main__":
    write_project_files()
