"""Rules of the card and of dataset_infos.json: they describe the files as they are."""

from __future__ import annotations

import json
from typing import Any

import datasets

import rocov2
from rocov2_build.card.texts import split_front_matter
from rocov2_build.checks.json_files import as_object, read_object
from rocov2_build.checks.viewer import check_metadata
from rocov2_build.checks.violations import Check
from rocov2_build.worker.parquet import portable_features

Rows = dict[str, dict[str, int]]


def check_card(check: Check, rows: Rows) -> None:
    """Check configurations, features and row counts of dataset_infos.json and of the card.

    Args:
        check: collects the violations.
        rows: number of rows by configuration and split, from the footers.
    """
    _check_infos(check, rows)
    if "README.md" in check.files:
        _check_front_matter(check, rows)


def _check_infos(check: Check, rows: Rows) -> None:
    infos = read_object(check, "dataset_infos.json")
    if infos is None:
        return
    splits = {config: as_object(as_object(info).get("splits")) for config, info in infos.items()}
    _check_counts(check, "dataset_infos.json", splits, rows)
    for config in rows.keys() & infos.keys():
        expected = portable_features(rocov2.CONFIGS[config].features.to_dict())
        if as_object(infos[config]).get("features") != expected:
            check.add("card-features", "dataset_infos.json", expected=f"the features of {config}", found="others")


def _check_front_matter(check: Check, rows: Rows) -> None:
    try:
        metadata, _ = split_front_matter((check.root / "README.md").read_text(encoding="utf-8"))
    except ValueError as error:
        check.add("yaml", "README.md", expected="YAML", found=error)
        return
    if not metadata:
        check.add("yaml", "README.md", expected="YAML between two lines ---", found="none")
    _check_configs(check, metadata, rows)
    infos = {info["config_name"]: info for info in metadata.get("dataset_info", [])}
    splits = {config: {part["name"]: part for part in info["splits"]} for config, info in infos.items()}
    _check_counts(check, "README.md", splits, rows)
    for config in rows.keys() & infos.keys():
        columns = datasets.Features._from_yaml_list(infos[config]["features"])
        if columns != rocov2.CONFIGS[config].features:
            check.add("card-features", "README.md", expected=f"the features of {config}", found="others")


def _check_configs(check: Check, metadata: dict[str, Any], rows: Rows) -> None:
    """Check `configs`; configurations that break a rule of the viewer are reported under that rule alone."""
    wanted = {
        config: {split: rocov2.CONFIGS[config].files(split) for split in splits} for config, splits in rows.items()
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


def _check_counts(check: Check, file: str, infos: dict[str, dict[str, Any]], rows: Rows) -> None:
    counts = {
        config: {split: as_object(info).get("num_examples") for split, info in splits.items()}
        for config, splits in infos.items()
    }
    for config in sorted(rows.keys() | counts.keys()):
        if counts.get(config) != rows.get(config):
            expected = f"{config}: {json.dumps(rows.get(config))} as in the files"
            check.add("counts", file, expected=expected, found=json.dumps(counts.get(config)))
