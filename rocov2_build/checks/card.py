"""Rules of the card and of dataset_infos.json: what they state is what the files hold."""

from __future__ import annotations

import json
from typing import Any

import datasets

import rocov2
from rocov2_build.card.readme import split_front_matter
from rocov2_build.checks.viewer import check_metadata
from rocov2_build.checks.violations import Check, object_of
from rocov2_build.worker.parquet import portable_features


def check_card(check: Check) -> None:
    """Check configurations, features and counts; `check.rows` is what the footers count."""
    infos = check.read_json("dataset_infos.json")
    if infos is not None:
        stated = {config: object_of(object_of(info).get("splits")) for config, info in infos.items()}
        _check_counts(check, "dataset_infos.json", stated)
        for config in check.rows.keys() & infos.keys():
            expected = portable_features(rocov2.CONFIGS[config].features.to_dict())
            if object_of(infos[config]).get("features") != expected:
                check.add("card-features", "dataset_infos.json", expected=f"the features of {config}", found="others")
    if "README.md" not in check.files:
        return
    try:
        metadata, _ = split_front_matter((check.root / "README.md").read_text(encoding="utf-8"))
    except ValueError as error:
        check.add("yaml", "README.md", expected="YAML", found=error)
        return
    if not metadata:
        check.add("yaml", "README.md", expected="YAML between two lines ---", found="none")
    _check_configs(check, metadata)
    card_infos = {info["config_name"]: info for info in metadata.get("dataset_info", [])}
    splits = {config: {part["name"]: part for part in info["splits"]} for config, info in card_infos.items()}
    _check_counts(check, "README.md", splits)
    for config in check.rows.keys() & card_infos.keys():
        columns = datasets.Features._from_yaml_list(card_infos[config]["features"])
        if columns != rocov2.CONFIGS[config].features:
            check.add("card-features", "README.md", expected=f"the features of {config}", found="others")


def _check_configs(check: Check, metadata: dict[str, Any]) -> None:
    """Check `configs`; what breaks a rule of the viewer is told as that."""
    wanted = {
        config: {split: rocov2.CONFIGS[config].pattern.format(split=split) for split in splits}
        for config, splits in check.rows.items()
    }
    configs: Any = metadata.get("configs")
    try:
        configs = {
            config["config_name"]: {part["split"]: part["path"] for part in config["data_files"]}
            for config in configs or []
        }
        as_wanted = not check_metadata(check, metadata) or configs == wanted
    except (KeyError, TypeError, AttributeError):
        as_wanted = False
    if not as_wanted:
        check.add("configs", "README.md", expected=json.dumps(wanted), found=json.dumps(configs, default=str))


def _check_counts(check: Check, file: str, stated: dict[str, dict[str, Any]]) -> None:
    counts = {
        config: {split: object_of(facts).get("num_examples") for split, facts in splits.items()}
        for config, splits in stated.items()
    }
    for config in sorted(check.rows.keys() | counts.keys()):
        if counts.get(config) != check.rows.get(config):
            expected = f"{config}: {json.dumps(check.rows.get(config))} as in the files"
            check.add("counts", file, expected=expected, found=json.dumps(counts.get(config)))
