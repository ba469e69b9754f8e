"""Searching: the rows of a filter are those that plain Python finds, and so are the rows of the copied code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pytest

from rocov2_build.shards import mini
from rocov2_tasks.explorer.filters import IMAGE_CONFIGS, Filter
from rocov2_tasks.stream.reading import GroupReader
from tests.support.raw import make_raw
from tests.support.repositories import all_rows, images_by_id

pytestmark = pytest.mark.slow

duckdb = pytest.importorskip("duckdb")

from rocov2_tasks.explorer.collection import Collection  # noqa: E402

NASTY = "'; DROP TABLE images; -- \\ \" %s {0} ?"
IDS = ("ROCOv2_2023_train_000006", "ROCOv2_2023_test_000001")
Row = dict[str, Any]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    release = make_raw(train=60, valid=20, test=12)
    release.image("train", 5).caption = f"A note: {NASTY}"
    release.image("train", 6).caption = "İstanbul, ΟΔΟΣ and ÖDEM (C0034606)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mini, "ROWS", {"train": 20, "validation": 12, "test": 12})
        folder = tmp_path_factory.mktemp("searching") / "it's a rocov2"
        return release.build(folder, shard=20_000, row_group=5_000, small=16)


@pytest.fixture(scope="module")
def collection(repository: Path) -> Collection:
    return Collection(repository)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of `datasets` that no other module has filled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        datasets.disable_progress_bars()
        yield
        datasets.enable_progress_bars()


def words(row: Row) -> set[str]:
    """The words of a caption, in lower case."""
    letters = (letter if letter.isalnum() else " " for letter in row["caption"].lower())
    return set("".join(letters).split())


# A filter, and what it means for a row, said anew.
CASES: list[tuple[Filter, Callable[[Row], bool]]] = [
    (Filter(), lambda row: True),
    (Filter(splits=("test", "train")), lambda row: row["split"] in ("train", "test")),
    (Filter(modalities=("X-ray",)), lambda row: row["modality"] == "X-ray"),
    (Filter(modalities=("MRI", "CT")), lambda row: row["modality"] in ("CT", "MRI")),
    (Filter(regions=("chest", "spine")), lambda row: row["region"] in ("chest", "spine")),
    (Filter(licenses=("CC BY-NC",)), lambda row: row["license"] == "CC BY-NC"),
    (Filter(commercial=True), lambda row: row["license"] == "CC BY"),
    (Filter(licenses=("CC BY-NC",), commercial=True), lambda row: False),
    (Filter(cuis=("C0034606", "C0497156")), lambda row: {"C0034606", "C0497156"} <= set(row["cuis"])),
    (Filter(directions=("AP", "sagittal")), lambda row: row["direction"] in ("AP", "sagittal")),
    (Filter(text="AXIAL ct"), lambda row: {"axial", "ct"} <= words(row)),
    (Filter(text="x"), lambda row: "x" in words(row)),
    (Filter(text="an*"), lambda row: any(word.startswith("an") for word in words(row))),
    (Filter(text="*ng"), lambda row: any(word.endswith("ng") for word in words(row))),
    (Filter(text="*o*"), lambda row: any("o" in word for word in words(row))),
    (Filter(text="a*l"), lambda row: any(word[0] == "a" and word[-1] == "l" for word in words(row))),
    (Filter(text='"string of pe*"'), lambda row: "string of pearls" in row["caption"]),
    (Filter(text='"axial view" "("'), lambda row: "axial view" in row["caption"]),
    (Filter(text="%"), lambda row: "%" in row["caption"]),
    (Filter(text="'single'"), lambda row: "'single'" in row["caption"]),
    (Filter(text=NASTY.replace('"', "")), lambda row: "DROP" in row["caption"]),
    (Filter(text="istanbul"), lambda row: "stanbul" in row["caption"]),
    (Filter(text="οδοσ ödem"), lambda row: "stanbul" in row["caption"]),
    (Filter(text="rocov2_2023_train_000006 ROCOv2_2023_TEST_000001"), lambda row: row["image_id"] in IDS),
    (Filter(text="pmc3"), lambda row: row["pmcid"] == "PMC3"),
    (Filter(text="c0034606 C0497156"), lambda row: {"C0034606", "C0497156"} <= set(row["cuis"])),
    (Filter(text='"c0034606"'), lambda row: "c0034606" in row["caption"].lower()),
    (Filter(text="two\r\nlines"), lambda row: "two\r\nlines" in row["caption"]),
    (
        Filter(("train",), ("X-ray",), ("chest",), ("CC BY",), True, ("C0817096",), '"*e*"'),
        lambda row: (
            (row["split"], row["region"], row["license"]) == ("train", "chest", "CC BY")
            and "e" in row["caption"].lower()
        ),
    ),
]
each_case = pytest.mark.parametrize(("filter", "fits"), CASES)


def expected(repository: Path, fits: Callable[[Row], bool]) -> list[Row]:
    rows = [row | {"split": split} for split, part in all_rows(repository)["text"].items() for row in part]
    return [row for row in rows if fits(row)]


@each_case
def test_the_rows_of_a_filter_are_those_that_fit_in_order(
    repository: Path, collection: Collection, filter: Filter, fits: Callable[[Row], bool]
) -> None:
    rows = expected(repository, fits)
    found = collection.rows(filter)
    assert [{name: value for name, value in row.items() if name != "row"} for row in found] == rows
    assert collection.count(filter) == len(rows)
    assert collection.rows(filter, offset=2, limit=3) == found[2:5]


def test_the_cases_find_something_and_leave_something_out(repository: Path) -> None:
    counts = [len(expected(repository, fits)) for _, fits in CASES]
    assert counts.count(0) == 1
    assert max(counts[1:]) < counts[0] == 92


@each_case
def test_the_copied_sql_gives_the_same_rows(
    collection: Collection, filter: Filter, fits: Callable[[Row], bool]
) -> None:
    copied = duckdb.connect().execute(collection.sql(filter))
    names = [column[0] for column in copied.description]
    found = [dict(zip(names, row, strict=True))["image_id"] for row in copied.fetchall()]
    assert found == [row["image_id"] for row in collection.rows(filter)]


@each_case
def test_the_copied_python_gives_the_same_rows_with_images(
    repository: Path, collection: Collection, filter: Filter, fits: Callable[[Row], bool], cache: None
) -> None:
    names: dict[str, Any] = {}
    exec(collection.python(filter), names)  # noqa: S102
    rows = names["rows"].cast_column("image", datasets.Image(decode=False))
    images = images_by_id(repository)
    wanted = [row["image_id"] for row in collection.rows(filter)]
    assert [(row["image_id"], row["image"]["bytes"]) for row in rows] == [(id, images[id]) for id in wanted]


@pytest.mark.parametrize("config", IMAGE_CONFIGS)
@pytest.mark.parametrize("more", [Filter(), Filter(("test", "train"), text="*e*")], ids=["all", "some"])
def test_each_configuration_is_searched_shown_and_copied(
    repository: Path, collection: Collection, config: str, more: Filter, cache: None
) -> None:
    parts = all_rows(repository)[config]
    filter = replace(more, config=config)
    wanted = [
        (row["image_id"], row["image"][1])
        for split, rows in parts.items()
        for row in rows
        if split in (filter.splits or parts) and (not filter.text or "e" in row["caption"].lower())
    ]
    assert wanted
    assert collection.configs[config] == sum(map(len, parts.values()))
    rows = collection.rows(filter)
    images = collection.images(rows, config)
    found = [(row["image_id"], hashlib.sha256(image).hexdigest()) for row, image in zip(rows, images, strict=True)]
    assert found == wanted
    some = [rows[-1], rows[0]]
    assert collection.images(some, config) == [images[-1], images[0]]
    copied = duckdb.connect().sql(collection.sql(filter)).select("image_id").fetchall()
    assert [image_id for (image_id,) in copied] == [image_id for image_id, _ in wanted]
    names: dict[str, Any] = {}
    exec(collection.python(filter), names)  # noqa: S102
    assert names["rows"]["image_id"][:] == [image_id for image_id, _ in wanted]


def test_copied_python_names_only_splits_that_have_commercial_images(tmp_path: Path, cache: None) -> None:
    release = make_raw(train=6, valid=4, test=4)
    for image in release.splits["test"]:
        image.attribution = image.attribution.replace("CC BY ", "CC BY-NC ")
    folder = release.build(tmp_path / "rocov2")
    collection = Collection(folder)
    for filter, wanted in (
        (Filter(commercial=True), "commercial"),
        (Filter(("test",), commercial=True), "filter(wanted"),
    ):
        names: dict[str, Any] = {}
        assert wanted in collection.python(filter)
        exec(collection.python(filter), names)  # noqa: S102
        assert names["rows"]["image_id"][:] == [row["image_id"] for row in collection.rows(filter)]


def test_the_images_are_those_of_the_rows(repository: Path, collection: Collection) -> None:
    rows = collection.rows(Filter())
    images = images_by_id(repository)
    assert len(list(repository.glob("data/train-*"))) > 2
    assert collection.images(rows) == [images[row["image_id"]] for row in rows]
    some = [rows[70], rows[3], rows[91], rows[4]]
    assert collection.images(some) == [images[row["image_id"]] for row in some]


def test_only_the_shown_images_are_read(
    repository: Path, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    read = GroupReader.read

    def count(self: Any, group: int, begin: int, stop: int) -> Any:
        asked.append(stop - begin)
        return read(self, group, begin, stop)

    monkeypatch.setattr(GroupReader, "read", count)
    Collection(repository)
    assert asked == []
    collection.images(collection.rows(Filter(), 10, 5))
    assert asked == [1] * 5


def test_there_are_the_concepts_and_values_that_occur(repository: Path, collection: Collection) -> None:
    rows = expected(repository, lambda row: True)
    used = {cui for row in rows for cui in row["cuis"]}
    concepts = collection.concepts
    assert {cui for cui, _, _ in concepts} == used
    assert all(images == sum(cui in row["cuis"] for row in rows) for cui, _, images in concepts)
    assert [images for _, _, images in concepts] == sorted((images for _, _, images in concepts), reverse=True)
    assert ("C1266909", "C1266909") in {(cui, name) for cui, name, _ in concepts}
    choices = collection.choices
    assert choices["splits"] == ["train", "validation", "test"]
    assert choices["licenses"] == ["CC BY", "CC BY-NC"]
    assert choices["modalities"] == ["CT", "X-ray", "MRI", "ultrasound", "angiography", "PET", "combined"]
    assert set(choices["regions"]) == {row["region"] for row in rows} - {None}
    assert set(choices["directions"]) == {row["direction"] for row in rows} - {None}


@each_case
def test_each_choice_is_counted_as_if_it_were_chosen_alone(
    collection: Collection, filter: Filter, fits: Callable[[Row], bool]
) -> None:
    counts = collection.choice_counts(filter)
    for field, choices in collection.choices.items():
        for choice in choices:
            alone: dict[str, Any] = {field: (choice,)}
            assert counts[field][choice] == collection.count(replace(filter, **alone)), (field, choice)
    assert counts["commercial"] == {"": collection.count(replace(filter, commercial=True))}
    rows = collection.rows(filter)
    concepts = collection.concept_counts(filter)
    assert concepts == {cui: sum(cui in row["cuis"] for row in rows) for cui, _, _ in collection.concepts}
    assert list(collection.ids(filter)) == [(row["image_id"], row["split"]) for row in rows]


def test_images_of_an_article_are_counted(repository: Path, collection: Collection) -> None:
    rows = collection.rows(Filter())
    counts = collection.article_counts(rows[:12])
    assert counts.keys() == {row["pmcid"] for row in rows[:12]}
    assert all(count == collection.count(Filter(text=pmcid)) for pmcid, count in counts.items())
    assert max(counts.values()) > 1
    free = collection.article_counts(rows[:12], "commercial")
    assert all(count == collection.count(Filter(text=pmcid, config="commercial")) for pmcid, count in free.items())
    assert free != counts


def test_a_part_has_only_its_splits(tmp_path: Path) -> None:
    folder = make_raw(train=4, valid=4, test=4).build(tmp_path / "part", splits=("test",))
    collection = Collection(folder)
    assert collection.counts == {"test": 4}
    assert collection.count(Filter()) == 4
    with pytest.raises(ValueError, match=r"part has no split train, only test"):
        collection.count(Filter(splits=("train",)))
