"""Views: what is in them, map-style and streaming, and that every JPEG stays byte for byte what it was."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import datasets
import numpy as np
import pyarrow as pa
import pytest

import rocov2
from rocov2_tasks import subsets, views
from rocov2_tasks.shaping import mapping
from tests.support.raw import RawRelease, make_raw
from tests.support.repositories import images_by_id, plain_rows

NOT_A_JPEG = b"decoding this raises an error"
VOCABULARY = ["C0034606", "C0040405", "C1306645"]

VIEWS: dict[str, Callable[[Any], Any]] = {
    "captioning": views.captioning,
    "captioning-clean": lambda dataset: views.captioning(dataset, clean=True),
    "image_text": views.image_text,
    "image_text-concepts": lambda dataset: views.image_text(dataset, "concepts"),
    "classification": lambda dataset: views.classification(dataset, "region"),
    "multi_hot": lambda dataset: views.multi_hot(dataset, VOCABULARY),
    "multi_task": lambda dataset: views.multi_task(dataset, VOCABULARY),
    "to_messages": views.to_messages,
    "to_prompt_completion": views.to_prompt_completion,
    "to_sharegpt": views.to_sharegpt,
    "filter_commercial": subsets.filter_commercial,
    "filter_modality": lambda dataset: subsets.filter_modality(dataset, ["CT", "X-ray"]),
    "drop_images": lambda dataset: subsets.drop_images(dataset, "ROCOv2_2023_train_000001"),
    "filter_then_to_messages": lambda dataset: views.to_messages(subsets.filter_license(dataset, "CC BY")),
    "split_by_article": lambda dataset: subsets.split_by_article(dataset)["train"],
}


@pytest.fixture(scope="module")
def raw() -> RawRelease:
    return make_raw(train=24)


@pytest.fixture(scope="module")
def built(raw: RawRelease, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return raw.build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


@pytest.fixture(scope="module", params=[False, True], ids=["map-style", "streaming"])
def undecodable(loaded: Any, request: pytest.FixtureRequest) -> Any:
    """The rows of train with images that nothing can decode."""
    table = loaded.with_format("arrow")[:]
    rows = [row | {"image": {"bytes": NOT_A_JPEG, "path": None}} for row in table.to_pylist()]
    columns = {name: [row[name] for row in rows] for name in rocov2.FEATURES}
    dataset = datasets.Dataset.from_dict(columns, features=rocov2.FEATURES)
    return dataset.to_iterable_dataset(num_shards=3) if request.param else dataset


def image_bytes(dataset: Any) -> list[bytes]:
    return [(row["images"][0] if "images" in row else row["image"])["bytes"] for row in plain_rows(dataset)]


# Images.


@pytest.mark.parametrize("view", VIEWS)
def test_images_are_those_of_the_release_also_after_parquet(view: str, train: Any, built: Path, tmp_path: Path) -> None:
    released = images_by_id(built)
    made = VIEWS[view](train)
    given = plain_rows(made)
    images = [row["images"][0] if "images" in row else row["image"] for row in given]
    assert images
    for image in images:
        assert image["bytes"] == released[image["path"].removesuffix(".jpg")]
    if not view.startswith(("filter", "split", "drop")):
        ids = [row["image_id"] for row in plain_rows(train)]
        assert [image["path"] for image in images] == [f"{id}.jpg" for id in ids]
    made.to_parquet(str(tmp_path / "view.parquet"))
    again = datasets.Dataset.from_parquet(str(tmp_path / "view.parquet"), cache_dir=str(tmp_path / "again"))
    assert again.features == made.features
    assert plain_rows(again) == given


@pytest.mark.parametrize("view", VIEWS)
def test_no_image_is_decoded(view: str, undecodable: Any) -> None:
    images = image_bytes(VIEWS[view](undecodable))
    assert images
    assert set(images) == {NOT_A_JPEG}


@pytest.mark.parametrize("view", VIEWS)
def test_images_come_out_decoded(view: str, train: Any) -> None:
    row = next(iter(VIEWS[view](train)))
    image = row["images"][0] if "images" in row else row["image"]
    assert (image.format, min(image.size) > 0) == ("JPEG", True)


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_of_no_rows_has_its_columns(view: str, train: Any) -> None:
    none = train.take(0) if isinstance(train, datasets.IterableDataset) else train.select([])
    made = VIEWS[view](none)
    assert plain_rows(made) == []
    assert made.features == VIEWS[view](train).features


@pytest.mark.parametrize("view", VIEWS)
def test_a_stream_of_a_view_is_resumed_exactly(view: str, built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "_BATCH", 3)
    train = rocov2.load(built, split="train", streaming=True)
    whole = [str(row) for row in _plain(VIEWS[view](train))]
    for taken in range(1, len(whole), 4):
        begun, resumed = _plain(VIEWS[view](train)), _plain(VIEWS[view](train))
        rows = iter(begun)
        for _ in range(taken):
            next(rows)
        resumed.load_state_dict(begun.state_dict())
        assert [str(row) for row in resumed] == whole[taken:], taken


def _plain(stream: Any) -> Any:
    return stream.select_columns([name for name in stream.features if name not in ("image", "images")] or ["images"])


@pytest.mark.parametrize("view", ["captioning-clean", "to_messages", "filter_modality"])
@pytest.mark.parametrize("streaming", [False, True])
def test_every_split_of_a_dictionary(view: str, streaming: bool, built: Path, tmp_path: Path) -> None:
    splits = rocov2.load(built, streaming=streaming, cache_dir=str(tmp_path))
    made = VIEWS[view](splits)
    assert type(made) is type(splits)
    assert {split: plain_rows(part) for split, part in made.items()} == {
        split: plain_rows(VIEWS[view](part)) for split, part in splits.items()
    }


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_after_shuffling_is_of_the_shuffled_rows(view: str, loaded: Any) -> None:
    shuffled = loaded.shuffle(seed=1)
    wanted = VIEWS[view](shuffled)
    assert sorted(map(str, plain_rows(wanted))) == sorted(map(str, plain_rows(VIEWS[view](loaded))))
    if view == "to_messages":
        assert [row["images"][0]["path"] for row in plain_rows(wanted)] == [f"{id}.jpg" for id in shuffled["image_id"]]


def test_a_format_set_before_is_taken_off(train: Any) -> None:
    for name in ("numpy", "arrow"):
        assert plain_rows(views.to_messages(train.with_format(name))) == plain_rows(views.to_messages(train))


# Captions and labels.


def test_captions_are_as_released_unless_cleaned(train: Any, raw: RawRelease) -> None:
    released = {image.id: image.caption for image in raw.splits["train"]}
    captions = [released[row["image_id"]] for row in plain_rows(train)]
    assert [row["caption"] for row in plain_rows(views.captioning(train))] == captions
    assert list(views.captioning(train).features) == ["image", "caption"]
    cleaned = [row["caption"] for row in plain_rows(views.captioning(train, clean=True))]
    assert cleaned == [" ".join(caption.split()) for caption in captions]
    assert cleaned != captions


@pytest.mark.parametrize(
    ("caption", "cleaned"),
    [
        (" x ", "x"),
        ("two\r\nlines", "two lines"),
        ("a\u00a0b\u2009c", "a b c"),
        ("zero\u200bwidth soft\u00adhyphen", "zerowidth softhyphen"),
        ("Mu\u0308ller", "Müller"),
        ("3 × 4 cm – “x”", "3 × 4 cm – “x”"),
        ("", ""),
    ],
)
def test_cleaning(caption: str, cleaned: str) -> None:
    assert views.clean_caption(caption) == cleaned


@pytest.mark.parametrize("column", ["modality", "region", "direction"])
def test_labels_are_integers_and_say_where_there_is_none(column: str, train: Any, raw: RawRelease) -> None:
    released = {image.id: getattr(image, column) for image in raw.splits["train"]}
    made = views.classification(train, column)
    assert made.features == datasets.Features(image=datasets.Image(), label=datasets.Value("int64"))
    names = views.label_names(column)
    labels: dict[str, Iterable[str]] = {
        "modality": rocov2.MODALITIES,
        "region": rocov2.REGIONS,
        "direction": rocov2.DIRECTIONS,
    }
    assert names == [*labels[column]]
    given = [None if row["label"] == -100 else names[row["label"]] for row in plain_rows(made)]
    assert given == [released[row["image_id"]] for row in plain_rows(train)]
    assert (None in given) == (column != "modality")


@pytest.mark.torch
def test_labels_make_integer_batches_that_losses_take(train: Any) -> None:
    torch = pytest.importorskip("torch")
    labels = views.classification(train, "region").select_columns(["label"]).with_format("torch")
    batch = next(iter(torch.utils.data.DataLoader(labels, batch_size=24)))["label"]
    assert batch.dtype == torch.int64
    assert torch.nn.functional.cross_entropy(torch.zeros(24, 8), batch).item() == pytest.approx(np.log(8))


@pytest.mark.parametrize("column", ["cuis", "manual_cuis"])
def test_multi_hot_has_a_one_for_each_concept_of_the_vocabulary(column: str, train: Any) -> None:
    made = views.multi_hot(train, VOCABULARY, column)
    assert list(made.features) == [*train.features, "labels"]
    assert made.features["labels"] == datasets.List(datasets.Value("float32"), length=3)
    for row, before in zip(plain_rows(made), plain_rows(train), strict=True):
        assert row.pop("labels") == [float(cui in before[column]) for cui in VOCABULARY]
        assert row == before


@pytest.mark.parametrize("column", ["cuis", "manual_cuis"])
def test_multi_task_has_every_target_with_masks(column: str, train: Any) -> None:
    made = views.multi_task(train, VOCABULARY, column, keep=["image_id"])
    float32, int64, flag = datasets.Value("float32"), datasets.Value("int64"), datasets.Value("bool")
    assert list(made.features.items()) == [
        ("image", datasets.Image()),
        ("image_id", datasets.Value("string")),
        ("caption", datasets.Value("string")),
        ("concepts", datasets.List(float32, length=3)),
        *((name, int64) for name in ("modality", "region", "direction")),
        *((name, flag) for name in ("region_mask", "direction_mask")),
    ]
    rows = plain_rows(made)
    for row, before in zip(rows, plain_rows(train), strict=True):
        assert row == {
            "image": before["image"],
            "image_id": before["image_id"],
            "caption": before["caption"],
            "concepts": [float(cui in before[column]) for cui in VOCABULARY],
            "modality": before["modality"],
            "region": -100 if before["region"] is None else before["region"],
            "direction": -100 if before["direction"] is None else before["direction"],
            "region_mask": before["region"] is not None,
            "direction_mask": before["direction"] is not None,
        }
    assert {row["region_mask"] for row in rows} == {row["direction_mask"] for row in rows} == {True, False}
    cleaned = plain_rows(views.multi_task(train, VOCABULARY, clean=True))
    assert [row["caption"] for row in cleaned] == [views.clean_caption(row["caption"]) for row in rows]


def test_the_vocabulary_is_in_the_order_of_labels(built: Path) -> None:
    rows = rocov2.load(built, "vocabulary", split="vocabulary").to_list()
    assert views.read_vocabulary(built, minimum=0) == [row["cui"] for row in rows]
    assert views.read_vocabulary(built) == [row["cui"] for row in rows if row["train"]]
    assert views.read_vocabulary(built, minimum=7) == [row["cui"] for row in rows if row["train"] >= 7]
    manual = {cui for names in (rocov2.MODALITIES, rocov2.REGIONS, rocov2.DIRECTIONS) for cui in names.values()}
    assert views.read_vocabulary(built, "manual_cuis") == [cui for cui in views.read_vocabulary(built) if cui in manual]


# Columns that are kept.


@pytest.mark.parametrize(
    "view",
    [
        views.captioning,
        functools.partial(views.captioning, clean=True),
        views.image_text,
        views.classification,
        views.to_messages,
        views.to_prompt_completion,
        views.to_sharegpt,
    ],
)
def test_columns_are_kept_beside_those_of_the_view(view: Any, train: Any) -> None:
    columns = ["image_id", "license", "region"]
    made = view(train, keep=columns)
    assert made.features == view(train).features | {column: train.features[column] for column in columns}
    for row, alone, before in zip(plain_rows(made), plain_rows(view(train)), plain_rows(train), strict=True):
        assert row == alone | {column: before[column] for column in columns}


# Rows without a value.

NULLS: list[tuple[str, Any, str, Callable[[Any], Any]]] = [
    ("caption", None, "caption is null", views.captioning),
    ("caption", None, "caption is null", lambda d: views.captioning(d, clean=True)),
    ("caption", None, "caption is null", views.image_text),
    ("caption", None, "caption is null", views.to_messages),
    ("caption", None, "caption is null", lambda d: views.to_prompt_completion(d, "Why?")),
    ("caption", None, "caption is null", lambda d: views.to_sharegpt(d, on_marker="escape")),
    ("caption", None, "caption is null", lambda d: views.multi_task(d, VOCABULARY)),
    ("concept_names", None, "concept_names is null", lambda d: views.image_text(d, "concepts")),
    (
        "concept_names",
        ["CT", None],
        "concept_names is a list with null",
        lambda d: views.to_messages(d, None, "concepts"),
    ),
    ("cuis", None, "cuis is null", lambda d: views.multi_hot(d, VOCABULARY)),
    ("cuis", [None, "C0040405"], "cuis is a list with null", lambda d: views.multi_task(d, VOCABULARY)),
    ("manual_cuis", None, "manual_cuis is null", lambda d: views.multi_hot(d, VOCABULARY, "manual_cuis")),
    ("modality", None, "modality is null", views.classification),
    ("modality", None, "modality is null", lambda d: views.to_messages(d, target="modality")),
    ("modality", None, "modality is null", lambda d: views.multi_task(d, VOCABULARY)),
    ("modality", -1, "modality is -1, expected 0 to 6", lambda d: views.image_text(d, "modality")),
    ("region", -1, "region is -1, expected 0 to 7", lambda d: views.classification(d, "region")),
]


@pytest.mark.parametrize("streaming", [False, True], ids=["map-style", "streaming"])
@pytest.mark.parametrize(
    ("column", "value", "fault", "view"), NULLS, ids=[f"{n}-{case[2]}" for n, case in enumerate(NULLS)]
)
def test_a_row_without_a_value_is_named(
    column: str, value: Any, fault: str, view: Callable[[Any], Any], streaming: bool, loaded: Any
) -> None:
    rows = loaded.with_format("arrow")[:5].to_pylist()
    id = rows[3]["image_id"]
    rows[3][column] = value
    table = pa.Table.from_pylist(rows, schema=loaded.features.arrow_schema)
    spoilt: Any = datasets.Dataset(table).cast(loaded.features)
    if streaming:
        spoilt = spoilt.to_iterable_dataset()
    with pytest.raises(ValueError, match=f"^{id}: {fault}: leave that row out ") as told:
        plain_rows(view(spoilt))
    assert "rocov2_tasks.subsets.drop_images" in str(told.value)
    assert len(plain_rows(view(subsets.drop_images(spoilt, id)))) == 4


def test_one_of_several_prompts_needs_an_id(train: Any) -> None:
    plain = train.cast_column("image", datasets.Image(decode=False))
    nameless = plain.map(lambda row: row | {"image_id": None}, features=plain.features)
    with pytest.raises(ValueError, match=r"^a row without image_id .*: image_id is null: leave that row out, or"):
        plain_rows(views.to_messages(nameless))
    assert len(plain_rows(views.to_messages(nameless, "Why?"))) == 24


def test_a_row_without_a_value_and_an_id_is_shown(train: Any) -> None:
    nameless = train.select_columns(["image", "modality"]).cast_column("image", datasets.Image(decode=False))
    none = nameless.map(lambda row: row | {"modality": None}, features=nameless.features)
    with pytest.raises(ValueError, match=r"^a row without image_id .*: modality is null: leave that row out, or"):
        plain_rows(views.classification(none))


# What is refused.

REFUSALS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda d: views.to_messages(d, ""), "prompt: '' is blank or not valid text"),
    (lambda d: views.to_messages(d, " \n"), "prompt: ' \\n' is blank or not valid text"),
    (lambda d: views.to_messages(d, "a\udcff"), r"prompt: 'a\udcff' is blank or not valid text"),
    (
        lambda d: views.to_messages(d, []),
        "prompt=[]: expected a text, a list of them, or None for the built-in ones",
    ),
    (
        lambda d: views.to_messages(d, ["x", cast(str, 3)]),
        "prompt=['x', 3]: expected a text, a list of them, or None for the built-in ones",
    ),
    (
        lambda d: views.to_messages(d, cast(Any, {"x"})),
        "prompt={'x'}: a set has no order: expected a text, a list of them, or None for the built-in ones",
    ),
    (
        lambda d: views.to_sharegpt(d, "<image>Why?"),
        "prompt: '<image>Why?' contains <image>, which trainers do not read as text (the image is inserted without it): "
        "leave it out",
    ),
    (
        lambda d: views.to_prompt_completion(d, "Why?<|im_end|>", on_marker="escape"),
        "prompt: 'Why?<|im_end|>' contains <|im_end|>, which trainers do not read as text (the image is inserted without "
        "it): leave it out",
    ),
    (lambda d: views.to_messages(d, on_marker="skip"), "on_marker='skip': expected one of raise, escape"),
    (lambda d: views.to_messages(d, target="x"), "target='x': expected one of caption, concepts, modality"),
    (
        lambda d: views.to_messages(d, target=cast(str, ["caption"])),
        "target=['caption']: expected one of caption, concepts, modality",
    ),
    (lambda d: views.to_messages(d, clean=cast(bool, "no")), "clean='no': expected True or False"),
    (lambda d: views.captioning(d, keep=cast(Any, None)), "keep=None: expected names of columns"),
    (lambda d: views.captioning(d, keep=cast(Any, 3)), "keep=3: expected names of columns"),
    (lambda d: views.to_messages(d, seed=-1), "seed=-1: expected an integer of at least 0"),
    (lambda d: views.classification(d, "cuis"), "column='cuis': expected one of modality, region, direction"),
    (lambda d: views.label_names("x"), "column='x': expected one of modality, region, direction"),
    (lambda d: views.multi_hot(d, VOCABULARY, "region"), "column='region': expected one of cuis, manual_cuis"),
    (
        lambda d: views.multi_hot(d, []),
        "vocabulary=[]: expected a list of CUIs in the order of their labels, as read_vocabulary() returns",
    ),
    (
        lambda d: views.multi_hot(d, cast(Any, {"C0040405"})),
        "vocabulary={'C0040405'}: a set has no order: expected a list of CUIs in the order of their labels, as "
        "read_vocabulary() returns",
    ),
    (
        lambda d: views.multi_hot(d, ["chest"]),
        "vocabulary: 'chest' is not a CUI such as C0040405; read_vocabulary() returns a list of CUIs",
    ),
    (lambda d: views.multi_hot(d, ["C0040405"] * 2), "vocabulary: C0040405 occurs more than once"),
    (
        lambda d: views.multi_hot(views.multi_hot(d, VOCABULARY), VOCABULARY),
        "the dataset already has a column labels: remove or rename it first",
    ),
    (
        lambda d: views.captioning(d.select_columns(["caption"])),
        "missing column image (the configuration text has no images): the dataset has caption",
    ),
    (lambda d: views.captioning(d.select_columns(["image"])), "missing column caption: the dataset has image"),
    (
        lambda d: views.to_messages(d.select_columns(["image", "image_id", "caption"]), keep=["url"]),
        "missing column url: the dataset has image, image_id, caption",
    ),
    (
        lambda d: views.captioning(d, keep=["image_id", "caption"]),
        "keep: the view itself has a column 'caption': leave it out",
    ),
    (
        lambda d: views.image_text(d, keep=cast(Any, {"url"})),
        "keep={'url'}: a set has no order: expected names of columns",
    ),
    (
        lambda d: views.to_messages(d.select_columns(["image", "caption"])),
        "missing column image_id, which chooses one of several prompts: keep it, or pass a single prompt",
    ),
    (
        lambda d: views.captioning(d.remove_columns("caption").rename_column("modality", "caption")),
        "column 'caption' must be a string column, got ClassLabel(names=['CT', 'X-ray', 'MRI', 'ultrasound', 'angiography', "
        "'PET', 'combined'])",
    ),
    (
        lambda d: views.classification(d.remove_columns("modality").rename_column("width", "modality")),
        "column 'modality' must have the labels CT, X-ray, MRI, ultrasound, angiography, PET, combined, got "
        "Value('int32')",
    ),
]


@pytest.mark.parametrize(("call", "message"), REFUSALS, ids=[message[:40] for _, message in REFUSALS])
def test_wrong_requests(train: Any, call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        call(train)


@pytest.mark.parametrize("view", [views.to_messages, views.to_prompt_completion, views.to_sharegpt])
def test_the_views_of_turns_take_the_same_options(view: Callable[..., Any]) -> None:
    parameters = inspect.signature(view).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == {
        "dataset": inspect.Parameter.empty,
        "prompt": None,
        "target": "caption",
        "seed": 0,
        "clean": False,
        "keep": (),
        "on_marker": "raise",
    }
    assert getattr(views, view.__name__) is view
    assert str(view.__doc__).startswith("Return columns ")


def test_one_prompt_needs_no_id(train: Any) -> None:
    made = views.to_messages(train.select_columns(["image", "caption"]), "Why?")
    assert plain_rows(made) == plain_rows(views.to_messages(train, "Why?"))


def test_what_is_no_dataset_is_refused(built: Path) -> None:
    for call in (views.captioning, subsets.filter_commercial, subsets.split_by_article):
        with pytest.raises(TypeError, match="got list"):
            call([])


def test_a_stream_that_does_not_know_its_columns_is_refused(built: Path) -> None:
    stream = rocov2.load(built, split="train", streaming=True).map(lambda row: row)
    with pytest.raises(ValueError, match="the stream does not know its columns"):
        views.captioning(stream.map(lambda row: row, features=None))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "region"}, "column='region': expected one of cuis, manual_cuis"),
        ({"minimum": -1}, "minimum=-1: expected an integer of at least 0"),
        ({"minimum": 999}, "minimum=999: no concept of {root} has that many train images; the most common has {most}"),
    ],
)
def test_wrong_vocabularies(built: Path, options: dict[str, Any], message: str) -> None:
    most = max(rocov2.load(built, "vocabulary", split="vocabulary")["train"])
    expected = re.escape(message.format(root=built, most=most))
    with pytest.raises(ValueError, match=f"^{expected}$"):
        views.read_vocabulary(built, **options)
