"""What the documents of a repository must say of its files: what the build would write for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import rocov2
from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.croissant import croissant
from rocov2_build.card.readme import dataset_infos, measure, metadata
from rocov2_build.checks.footers import Footers
from rocov2_build.checks.records import Records
from rocov2_build.checks.violations import Check
from rocov2_build.worker.task import FileFacts
from rocov2_shared.json_values import ANYTHING

_PROSE = {"description", "citation", "homepage", "license", "keywords"}
"""Keys of texts that another version of the project may word differently."""

_OF_CARD = ("license", "license_name", "license_link", "configs", "dataset_info")
"""Keys of the card's YAML that no version of the project changes."""


@dataclass(frozen=True)
class Descriptions:
    """The content that the documents must have; what cannot be known is `ANYTHING`.

    Attributes:
        card: the YAML of README.md.
        infos: dataset_infos.json.
        croissant: croissant.json; None if `conversion.json` cannot be believed, which has the hashes in it.
        doubtful: splits by configuration that have a file which cannot be read, or is not the recorded one.
    """

    card: dict[str, Any]
    infos: dict[str, Any]
    croissant: dict[str, Any] | None
    doubtful: set[tuple[str, str]]


def describe(check: Check, footers: Footers, records: Records) -> Descriptions:
    """Return the content that the documents must have.

    Args:
        check: what is known of the files, and which of them break a rule.
        footers: what the footers of the Parquet files contain.
        records: what `conversion.json` records.
    """
    present = {file for file in check.files if rocov2.splits_of(file)}
    broken = check.broken() | (records.files.keys() - present)
    broken |= present - records.files.keys() if records.content else set()
    configs = rocov2.files_by_config(present | records.files.keys())
    doubtful = {key for file in broken for key in rocov2.splits_of(file).items() if key[0] in configs}
    files = [_facts(check, file, footers, records) for file in records.files or sorted(present)]
    sizes = measure(files)
    for config, split in doubtful:
        sizes.setdefault(config, {}).setdefault(split, SplitSize())
    sizes = {
        name: {split: sizes[name][split] for split in config.splits if split in sizes[name]}
        for name, config in rocov2.CONFIGS.items()
        if name in sizes
    }
    content = records.content
    identity = content["rows_sha256"] if content else {}
    contents = Contents(
        sizes,
        content["release"] if content else None,
        content["part"] if content else None,
        {config: identity.get(config, "") for config in sizes},
    )
    is_known = content is not None and not records.files.keys() ^ present
    card, infos = metadata(contents), dataset_infos(contents)
    _forget_doubtful(card, infos, doubtful)
    if content is None:
        card["pretty_name"] = ANYTHING
        for config in card["configs"]:
            config["description"] = ANYTHING
    described = croissant(contents, files) if is_known and "default" in sizes else None
    if content and content["project"]["version"] != rocov2.__version__:
        card = {key: _forget_prose(value) if key in _OF_CARD else ANYTHING for key, value in card.items()}
        infos, described = _forget_prose(infos), described and _only_structure(described)
    return Descriptions(card, infos, described, doubtful)


def _facts(check: Check, file: str, footers: Footers, records: Records) -> FileFacts:
    recorded = records.files.get(file, {})
    sizes = footers.sizes.get(file)
    return FileFacts(
        path=file,
        rows=recorded.get("rows", sizes.rows if sizes else 0),
        bytes=recorded.get("bytes", 0) if recorded else (check.root / file).stat().st_size,
        sha256=recorded.get("sha256", ""),
        uncompressed=sizes.uncompressed if sizes else 0,
        rows_sha256=recorded.get("rows_sha256", ""),
    )


def _forget_doubtful(card: dict[str, Any], infos: dict[str, Any], doubtful: set[tuple[str, str]]) -> None:
    for config, split in doubtful:
        (listed,) = (info for info in card["dataset_info"] if info["config_name"] == config)
        (described,) = (part for part in listed["splits"] if part["name"] == split)
        for sizes in (described, infos[config]["splits"][split]):
            sizes |= {"num_bytes": ANYTHING, "num_examples": ANYTHING}
        if config == "default":
            card["size_categories"] = ANYTHING
        for info in (listed, infos[config]):
            info |= {"download_size": ANYTHING, "dataset_size": ANYTHING}


def _forget_prose(value: Any) -> Any:
    if isinstance(value, dict):
        # A column of this name is an object, not a text.
        return {
            key: ANYTHING if key in _PROSE and isinstance(part, str) else _forget_prose(part)
            for key, part in value.items()
        }
    return [_forget_prose(part) for part in value] if isinstance(value, list) else value


def _only_structure(described: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _forget_prose(value) if key in ("@type", "distribution", "recordSet") else ANYTHING
        for key, value in described.items()
    }
