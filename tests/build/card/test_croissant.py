"""croissant.json: mlcroissant finds nothing wrong with it, and reads the rows of the shards by it."""

from __future__ import annotations

import io
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow.parquet as pq
import pytest
from PIL import Image

import rocov2
from rocov2_build.card.contents import Contents, SplitSize
from rocov2_build.card.croissant import LICENSE_URLS, authors, croissant
from rocov2_build.card.croissant_rai import RAI
from rocov2_build.check import check_repository
from rocov2_build.raw.releases import RELEASES
from rocov2_build.worker.task import FileFacts
from rocov2_shared.files import file_sha256
from tests.support.breaking import broken
from tests.support.raw import make_raw
from tests.support.repositories import LABELS, Rows, run

pytestmark = pytest.mark.slow

RAI_KEYS = {
    *("dataCollection", "dataCollectionType", "dataCollectionMissingData", "dataCollectionRawData"),
    *("dataCollectionTimeframe", "dataPreprocessingProtocol", "dataAnnotationProtocol", "dataAnnotationPlatform"),
    *("dataAnnotationAnalysis", "machineAnnotationTools", "annotationsPerItem", "annotatorDemographics"),
    *("personalSensitiveInformation", "dataBiases", "dataLimitations", "dataUseCases", "dataSocialImpact"),
    "dataReleaseMaintenancePlan",
}
"""Keys of the RAI vocabulary: mlcroissant takes any others without a word."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("croissant")
    return run(make_raw(20, 6, 6).write(folder / "raw"), folder / "rocov2")


def open_dataset(repository: Path) -> Any:
    return mlcroissant.Dataset(jsonld=repository / "croissant.json")


def read(repository: Path, record_set: str, **options: Any) -> Rows:
    """Records with plain values: mlcroissant gives bytes for text, and fields by their whole names."""
    return [
        {name.partition("/")[2]: plain(value) for name, value in record.items()}
        for record in open_dataset(repository).records(record_set, **options)
    ]


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, Image.Image):
        return (value.mode, value.size, value.tobytes())
    return value.item() if hasattr(value, "item") else value


def stored(repository: Path, config: str) -> Rows:
    """Rows of the shards as the records should be: with their split, images decoded."""
    rows = []
    facts = rocov2.CONFIGS[config]
    for split in facts.splits:
        for file in sorted(repository.glob(facts.files(split))):
            for row in pq.read_table(file, partitioning=None).to_pylist():
                if "image" in row:
                    row["image"] = plain(Image.open(io.BytesIO(row["image"]["bytes"])))
                rows.append(({"split": split} if len(facts.splits) > 1 else {}) | row)
    return rows


@pytest.mark.parametrize("config", rocov2.CONFIGS)
def test_records_are_the_rows_of_the_shards(built: Path, config: str) -> None:
    def by_key(rows: Rows) -> Rows:
        return sorted(rows, key=lambda row: row["cui"] if "cui" in row else row["image_id"])

    found = by_key(read(built, config))
    assert found == by_key(stored(built, config))
    assert len(found) > 10


@pytest.mark.parametrize("split", rocov2.SPLITS)
@pytest.mark.parametrize("config", ["default", "text"])
def test_one_split_can_be_read_alone(built: Path, config: str, split: str) -> None:
    found = list(open_dataset(built).records(config, filters={f"{config}/split": split}))
    wanted = [row["image_id"] for row in stored(built, config) if row["split"] == split]
    assert sorted(record[f"{config}/image_id"].decode() for record in found) == sorted(wanted)


@pytest.mark.parametrize("column", LABELS)
def test_labels_have_their_names_and_concepts(built: Path, column: str) -> None:
    concepts: dict[str, dict[str, Any]] = {
        "modality": rocov2.MODALITIES,
        "region": rocov2.REGIONS,
        "direction": rocov2.DIRECTIONS,
    }
    assert read(built, f"{column}_labels") == [
        {"label": label, "name": name, "cui": cui or ""} for label, (name, cui) in enumerate(concepts[column].items())
    ]


def test_splits_are_those_that_have_rows(built: Path, tmp_path: Path) -> None:
    assert [row["name"] for row in read(built, "splits")] == ["train", "validation", "test"]
    part = run(make_raw(4, 2, 2).write(tmp_path / "raw"), tmp_path / "part", splits=("test",))
    assert [row["name"] for row in read(part, "splits")] == ["test"]
    assert len(read(part, "default")) == 2


def test_every_file_is_listed_with_its_size_and_hash(built: Path) -> None:
    listed = {
        part["contentUrl"]: (part["contentSize"], part["sha256"])
        for part in json.loads((built / "croissant.json").read_text())["distribution"]
        if part["@type"] == "cr:FileObject"
    }
    assert listed == {
        path.relative_to(built).as_posix(): (f"{path.stat().st_size} B", file_sha256(path))
        for path in built.rglob("*.parquet")
    }


def contents(release: str | None) -> Contents:
    sizes = {
        "default": {split: SplitSize(1, 1, 1) for split in rocov2.SPLITS},
        "text": {split: SplitSize(1, 1, 1) for split in rocov2.SPLITS},
        "vocabulary": {"vocabulary": SplitSize(1, 1, 1)},
    }
    return Contents(sizes, release, None, dict.fromkeys(sizes, "0" * 64))


FILES = [FileFacts("text/train.parquet", 1, 1, "0" * 64, 1, "0" * 64)]


def issues(tmp_path: Path, release: str | None) -> tuple[set[str], set[str]]:
    """Errors and warnings of mlcroissant about the file of a release."""
    (tmp_path / "croissant.json").write_text(json.dumps(croissant(contents(release), FILES)))
    found = open_dataset(tmp_path).metadata.ctx.issues
    return found.errors, found.warnings


@pytest.mark.parametrize("release", [*RELEASES, "sample", None])
def test_mlcroissant_finds_nothing_wrong_with_any_build(tmp_path: Path, release: str | None) -> None:
    assert issues(tmp_path, release) == (set(), set())


def test_what_is_not_a_release_has_a_version_of_its_own() -> None:
    sample, unknown = croissant(contents("sample"), FILES), croissant(contents(None), FILES)
    assert (sample["version"], sample["datePublished"]) == (rocov2.__version__, "2026")
    assert "rueckert" not in sample["citeAs"]
    assert (unknown["version"], unknown["datePublished"]) == ("0.0.0+000000000000", "2024")
    assert unknown["citeAs"] == rocov2.CITATION


def test_the_context_is_the_standard_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        issues(tmp_path, "2.0.1")
    assert "not standard" not in caplog.text


def test_metadata_of_a_release() -> None:
    described = croissant(contents("2.0.1"), FILES)
    assert described["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    assert (described["name"], described["version"], described["datePublished"]) == ("ROCOv2", "2.0.1", "2024")
    assert described["url"] == "https://zenodo.org/records/10821435"
    assert described["license"] == [LICENSE_URLS["CC BY"], LICENSE_URLS["CC BY-NC"]]
    assert set(LICENSE_URLS) == set(rocov2.LICENSES)
    assert croissant(contents("1"), FILES)["version"] == "1.0.0"
    names = authors()
    assert (len(names), names[0], names[9], names[-1]) == (
        14,
        "Johannes Rückert",
        "Alba G. Seco de Herrera",
        "Christoph M. Friedrich",
    )


def test_rai_fields_have_names_of_the_vocabulary_and_come_back() -> None:
    assert set(RAI) <= RAI_KEYS
    described = croissant(contents("2.0.1"), FILES)
    assert {key.removeprefix("rai:"): value for key, value in described.items() if key.startswith("rai:")} == RAI


def test_the_sample_is_not_described_as_rocov2() -> None:
    described = croissant(contents("sample"), FILES)
    assert described["description"].startswith("The sample of the project")
    assert "creator" not in described
    assert "rai:dataCollection" not in described


def test_a_croissant_json_of_other_files_is_told(built: Path, tmp_path: Path) -> None:
    repository = shutil.copytree(built, tmp_path / "rocov2")
    path = repository / "croissant.json"
    before = json.loads(path.read_text())
    place = next(i for i, part in enumerate(before["distribution"]) if part.get("contentUrl") == "text/test.parquet")
    for key, value in (("sha256", "0" * 64), ("contentSize", "1 B"), ("contentUrl", "text/other.parquet")):
        described = json.loads(json.dumps(before))
        described["distribution"][place][key] = value
        path.write_text(json.dumps(described))
        (violation,) = check_repository(repository, fast=True)
        assert (violation.rule, violation.file) == ("croissant", "croissant.json")
        assert violation.key == f"distribution[{place}].{key}"
    shortened: dict[str, Any]
    for shortened in ({}, before | {"recordSet": before["recordSet"][1:]}, before | {"license": []}):
        path.write_text(json.dumps(shortened))
        assert broken(repository, fast=True) == [("croissant", "croissant.json")]
