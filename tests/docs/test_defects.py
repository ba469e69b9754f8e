"""The known defects of the public copy on the Hub, none of which this project can repeat.

That copy has four training rows that its maker appended (ids 060164 to 060167), `["nan"]` for an empty list of concepts,
PNGs instead of the released JPEGs, only the curated concepts, and a citation with the wrong authors.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import datasets
import pytest

import rocov2
from rocov2_build.convert import Conversion, convert
from rocov2_build.raw import releases
from rocov2_shared.errors import UserError
from tests.support.raw import RawRelease, make_raw


@pytest.fixture
def named_release(monkeypatch: pytest.MonkeyPatch) -> RawRelease:
    """A small release whose numbers stand in the place of the published ones of 2.0.1."""
    raw = make_raw(train=6, valid=3, test=3)
    highest = {split: int(raw.splits[name][-1].id[-6:]) for split, name in rocov2.SPLITS.items()}
    published = releases.Release(
        name="2.0.1",
        record=10821435,
        licenses=("CC BY", "CC BY-NC"),
        images={split: len(raw.splits[name]) for split, name in rocov2.SPLITS.items()},
        highest=dict(highest),
        concepts={split: sum(len(image.cuis) for image in raw.splits[name]) for split, name in rocov2.SPLITS.items()},
    )
    monkeypatch.setitem(releases.RELEASES, "2.0.1", published)
    return raw


def test_the_named_release_passes(named_release: RawRelease, tmp_path: Path) -> None:
    convert(Conversion(named_release.write(tmp_path / "raw"), tmp_path / "rocov2", quiet=True))
    assert (tmp_path / "rocov2" / "conversion.json").is_file()


def test_rows_appended_above_the_highest_id_are_refused(named_release: RawRelease, tmp_path: Path) -> None:
    last = named_release.splits["train"][-1]
    for number in range(60_164, 60_168):
        appended = dataclasses.replace(last, id=f"ROCOv2_2023_train_{number:06d}")
        named_release.splits["train"].append(appended)
    with pytest.raises(UserError) as refused:
        convert(Conversion(named_release.write(tmp_path / "raw"), tmp_path / "rocov2", quiet=True))
    assert "wrong-count" in str(refused.value)
    problems = (tmp_path / "rocov2.problems.csv").read_text()
    assert "6 images in release 2.0.1,10," in problems
    assert 'as the highest id in release 2.0.1,"60,167"' in problems
    assert not (tmp_path / "rocov2").exists()


def test_appended_rows_are_refused_with_skip_too(named_release: RawRelease, tmp_path: Path) -> None:
    last = named_release.splits["train"][-1]
    named_release.splits["train"].append(dataclasses.replace(last, id="ROCOv2_2023_train_060164"))
    with pytest.raises(UserError, match="wrong-count"):
        convert(Conversion(named_release.write(tmp_path / "raw"), tmp_path / "rocov2", skip_problems=True, quiet=True))
    assert not (tmp_path / "rocov2").exists()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> datasets.Dataset:
    folder = tmp_path_factory.mktemp("defects")
    raw = make_raw(train=6, valid=2, test=2).write(folder / "raw")
    convert(Conversion(raw, folder / "rocov2", release="any", quiet=True))
    return datasets.load_dataset(str(folder / "rocov2"), split="train", cache_dir=folder / "cache")


def test_an_empty_list_of_concepts_is_empty(rows: datasets.Dataset) -> None:
    empty = rows.filter(lambda row: not row["manual_cuis"])
    assert empty["manual_cuis"][:] == [[]]
    assert "nan" not in {cui for column in ("cuis", "manual_cuis") for cuis in rows[column] for cui in cuis}


def test_images_are_the_released_jpegs(rows: datasets.Dataset) -> None:
    released = {image.id: image.data for image in make_raw(train=6, valid=2, test=2).splits["train"]}
    for row in rows.cast_column("image", datasets.Image(decode=False)):
        assert row["image"]["bytes"] == released[row["image_id"]]
    assert {row["image"].format for row in rows} == {"JPEG"}


def test_concepts_found_in_captions_are_there_beside_the_curated_ones(rows: datasets.Dataset) -> None:
    for row in rows:
        assert len(row["cuis"]) > len(row["manual_cuis"])
        assert row["cuis"][: len(row["manual_cuis"])] == row["manual_cuis"]


def test_the_citation_names_the_authors_of_the_article() -> None:
    for author in ("ckert, Johannes", "Bloch, Louise", "Nensa, Felix", "Friedrich"):
        assert author in rocov2.CITATION
    assert "Menze" not in rocov2.CITATION
    assert "10.1038/s41597-024-03496-6" in rocov2.CITATION
