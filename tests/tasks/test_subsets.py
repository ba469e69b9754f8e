"""Filters and splits: the right rows, map-style and streaming; that images stay is in test_views.py."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import datasets
import pytest

import rocov2
from rocov2_tasks import subsets
from tests.support.raw import RawImage, RawRelease, make_raw


@pytest.fixture(scope="module")
def raw() -> RawRelease:
    return make_raw(train=30)


@pytest.fixture(scope="module")
def built(raw: RawRelease, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw.build(tmp_path_factory.mktemp("built") / "rocov2", shard=12_000, row_group=4_000)


@pytest.fixture(scope="module", params=[False, True], ids=["map-style", "streaming"])
def splits(built: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return rocov2.load(built, streaming=request.param, cache_dir=str(tmp_path_factory.mktemp("cache")))


def ids_of(dataset: Any) -> list[str]:
    return [row["image_id"] for row in dataset.select_columns(["image_id"])]


CHOICES: dict[str, tuple[Callable[[Any, Path], Any], Callable[[RawImage], bool]]] = {
    "one licence": (lambda d, _: subsets.filter_license(d, "CC BY-NC"), lambda i: "-NC" in i.attribution),
    "two licences": (lambda d, _: subsets.filter_license(d, ["CC BY-NC", "MIT"]), lambda i: "-NC" in i.attribution),
    "commercial": (lambda d, _: subsets.filter_commercial(d), lambda i: "-NC" not in i.attribution),
    "one modality": (lambda d, _: subsets.filter_modality(d, "PET"), lambda i: i.modality == "PET"),
    "modalities": (
        lambda d, _: subsets.filter_modality(d, ["CT", "combined"]),
        lambda i: i.modality in ("CT", "combined"),
    ),
    "regions": (lambda d, _: subsets.filter_region(d, ["chest", "breast"]), lambda i: i.region in ("chest", "breast")),
    "direction": (lambda d, _: subsets.filter_direction(d, "AP"), lambda i: i.direction == "AP"),
    "CUI without a vocabulary": (lambda d, _: subsets.filter_concept(d, ["C0497156"]), lambda i: "C0497156" in i.cuis),
    "CUI in lower case": (lambda d, path: subsets.filter_concept(d, "c0497156", path), lambda i: "C0497156" in i.cuis),
    "CUI": (lambda d, path: subsets.filter_concept(d, "C0497156", path), lambda i: "C0497156" in i.cuis),
    "name": (lambda d, path: subsets.filter_concept(d, "lymphADENopathy", path), lambda i: "C0497156" in i.cuis),
    "concepts, any": (
        lambda d, path: subsets.filter_concept(d, ["Lymphadenopathy", "C0032743"], path),
        lambda i: not {"C0497156", "C0032743"}.isdisjoint(i.cuis),
    ),
    "concepts, all": (
        lambda d, path: subsets.filter_concept(d, ["Lymphadenopathy", "Plain x-ray"], path, match="all"),
        lambda i: {"C0497156", "C1306645"} <= set(i.cuis),
    ),
    "manual concepts": (
        lambda d, path: subsets.filter_concept(d, "Chest", path, column="manual_cuis"),
        lambda i: "C0817096" in i.manual,
    ),
    "articles": (
        lambda d, _: subsets.filter_article(d, ["PMC3", "PMC5", "PMC999999"]),
        lambda i: i.pmcid in ("PMC3", "PMC5"),
    ),
    "other images": (
        lambda d, _: subsets.drop_images(d, ["ROCOv2_2023_train_000001", "ROCOv2_2023_train_000002", "unknown"]),
        lambda i: i.id not in ("ROCOv2_2023_train_000001", "ROCOv2_2023_train_000002"),
    ),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_the_rows_that_are_asked_for_in_their_order(choice: str, splits: Any, built: Path, raw: RawRelease) -> None:
    call, wanted = CHOICES[choice]
    kept = {image.id for image in raw.splits["train"] if wanted(image)}
    assert 0 < len(kept) < len(raw.splits["train"])
    made = call(splits["train"], built)
    assert ids_of(made) == [id for id in ids_of(splits["train"]) if id in kept]
    assert made.features == splits["train"].features
    by_split = call(splits, built)
    assert type(by_split) is type(splits)
    assert ids_of(by_split["train"]) == ids_of(made)


def test_a_name_that_two_concepts_have_stands_for_both(tmp_path: Path) -> None:
    raw = make_raw(train=10)
    raw.names["C0034606"] = raw.names["C0497156"] = "Twin"
    built = raw.build(tmp_path / "rocov2")
    made = subsets.filter_concept(rocov2.load(built, split="train"), "twin", built)
    wanted = {image.id for image in raw.splits["train"] if not {"C0034606", "C0497156"}.isdisjoint(image.cuis)}
    assert set(ids_of(made)) == wanted


def test_a_format_stays_on_map_style_rows(built: Path) -> None:
    train = rocov2.load(built, split="train").with_format("numpy", columns=["width"])
    assert subsets.filter_modality(train, "CT").format == train.format


def test_train_without_shared_articles_shares_none(splits: Any, raw: RawRelease) -> None:
    elsewhere = {image.pmcid for split in ("valid", "test") for image in raw.splits[split]}
    kept = {image.id for image in raw.splits["train"] if image.pmcid not in elsewhere}
    assert 0 < len(kept) < 30
    assert set(ids_of(subsets.drop_shared_articles(splits["train"]))) == kept


# Splits by article.


def articles_of(dataset: Any) -> set[str]:
    return {row["pmcid"] for row in dataset.select_columns(["pmcid"])}


def test_no_article_is_in_two_splits_and_no_row_is_lost(splits: Any) -> None:
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    made = subsets.split_by_article(splits, shares)
    assert list(made) == list(shares)
    assert isinstance(made, datasets.DatasetDict) == isinstance(splits, datasets.DatasetDict)
    assert isinstance(splits, datasets.IterableDatasetDict) or all(str(made[name].split) == name for name in made)
    articles = Counter(article for part in made.values() for article in articles_of(part))
    assert set(articles.values()) == {1}
    before = [id for part in splits.values() for id in ids_of(part)]
    assert sorted(id for part in made.values() for id in ids_of(part)) == sorted(before)
    assert all(ids_of(part) for part in made.values())
    # The release itself is not split so, or this would prove nothing.
    assert max(Counter(article for part in splits.values() for article in articles_of(part)).values()) > 1


def test_an_article_stays_in_its_split(built: Path) -> None:
    whole = rocov2.load(built, split="train+validation+test")
    first = {split: articles_of(part) for split, part in subsets.split_by_article(whole).items()}
    shuffled = {split: articles_of(part) for split, part in subsets.split_by_article(whole.shuffle(seed=2)).items()}
    assert shuffled == first
    half = subsets.split_by_article(whole.select(range(0, len(whole), 2)))
    assert all(articles_of(half[split]) <= first[split] for split in first)
    stream = subsets.split_by_article(rocov2.load(built, streaming=True))
    assert {split: articles_of(part) for split, part in stream.items()} == first
    assert any(articles_of(subsets.split_by_article(whole, seed=1)[split]) != first[split] for split in first)


def test_shares_are_those_of_many_articles() -> None:
    many = datasets.Dataset.from_dict({"pmcid": [f"PMC{number}" for number in range(20_000)]})
    sizes = {split: len(part) for split, part in subsets.split_by_article(many, {"a": 0.7, "b": 0.3}).items()}
    assert abs(sizes["a"] - 14_000) < 300
    assert sum(sizes.values()) == 20_000


# What is refused.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda d, _: subsets.filter_license(d, "GPL"),
            "licenses: unknown 'GPL', expected some of CC BY, CC BY-NC, MIT, BSD-3-Clause, Apache-2.0",
        ),
        (lambda d, _: subsets.filter_license(d, []), "licenses=[]: expected one, or a list of them"),
        (
            lambda d, _: subsets.filter_modality(d, ["CT", "Xray"]),
            "modalities: unknown 'Xray', expected some of CT, X-ray, MRI, ultrasound, angiography, PET, combined",
        ),
        (
            lambda d, _: subsets.filter_region(d, "knee"),
            "regions: unknown 'knee', expected some of chest, cranium, lower extremity",
        ),
        (
            lambda d, _: subsets.filter_direction(d, "ap"),
            "directions: unknown 'ap', expected some of AP, PA, sagittal",
        ),
        (lambda d, _: subsets.filter_modality(d, cast(Any, 0)), "modalities=0: expected one, or a list of them"),
        (lambda d, _: subsets.filter_modality(d, iter(["CT"])), "modalities=<list_iterator"),
        (lambda d, _: subsets.split_by_article(d, {"a b": 1.0}), "fractions: invalid split name 'a b'"),
        (lambda d, _: subsets.filter_article(d, []), "pmcids=[]: expected one, or a list of them"),
        (lambda d, _: subsets.drop_images(d, []), "image_ids=[]: expected one, or a list of them"),
        (
            lambda d, path: subsets.filter_concept(d, "Lymphadenopathi", path),
            "unknown concept 'Lymphadenopathi' in the vocabulary of {root}; did you mean Lymphadenopathy (C0497156)?",
        ),
        (
            lambda d, path: subsets.filter_concept(d, ["C0497156", "C9999999"], path),
            "unknown concept 'C9999999' in the vocabulary of {root}",
        ),
        (
            lambda d, path: subsets.filter_concept(d, [], path),
            "concepts=[]: expected a CUI or a name, or a list of them",
        ),
        (
            lambda d, path: subsets.filter_concept(d, "C0497156", path, column="caption"),
            "column='caption': expected one of cuis, manual_cuis",
        ),
        (lambda d, path: subsets.filter_concept(d, "C0497156", path, match="x"), "match='x': expected one of any, all"),
        (
            lambda d, _: subsets.filter_commercial(d.select_columns(["image", "pmcid"])),
            "missing column license: the dataset has image, pmcid",
        ),
        (
            lambda d, _: subsets.split_by_article(d, {"a": 0.5, "b": 0.6}),
            "fractions={{'a': 0.5, 'b': 0.6}}: fractions must be positive and sum to 1, such as "
            "{{'train': 0.8, 'validation': 0.1, 'test': 0.1}}",
        ),
        (
            lambda d, _: subsets.split_by_article(d, {"a": 1.0, "b": 0.0}),
            "fractions={{'a': 1.0, 'b': 0.0}}: fractions must be positive and sum to 1, such as "
            "{{'train': 0.8, 'validation': 0.1, 'test': 0.1}}",
        ),
        (lambda d, _: subsets.split_by_article(d, seed=-1), "seed=-1: expected an integer of at least 0"),
    ],
)
def test_wrong_requests(splits: Any, built: Path, call: Callable[[Any, Path], Any], message: str) -> None:
    expected = re.escape(message.format(root=built))
    with pytest.raises(ValueError, match=f"^{expected}"):
        call(splits["train"], built)


def test_a_concept_that_is_not_near_any_is_not_guessed_at(built: Path) -> None:
    with pytest.raises(ValueError, match=f"^unknown concept 'zzz' in the vocabulary of {re.escape(str(built))}$"):
        subsets.filter_concept(rocov2.load(built, split="test"), "zzz", built)
