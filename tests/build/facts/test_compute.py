"""The numbers of a built repository: each by hand for seven images, and against plain counts for larger releases."""

from __future__ import annotations

import io
import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rocov2_build.facts.compute import compute_row_facts
from tests.support.raw import MANUAL, RawImage, RawRelease, jpeg, make_raw

SPLITS = {"train": "train", "validation": "valid", "test": "test"}
NOTHING = {"groups": 0, "images": 0}


def black() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (64, 48)).save(buffer, "JPEG")
    return buffer.getvalue()


def seven_images() -> RawRelease:
    """Images that share captions, articles, bytes and looks, one reason at a time."""
    one, two = jpeg(300, 260, seed=1), jpeg(280, 300, "RGB", seed=2)
    two_again = jpeg(280, 300, "RGB", seed=2, quality=40)

    def image(
        name: str, caption: str, manual: str, cuis: str, article: str, data: bytes, license: str = "CC BY"
    ) -> RawImage:
        curated = manual.split()
        return RawImage(
            id=f"ROCOv2_2023_{name}",
            data=data,
            caption=caption,
            cuis=[*curated, *cuis.split()],
            manual=curated,
            pmcid=article,
            attribution=f"{license} Doe et al. (2020)",
            link=f"https://www.ncbi.nlm.nih.gov/pmc/articles/{article}",
            modality="",
            region=None,
            direction=None,
        )

    return RawRelease(
        {
            "train": [
                image("train_000001", "CT of the chest", "C0040405", "C0817096", "PMC1", one),
                image("train_000002", "CT of the chest", "C1306645 C0817096 C1999039", "", "PMC1", two, "CC BY-NC"),
                image("train_000005", " two  words ", "C0024485", "C1266909", "PMC2", one),
            ],
            "valid": [
                image("valid_000001", "CT of the chest", "C0040405", "", "PMC2", two_again),
                image("valid_000002", "One\u00a0two\nthree", "", "C0034606", "PMC3", black()),
            ],
            "test": [
                image("test_000001", "other", "C1306645 C0205129", "C0034606", "PMC4", one),
                image("test_000002", "another", "C0041618", "", "PMC4", black()),
            ],
        }
    )


def facts_of(repository: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((repository / "facts.json").read_bytes())
    return facts


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return seven_images().build(tmp_path_factory.mktemp("facts") / "rocov2")


@pytest.fixture(scope="module")
def facts(built: Path) -> dict[str, Any]:
    return facts_of(built)


def in_splits(train: int, validation: int, test: int) -> dict[str, int]:
    return {"train": train, "validation": validation, "test": test}


def test_sections_in_order(facts: dict[str, Any]) -> None:
    assert list(facts) == [
        *(
            "format",
            "images",
            "modality",
            "region",
            "direction",
            "license",
            "concepts",
            "captions",
            "sizes",
            "articles",
            "head",
        ),
        *("modes", "bytes", "duplicates"),
    ]
    assert facts["format"] == 2


def test_labels_and_licences(facts: dict[str, Any]) -> None:
    assert facts["images"] == in_splits(3, 2, 2)
    assert facts["modality"] == {
        "CT": in_splits(1, 1, 0),
        "X-ray": in_splits(1, 0, 1),
        "MRI": in_splits(1, 0, 0),
        "ultrasound": in_splits(0, 0, 1),
        "angiography": in_splits(0, 0, 0),
        "PET": in_splits(0, 0, 0),
        "combined": in_splits(0, 1, 0),
    }
    regions = {name: counts for name, counts in facts["region"].items() if any(counts.values())}
    assert regions == {"chest": in_splits(1, 0, 0), "none": in_splits(2, 2, 2)}
    assert list(facts["region"])[-1] == "none"
    assert facts["direction"] == {
        "AP": in_splits(1, 0, 0),
        "PA": in_splits(0, 0, 0),
        "sagittal": in_splits(0, 0, 1),
        "transverse": in_splits(0, 0, 0),
        "none": in_splits(2, 2, 1),
    }
    assert facts["license"] == {"CC BY": in_splits(2, 2, 2), "CC BY-NC": in_splits(1, 0, 0)}


def test_concepts(facts: dict[str, Any]) -> None:
    concepts = facts["concepts"]
    assert concepts["per_image"]["all"] == {
        **{"min": 1, "p5": 1, "p25": 1, "median": 2, "p75": 3, "p95": 3, "max": 3},
        **{"mean": 1.86, "total": 13},
    }
    assert [concepts["per_image"][split]["total"] for split in SPLITS] == [7, 2, 4]
    assert [concepts["curated_per_image"][split]["total"] for split in (*SPLITS, "all")] == [5, 1, 3, 9]
    assert concepts["only_curated"] == in_splits(1, 1, 1)
    histogram = concepts["histogram"]
    assert histogram["from"] == list(range(21))
    assert histogram["train"] == [0, 0, 2, 1] + [0] * 17
    assert histogram["validation"] == [0, 2] + [0] * 19
    assert (concepts["vocabulary"], concepts["used_without_name"]) == (14, 2)
    assert concepts["used"] == in_splits(6, 2, 4) | {"all": 9}
    assert concepts["in_at_most"] == {"1": 5, "10": 9, "100": 9}
    assert concepts["not_in_train"] == {"validation": 1, "test": 3}
    assert concepts["frequencies"] == [2, 2, 2, 2, 1, 1, 1, 1, 1]
    order = ["C0034606", "C0040405", "C0817096", "C1306645", "C0024485", "C0041618", "C0205129", "C1266909", "C1999039"]
    assert [concept["cui"] for concept in concepts["commonest"]] == order
    assert concepts["commonest"][0] == {
        **{"cui": "C0034606", "name": "Radionuclide Imaging", "kind": "concept"},
        **in_splits(0, 1, 1),
    }
    assert concepts["commonest"][7] == {"cui": "C1266909", "name": None, "kind": "concept"} | in_splits(1, 0, 0)
    assert concepts["together"]["cuis"] == order
    assert concepts["together"]["images"][0] == [2, 0, 0, 1, 0, 0, 1, 0, 0]
    assert concepts["together"]["images"][3] == [1, 0, 1, 2, 0, 0, 1, 0, 1]


def test_captions(facts: dict[str, Any]) -> None:
    captions = facts["captions"]
    assert captions["words"]["all"] == {
        **{"min": 1, "p5": 1, "p25": 1, "median": 3, "p75": 4, "p95": 4, "max": 4},
        **{"mean": 2.71, "total": 19},
    }
    assert [captions["characters"][split]["total"] for split in (*SPLITS, "all")] == [42, 28, 12, 82]
    assert captions["histogram"]["words"]["train"] == [3] + [0] * 20
    assert captions["histogram"]["characters"]["from"][:3] == [0, 25, 50]
    assert captions["distinct"] == 5
    assert captions["repeated"] == {
        **{"groups": 1, "images": 3},
        "within": {"train": {"groups": 1, "images": 2}, "validation": NOTHING, "test": NOTHING},
        "across": {
            "train-validation": {"groups": 1, "images": {"train": 2, "validation": 1}},
            "train-test": {"groups": 0, "images": {"train": 0, "test": 0}},
            "validation-test": {"groups": 0, "images": {"validation": 0, "test": 0}},
        },
        "commonest": [{"caption": "CT of the chest", "images": 3}],
    }


def test_sizes_modes_and_bytes(facts: dict[str, Any], built: Path) -> None:
    widths = facts["sizes"]["width"]
    assert (widths["train"]["min"], widths["train"]["max"], widths["train"]["total"]) == (280, 300, 880)
    assert (facts["sizes"]["height"]["all"]["min"], facts["sizes"]["height"]["all"]["median"]) == (48, 260)
    assert facts["sizes"]["histogram"]["width"]["train"] == [0, 0, 1, 2] + [0] * 17
    assert facts["modes"] == {"L": 5, "RGB": 2}
    assert facts["bytes"] == {
        "data": {split: sum(path.stat().st_size for path in built.glob(f"data/{split}-*")) for split in SPLITS},
        "text": {split: (built / f"text/{split}.parquet").stat().st_size for split in SPLITS},
        "vocabulary": {"vocabulary": (built / "vocabulary/vocabulary.parquet").stat().st_size},
    }


def test_articles(facts: dict[str, Any]) -> None:
    articles = facts["articles"]
    assert articles["articles"] == in_splits(2, 2, 1) | {"all": 4}
    assert (articles["images_per_article"]["min"], articles["images_per_article"]["mean"]) == (1, 1.75)
    assert articles["histogram"] == {"from": list(range(1, 11)), "articles": [1, 3] + [0] * 8}
    assert articles["years"] == {"2020": in_splits(3, 2, 2)}
    assert articles["in_other_split"] == in_splits(1, 1, 0)
    assert articles["shared"] == {
        **{"groups": 3, "images": 6},
        "within": {
            "train": {"groups": 1, "images": 2},
            "validation": NOTHING,
            "test": {"groups": 1, "images": 2},
        },
        "across": {
            "train-validation": {"groups": 1, "images": {"train": 1, "validation": 1}},
            "train-test": {"groups": 0, "images": {"train": 0, "test": 0}},
            "validation-test": {"groups": 0, "images": {"validation": 0, "test": 0}},
        },
    }


def test_a_part_counts_what_it_holds(tmp_path: Path) -> None:
    facts = facts_of(seven_images().build(tmp_path / "rocov2", splits=("validation", "test")))
    assert facts["images"] == {"validation": 2, "test": 2}
    assert facts["concepts"]["not_in_train"] == {}
    assert list(facts["articles"]["shared"]["across"]) == ["validation-test"]
    # Known of the whole release, though train is not here.
    assert facts["articles"]["in_other_split"] == {"validation": 1, "test": 0}
    one = facts_of(seven_images().build(tmp_path / "test", splits=("test",)))
    assert one["duplicates"]["exact"] == {
        **NOTHING,
        "within": {"test": NOTHING | {"pairs": 0}},
        "across": {},
        "listed": [],
    }


def test_shards_and_row_groups_change_nothing(facts: dict[str, Any], tmp_path: Path) -> None:
    repository = seven_images().build(tmp_path / "rocov2", shard=1, row_group=1)
    assert len(list(repository.glob("data/*"))) > len(SPLITS) + 1
    other = facts_of(repository)
    # Shards of the two licence groups alternate, so lists may begin with another row.
    for part in (other, facts := json.loads(json.dumps(facts))):
        part.pop("bytes")
        part.pop("head")
        for kind in ("exact", "near"):
            part["duplicates"][kind]["listed"] = sorted(map(sorted, part["duplicates"][kind]["listed"]))
    assert other == facts


def test_a_concept_twice_in_a_list_counts_its_image_once(tmp_path: Path) -> None:
    raw = seven_images()
    raw.image("train", 0).cuis = ["C0040405", "C0817096", "C0817096"]
    concepts = facts_of(raw.build(tmp_path / "rocov2"))["concepts"]
    chest = next(concept for concept in concepts["commonest"] if concept["cui"] == "C0817096")
    assert (chest["train"], concepts["per_image"]["train"]["total"]) == (2, 8)


def plain_counts(raw: RawRelease) -> dict[str, Any]:
    """Some of the numbers, counted one by one from the release."""
    parts = {split: raw.splits[name] for split, name in SPLITS.items()}
    images = [(split, image) for split, part in parts.items() for image in part]
    uses = Counter(cui for _, image in images for cui in set(image.cuis))
    articles = {split: Counter(image.pmcid for image in part) for split, part in parts.items()}
    first = sorted(uses, key=lambda cui: (-uses[cui], cui))[:20]
    captions = Counter(image.caption for _, image in images)
    return {
        "modality": {
            name: {split: sum(image.modality == name for image in part) for split, part in parts.items()}
            for name in dict.fromkeys(meaning[1] for meaning in MANUAL)
        },
        "words": {split: sum(len(image.caption.split()) for image in part) for split, part in parts.items()},
        "characters": {split: sum(len(image.caption) for image in part) for split, part in parts.items()},
        "frequencies": sorted(uses.values(), reverse=True),
        "together": [
            [sum(one in image.cuis and other in image.cuis for _, image in images) for other in first] for one in first
        ],
        "repeated": {caption: count for caption, count in captions.items() if count > 1},
        "across": {
            f"{one}-{other}": {
                "groups": len(articles[one].keys() & articles[other].keys()),
                "images": {
                    one: sum(count for pmcid, count in articles[one].items() if pmcid in articles[other]),
                    other: sum(count for pmcid, count in articles[other].items() if pmcid in articles[one]),
                },
            }
            for one, other in combinations(parts, 2)
        },
    }


def test_a_release_with_every_kind_of_row_against_plain_counts(tmp_path: Path) -> None:
    raw = make_raw(30, 9, 8)
    raw.image("train", 7).caption = "\u2003wide\x1cspaces\u3000and\x85others\u2029"
    facts = compute_row_facts(raw.build(tmp_path / "rocov2"))
    expected = plain_counts(raw)
    assert {name: facts["modality"][name] for name in expected["modality"]} == expected["modality"]
    for name in ("words", "characters"):
        assert {split: facts["captions"][name][split]["total"] for split in SPLITS} == expected[name]
    assert facts["concepts"]["frequencies"] == expected["frequencies"]
    assert facts["concepts"]["together"]["images"] == expected["together"]
    commonest = {item["caption"]: item["images"] for item in facts["captions"]["repeated"]["commonest"]}
    assert commonest == expected["repeated"]
    assert facts["articles"]["shared"]["across"] == expected["across"]


def test_what_is_written_is_what_is_computed_again(built: Path, facts: dict[str, Any]) -> None:
    rows = compute_row_facts(built)
    assert {section: facts[section] for section in rows} == rows
