"""The card: it states what the shards contain."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import datasets
import pytest
import yaml
from huggingface_hub import DatasetCard

import rocov2
from rocov2_build.card.blocks import USES, built_blocks
from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.licenses import license_text
from rocov2_build.card.readme import dataset_infos, measure, readme, write_card
from rocov2_build.card.texts import TEMPLATE, read_text, split_front_matter
from rocov2_build.convert import Conversion, convert
from rocov2_build.worker.task import FileFacts
from rocov2_shared.files import file_sha256
from tests.conftest import PROJECT
from tests.support.raw import make_raw

SIZES = {
    "default": {"train": SplitSize(5, 1000, 2000), "test": SplitSize(2, 300, 400)},
    "commercial": {"train": SplitSize(3, 600, 1200)},
    "text": {"train": SplitSize(5, 50, 90), "test": SplitSize(2, 20, 30)},
    "vocabulary": {"vocabulary": SplitSize(9, 10, 20)},
}
IDENTITY = {config: f"{number}" * 64 for number, config in enumerate(SIZES)}


class _Unique(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML readers silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"twice: {[key for key in keys if keys.count(key) > 1]}"
        return super().construct_mapping(node, deep)


def contents(release: str | None = "2.0.1", part: str | None = None) -> Contents:
    return Contents(SIZES, release, part, IDENTITY)


def file(path: str, rows: int) -> FileFacts:
    return FileFacts(path, rows, bytes=10 * rows, sha256="", uncompressed=20 * rows, rows_sha256="")


def test_a_copy_of_the_packages_alone_writes_a_card(tmp_path: Path, environment: dict[str, str]) -> None:
    for package in ("rocov2_build", "rocov2_shared"):
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "rocov2.py", tmp_path)
    program = (
        "import sys; from pathlib import Path; from tests.build.card.test_readme import contents\n"
        "from rocov2_build.card import readme; readme.write_card(Path(), contents()); print(readme.__file__)"
    )
    settings = environment | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path / "out", env=settings, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(tmp_path / "rocov2_build"))
    assert (tmp_path / "out" / "README.md").read_text() == readme(contents())
    assert (tmp_path / "out" / "LICENSE.md").read_text() == license_text(contents())


def test_measure_counts_shards_by_configuration_and_leaves_out_what_has_no_rows() -> None:
    sizes = measure(
        [
            file("data/train-00000-of-00002-commercial-apart.parquet", 3),
            file("data/train-00001-of-00002-noncommercial-shared.parquet", 2),
            file("data/test-00000-of-00001-noncommercial-shared.parquet", 1),
            file("text/train.parquet", 5),
            file("vocabulary/vocabulary.parquet", 9),
        ]
    )
    assert sizes == {
        "default": {"train": SplitSize(5, 50, 100), "test": SplitSize(1, 10, 20)},
        "commercial": {"train": SplitSize(3, 30, 60)},
        "apart": {"train": SplitSize(3, 30, 60), "test": SplitSize(1, 10, 20)},
        "text": {"train": SplitSize(5, 50, 100)},
        "vocabulary": {"vocabulary": SplitSize(9, 90, 180)},
    }


@pytest.mark.parametrize(
    "path", ["data/train-00000-of-00001-commercial-shared.parquet", "data/test-00000-of-00001-commercial-apart.parquet"]
)
def test_without_a_row_of_train_that_is_apart_there_is_no_configuration_apart(path: str) -> None:
    assert list(measure([file(path, 3)])) == ["default", "commercial"]


def test_the_cards_yaml_is_what_datasets_reads_of_it(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(readme(contents()))
    data = DatasetCard.load(tmp_path / "README.md").data
    infos = datasets.info.DatasetInfosDict.from_dataset_card_data(data)
    assert {
        name: {split: part.num_examples for split, part in info.splits.items()} for name, info in infos.items()
    } == {
        "default": {"train": 5, "test": 2},
        "commercial": {"train": 3},
        "text": {"train": 5, "test": 2},
        "vocabulary": {"vocabulary": 9},
    }
    assert infos["default"].features == rocov2.FEATURES
    assert infos["vocabulary"].features == rocov2.VOCABULARY_FEATURES
    assert (infos["default"].download_size, infos["default"].dataset_size) == (1300, 2400)
    configs = datasets.utils.metadata.MetadataConfigs.from_dataset_card_data(data)
    assert configs.get_default_config_name() == "default"
    assert configs["commercial"]["data_files"] == [{"split": "train", "path": "data/train-*-commercial-*"}]


def test_lists_are_spelled_so_that_old_versions_read_them() -> None:
    front, _ = split_front_matter(readme(contents()))
    cuis = next(feature for feature in front["dataset_info"][0]["features"] if feature["name"] == "cuis")
    assert cuis == {"name": "cuis", "sequence": "string"}
    assert '"List"' not in json.dumps(dataset_infos(contents()))


def test_other_rows_give_another_description_since_it_is_part_of_the_cache_key() -> None:
    front, _ = split_front_matter(readme(contents()))
    descriptions = {config["config_name"]: config["description"] for config in front["configs"]}
    assert descriptions["default"] == "every image with all its columns; ROCOv2 2.0.1, rows 000000000000"
    assert descriptions["text"].endswith("rows 222222222222")


def test_the_card_lists_a_file_without_wildcard_first_and_keeps_default_the_default() -> None:
    front, _ = split_front_matter(readme(contents()))
    listed = front["configs"]
    assert [config["config_name"] for config in listed] == ["text", *(name for name in SIZES if name != "text")]
    assert "*" not in listed[0]["data_files"][0]["path"]
    assert [config["config_name"] for config in listed if "default" in config] == ["default"]
    assert list(dataset_infos(contents())) == list(SIZES)


@pytest.mark.parametrize(
    ("release", "part", "title"),
    [
        ("2.0.1", None, ""),
        ("1", None, " (release 1)"),
        ("sample", None, " (sample, partial)"),
        (None, None, " (unknown release)"),
        ("2.0.1", "--limit 3", " (partial)"),
        (None, "--split test", " (unknown release, partial)"),
    ],
)
def test_the_title_says_what_is_not_the_whole_latest_release(release: str | None, part: str | None, title: str) -> None:
    card = readme(contents(release, part))
    front, body = split_front_matter(card)
    assert front["pretty_name"] == f"ROCOv2{title}"
    assert f"# ROCOv2: radiology images with captions and concepts{title}\n" in body
    assert ("a part of the release" in body) == (part is not None)


def test_a_built_card_holds_no_part_of_the_project_page() -> None:
    card = readme(contents())
    for word in ("project only", "make sample", "scripts/", "sample/SOURCES.md", "CONTRIBUTING"):
        assert word not in card
    assert "| config | what it is | for | train | test | download |" in card
    assert re.search(
        r"^\| `default` \| every image with all its columns \| [^|]+ \| 5 \| 2 \| 1.3 kB \|$", card, re.MULTILINE
    )
    assert re.search(r"^\| `vocabulary` \| .* \(9 rows\) \| [^|]+ \| – \| – \| [^|]+ \|$", card, re.MULTILINE)


def test_links_of_the_built_card_lead_to_its_own_files(tmp_path: Path) -> None:
    write_card(tmp_path, contents())
    card = (tmp_path / "README.md").read_text()
    links = set(re.findall(r"\]\((?!https?://)([^)#]+)\)", card))
    assert links
    for link in links:
        assert (tmp_path / link).exists(), link
    assert "\n*.parquet filter=lfs" in (tmp_path / ".gitattributes").read_text()


def test_every_configuration_has_a_use() -> None:
    assert list(USES) == list(rocov2.CONFIGS)


def test_every_column_is_described() -> None:
    for columns in (rocov2.COLUMNS, rocov2.VOCABULARY_COLUMNS):
        assert all(column.text for column in columns.values())
    assert all(f"| `{name}` |" in readme(contents()) for name in rocov2.COLUMNS)


def test_the_card_has_every_block_and_no_marker() -> None:
    template = read_text(TEMPLATE)
    for name in built_blocks(contents()):
        assert template.count(f"\n<!-- block: {name} -->\n") == 1, name
    card = readme(contents())
    assert "<!--" not in card
    assert "\n\n\n" not in card.replace("\n\n\ndef ", "\n\ndef ").replace("\n\n\ntrain ", "\n\ntrain ")


def test_the_built_card_lists_the_files_of_the_release_with_their_hashes(tmp_path: Path) -> None:
    raw = make_raw(train=3, valid=1, test=1).write(tmp_path / "raw")
    convert(Conversion(raw, tmp_path / "rocov2", release="any", quiet=True))
    card = (tmp_path / "rocov2" / "README.md").read_text(encoding="utf-8")
    for path in sorted(raw.iterdir()):
        (line,) = [line for line in card.splitlines() if line.startswith(f"| {path.name} |")]
        if path.suffix == ".csv":
            assert line.endswith(f"| `{file_sha256(path)}` |")
    assert re.search(r"^\| train_images\.zip \| 3 \| [\d,]+ \| `[0-9a-f]{64}` \|$", card, re.MULTILINE)


# What the Hub accepts, of what this card uses (huggingface.co/docs/hub/datasets-cards, and the tasks of @huggingface/tasks).
ALLOWED = {
    "task_categories": {"image-to-text", "image-classification", "image-feature-extraction", "text-to-image"},
    "task_ids": {"image-captioning", "multi-label-image-classification", "multi-class-image-classification"},
    "size_categories": {"n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M"},
    "annotations_creators": {"expert-generated", "machine-generated", "found", "crowdsourced", "no-annotation"},
    "language": {"en"},
}


def unique(text: str) -> dict[str, Any]:
    """YAML of a card, in which no key may stand twice."""
    metadata: dict[str, Any] = yaml.load(text.split("---\n")[1], _Unique)  # noqa: S506 (a SafeLoader)
    return metadata


def test_front_matter_has_no_key_twice() -> None:
    for text in ((PROJECT / "README.md").read_text(), readme(contents())):
        unique(text)
    with pytest.raises(AssertionError, match="twice"):
        unique("---\na: 1\nb: {c: 1, c: 2}\n---\n")


@pytest.mark.parametrize("card", ["project", "built"])
def test_the_yaml_has_no_key_twice_and_only_values_that_the_hub_knows(card: str, tmp_path: Path) -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    if card == "built":
        raw = make_raw(train=3, valid=1, test=1).write(tmp_path / "raw")
        convert(Conversion(raw, tmp_path / "rocov2", release="any", quiet=True))
        text = (tmp_path / "rocov2" / "README.md").read_text(encoding="utf-8")
    metadata = unique(text)
    for key, allowed in ALLOWED.items():
        assert set(metadata[key]) <= allowed, key
    assert metadata["license"] == "other"
    assert metadata["license_name"]
    assert (PROJECT / metadata["license_link"]).is_file()
    assert {"image", "text", "medical"} <= set(metadata["tags"])
    assert "extra_gated_prompt" not in metadata  # it would shut out streams that bring no token
