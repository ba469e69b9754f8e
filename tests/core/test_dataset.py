"""What the dataset is: columns, labels, configurations and their files, each defined once."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

import rocov2

COMMERCIAL = "data/train-00000-of-00002-commercial-apart.parquet"
OTHERS = "data/train-00001-of-00002-noncommercial-apart.parquet"


@pytest.mark.parametrize(
    ("path", "splits"),
    [
        (COMMERCIAL, {"default": "train", "commercial": "train", "apart": "train"}),
        (OTHERS, {"default": "train", "apart": "train"}),
        ("data/train-00001-of-00002-noncommercial-shared.parquet", {"default": "train"}),
        ("data/train-00001-of-00002-commercial-shared.parquet", {"default": "train", "commercial": "train"}),
        ("data/test-00001-of-00002-noncommercial-shared.parquet", {"default": "test", "apart": "test"}),
        ("small/test-00001-of-00002-noncommercial-shared.parquet", {"small": "test"}),
        ("mini/train.parquet", {"mini": "train"}),
        ("mini/train-00000-of-00001-commercial-apart.parquet", {}),
        (
            "data/validation-00000-of-00001-commercial-apart.parquet",
            {"default": "validation", "commercial": "validation", "apart": "validation"},
        ),
        ("text/test.parquet", {"text": "test"}),
        ("vocabulary/vocabulary.parquet", {"vocabulary": "vocabulary"}),
        ("data/train-00000-of-00002-commercial-apart.parquet.tmp", {}),
        ("data/train/00000-of-00002-commercial-apart.parquet", {}),
        ("data/train-0/0-commercial-apart.parquet", {}),
        ("data/valid-00000-of-00001-commercial-apart.parquet", {}),
        ("text/train-00000.parquet", {}),
        ("other/data/train-00000-of-00002-commercial-apart.parquet", {}),
        ("README.md", {}),
    ],
)
def test_a_file_belongs_to_the_splits_whose_whole_pattern_it_matches(path: str, splits: dict[str, str]) -> None:
    assert rocov2.splits_of(path) == splits
    assert rocov2.owner_of(path) == next(iter(splits.items()), None)
    for name, config in rocov2.CONFIGS.items():
        assert config.split_of(path) == splits.get(name)


@pytest.mark.parametrize("split", rocov2.SPLITS)
@pytest.mark.parametrize("group", rocov2.GROUPS)
def test_a_shard_belongs_to_its_group_and_split(split: str, group: str) -> None:
    path = rocov2.shard_path(split, 7, 16, group)
    assert rocov2.shard_group(path) == group
    assert rocov2.CONFIGS["default"].split_of(path) == split
    facts = rocov2.GROUPS[group]
    assert (rocov2.CONFIGS["commercial"].split_of(path) == split) is facts.commercial
    assert (rocov2.CONFIGS["apart"].split_of(path) == split) is (facts.apart or split != "train")
    assert rocov2.splits_of(rocov2.scaled_path(path)) == {"small": split}


@pytest.mark.parametrize(
    "path", ["text/train.parquet", COMMERCIAL + ".tmp", "data/train-0-of-2-commercial-apart.parquet"]
)
def test_no_other_file_has_a_group(path: str) -> None:
    assert rocov2.shard_group(path) is None


@pytest.mark.parametrize("config", rocov2.CONFIGS)
def test_files_of_a_configuration_lie_in_its_folder(config: str) -> None:
    facts = rocov2.CONFIGS[config]
    assert facts.folder in rocov2.FOLDERS
    assert all(facts.files(split).startswith(f"{facts.folder}/") for split in facts.splits)
    assert list(facts.features) == list(facts.columns)


def test_the_patterns_of_a_configuration_do_not_overlap() -> None:
    for facts in rocov2.CONFIGS.values():
        for split in facts.splits:
            example = facts.files(split).replace("*", "00000-of-00001-commercial-apart")
            assert [other for other in facts.splits if fnmatch(example, facts.files(other))] == [split]


def test_labels_are_the_columns_of_labels() -> None:
    labels = {name: column.feature.names for name, column in rocov2.COLUMNS.items() if hasattr(column.feature, "names")}
    assert labels == {name: list(known) for name, known in rocov2.LABELS.items()}
    assert rocov2.LABELS == {
        "modality": rocov2.MODALITIES,
        "region": rocov2.REGIONS,
        "direction": rocov2.DIRECTIONS,
    }
    codes = [cui for known in rocov2.LABELS.values() for cui in known.values() if cui]
    assert len(set(codes)) == len(codes)


def test_only_these_columns_may_have_no_value() -> None:
    columns = {**rocov2.COLUMNS, **rocov2.VOCABULARY_COLUMNS}
    assert [name for name, column in columns.items() if column.nullable] == ["region", "direction", "name"]


def test_a_folder_is_not_remote_and_a_dataset_on_the_hub_has_a_name_and_a_commit() -> None:
    folder = rocov2.Repository("/data/rocov2", "0123456789abcdef", (), {})
    assert (folder.remote, folder.repo_id, folder.commit) == (False, None, None)
    assert "--overwrite" in folder.remedy
    hub = rocov2.Repository("hf://datasets/org/rocov2@5f2c", "5f2c", (), {})
    assert (hub.remote, hub.repo_id, hub.commit) == (True, "org/rocov2", "5f2c")
    assert hub.remedy == "report it to its publisher, or use another revision"
    snapshot = rocov2.Repository("/hub/snapshots/5f2c", "5f2c", (), {}, "hf://datasets/org/rocov2@5f2c", "no network")
    assert (snapshot.remote, snapshot.repo_id, snapshot.commit) == (False, "org/rocov2", "5f2c")
    assert snapshot.remedy.endswith("download it first: `hf download org/rocov2 --repo-type dataset --revision 5f2c`")
    assert rocov2.Repository.open(snapshot) is snapshot
