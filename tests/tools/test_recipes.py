"""The recipes of docs/recipes.md, and that for transformers, give what is in the repository: counts, images byte for byte.

Recipes in blocks of the kind `python recipes` need what the extra `recipes` installs: `make test-recipes` runs them.
A block of the kind `python torch` needs torch: `make test-torch`.
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from rocov2 import MODALITIES
from rocov2_commands.verbs import VERBS
from rocov2_tasks.metrics import concept_f1
from tests.conftest import Run
from tests.support.blocks import RECIPES, find_blocks, run_block
from tests.support.raw import make_raw
from tests.support.repositories import all_rows, images_by_id

pytestmark = pytest.mark.slow

CHEST = "C0817096"
RESULTS = {
    "DuckDB": {
        "concepts": "{cui: [name, images] for cui, name, images in concepts}",
        "modalities": "dict(modalities)",
        "chest": "{path.name.removesuffix('.jpg'): hashed(path.read_bytes()) for path in Path('chest').iterdir()}",
    },
    "Polars": {
        "concepts": "dict(concepts.rows())",
        "modalities": "modalities.rows()",
        "regions": "dict(text.group_by('region').len().collect().rows())",
        "chest": "{image_id: hashed(jpeg) for image_id, jpeg in chest.rows()}",
    },
    "Dask": {
        "concepts": "concepts.to_dict()",
        "modalities": "modalities.to_dict()",
        "hashes": "hashes.to_dict()",
    },
    "Spark": {
        "concepts": "{row['cui']: row['count'] for row in concepts}",
        "modalities": "{row['name']: row['count'] for row in modalities}",
        "chest": "{path.name.removesuffix('.jpg'): hashed(path.read_bytes()) for path in Path('chest').iterdir()}",
        "hashes": "hashes",
    },
    "Ray Data": {
        "concepts": "{row['cui']: row['count()'] for row in concepts}",
        "ids": "[id for batch in batches for id in batch['image_id']]",
        "pixels": "[hashed(image.tobytes()) for batch in batches for image in batch['pixels']]",
        "shapes": "[[str(batch['pixels'].dtype), *batch['pixels'].shape] for batch in batches]",
    },
    "Lance": {
        "ids": "train.to_table(columns=['image_id'])['image_id'].to_pylist()",
        "all": "{row['image_id']: hashed(row['image']['bytes']) for row in train.to_table().to_pylist()}",
        "some": "[[row['image_id'], hashed(row['image']['bytes'])] for row in some]",
        "chest": "{row['image_id']: hashed(row['image']['bytes']) for row in chest}",
        "plan": "query.explain_plan()",
        "metadata": "[key.decode() for key in train.schema.metadata]",
    },
    "transformers: labels and concepts": {
        "vocabulary": "vocabulary",
        "batches": "[to_batch([row])['labels'].tolist()[0] for row in train]",
        "shape": "list(to_batch([row for row in train])['pixel_values'].shape)",
        "trained": "[trainer.state.global_step, trainer.state.log_history[-1]['train_loss']]",
        "logits": "logits.tolist()",
        "predictions": "predictions",
        "score": "score",
    },
    "transformers: the stream for pre-training": {
        "orders": "[[batch['image_id'] for batch in (stream.set_epoch(epoch), stream)[1]] for epoch in range(2)]",
        "whole": "record()",
        "resumed": "record(resume_from_checkpoint='trained/checkpoint-3')",
        "step": "again.state.global_step",
    },
    "Several tasks at once": {
        "before": "before",
        "after": "after",
        "layers": "[type(layer).__name__ for layer in model.body if isinstance(layer, torch.nn.Conv2d)]",
    },
    "open_clip": {
        "pairs": "[[text, hashed(image.tobytes())] for images, texts in batches for image, text in zip(images, texts)]",
        "sizes": "[len(texts) for images, texts in batches]",
        "jpegs": "{row['__key__']: hashed(row['jpg'])"
        " for row in wds.WebDataset([f'tars/{name}' for name in sizes], shardshuffle=False)}",
    },
}
"""By heading, and by a name: the expression, over the variables of the recipe, that is looked at."""
MORE = {
    "transformers: the stream for pre-training": """
class Recorder(Model):
    def forward(self, pixel_values, image_ids):
        seen.append(image_ids)
        return super().forward(pixel_values, image_ids)


def record(**options):
    global seen
    seen = []
    StreamTrainer(model=Recorder(), args=settings, callbacks=[NewOrder()]).train(**options)
    return seen
"""
}
"""By heading: what the expressions need beside the recipe."""
TOOLS = {
    "Spark": "pyspark",
    "Ray Data": "ray",
    "Lance": "lance",
    "transformers: labels and concepts": "transformers",
    "transformers: the stream for pre-training": "transformers",
}
"""The package of a recipe that only `make test-recipes` installs."""
WITH_TORCH = "Several tasks at once"
OWN = {" trainers", " energon"}
"""Kinds of blocks that other modules run."""

Results = dict[str, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several shards of several row groups; in some rows a concept stands twice, as it may in a release."""
    raw = make_raw(train=42)
    for image in raw.splits["train"][:20:3]:
        image.cuis.append(image.cuis[0])
    return raw.build(tmp_path_factory.mktemp("built") / "rocov2", shard=9_000, row_group=3_000)


@pytest.fixture(scope="module")
def rows(built: Path) -> list[dict[str, Any]]:
    """Rows of train, in file order; an image is its path and SHA-256."""
    return all_rows(built)["default"]["train"]


@pytest.fixture
def cook(built: Path, tmp_path: Path, environment: dict[str, str], run: Run) -> Callable[[str], Results]:
    """Run a recipe of the page in a folder with the repository in rocov2/, and give its results."""

    def cook(heading: str) -> Results:
        tool = TOOLS.get(heading)
        if tool is not None and importlib.util.find_spec(tool) is None:
            pytest.skip(f"{tool} is not installed: make test-recipes")
        if heading == WITH_TORCH:
            pytest.importorskip("torch", reason="torch is not installed: make test-torch")
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "rocov2").symlink_to(built)
        for line in "".join(find_blocks(RECIPES[heading], "sh")).splitlines():
            command, verb, *arguments = shlex.split(line)
            assert command == "rocov2"
            done = run(Path(VERBS[verb].alias).stem, *arguments, cwd=folder)
            assert done.returncode == 0, done.stderr
        kind = "python torch" if heading == WITH_TORCH else "python recipes" if tool else "python"
        (block,) = find_blocks(RECIPES[heading], kind)
        wanted = ", ".join(f"{name!r}: {expression}" for name, expression in RESULTS[heading].items())
        look = (
            f"{MORE.get(heading, '')}\n"
            "import hashlib, json\n"
            "def hashed(data):\n    return hashlib.sha256(data).hexdigest()\n"
            f"with open('results.json', 'w') as file:\n    json.dump({{{wanted}}}, file)\n"
        )
        # A home of its own: Ray writes a token there.
        run_block(f"{block}\n{look}", folder, environment | {"HOME": str(tmp_path)})
        results: Results = json.loads((folder / "results.json").read_text())
        return results

    return cook


@pytest.fixture(scope="module")
def concepts(built: Path) -> dict[str, int]:
    """Images of train by concept, as the configuration `vocabulary` states them."""
    table = pq.read_table(built / "vocabulary" / "vocabulary.parquet").to_pylist()
    return {row["cui"]: row["train"] for row in table if row["train"]}


@pytest.fixture(scope="module")
def modalities(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["modality"] for row in rows)


@pytest.fixture(scope="module")
def hashes(built: Path, rows: list[dict[str, Any]]) -> dict[str, str]:
    """SHA-256 of the JPEG of each image of train, by id."""
    images = images_by_id(built)
    return {row["image_id"]: sha256(images[row["image_id"]]).hexdigest() for row in rows}


@pytest.fixture(scope="module")
def chest(rows: list[dict[str, Any]], hashes: dict[str, str]) -> dict[str, str]:
    """The same of the images that have the concept."""
    found = {row["image_id"]: hashes[row["image_id"]] for row in rows if CHEST in row["cuis"]}
    assert 0 < len(found) < len(rows)
    return found


@pytest.fixture(scope="module")
def pixels(built: Path, rows: list[dict[str, Any]]) -> Callable[[str], str]:
    """SHA-256 of the pixels of an image as both recipes that decode make them."""
    images = images_by_id(built)

    def hash_pixels(id: str) -> str:
        picture = Image.open(io.BytesIO(images[id])).convert("RGB").resize((224, 224))
        return sha256(picture.tobytes()).hexdigest()

    return hash_pixels


def test_every_recipe_is_looked_at() -> None:
    kinds = {heading: set(re.findall(r"^```python(.*)$", text, re.MULTILINE)) for heading, text in RECIPES.items()}
    assert {heading for heading, found in kinds.items() if found - OWN} == set(RESULTS)
    assert {heading for heading, found in kinds.items() if " recipes" in found} == set(TOOLS)


def test_duckdb(
    cook: Callable[[str], Results],
    rows: list[dict[str, Any]],
    concepts: dict[str, int],
    modalities: Counter[str],
    chest: dict[str, str],
) -> None:
    results = cook("DuckDB")
    names = {cui: name for row in rows for cui, name in zip(row["cuis"], row["concept_names"], strict=True)}
    assert results["concepts"] == {cui: [names[cui], images] for cui, images in concepts.items()}
    assert results["modalities"] == modalities
    assert results["chest"] == chest


def test_polars(
    cook: Callable[[str], Results],
    rows: list[dict[str, Any]],
    concepts: dict[str, int],
    modalities: Counter[str],
    chest: dict[str, str],
) -> None:
    results = cook("Polars")
    assert results["concepts"] == concepts
    assert results["modalities"] == [[name, modalities[name]] for name in MODALITIES if modalities[name]]
    assert results["regions"] == Counter("null" if row["region"] is None else row["region"] for row in rows)
    assert results["chest"] == chest


def test_dask(
    cook: Callable[[str], Results], concepts: dict[str, int], modalities: Counter[str], hashes: dict[str, str]
) -> None:
    results = cook("Dask")
    assert results["concepts"] == concepts
    assert results["modalities"] == modalities
    assert results["hashes"] == hashes


@pytest.mark.recipes
def test_spark(
    cook: Callable[[str], Results],
    concepts: dict[str, int],
    modalities: Counter[str],
    hashes: dict[str, str],
    chest: dict[str, str],
) -> None:
    results = cook("Spark")
    assert results["concepts"] == concepts
    assert results["modalities"] == modalities
    assert results["chest"] == chest
    assert results["hashes"] == hashes


@pytest.mark.recipes
def test_transformers(
    cook: Callable[[str], Results], built: Path, rows: list[dict[str, Any]], concepts: dict[str, int]
) -> None:
    results = cook("transformers: labels and concepts")
    vocabulary = results["vocabulary"]
    assert set(vocabulary) == {cui for cui, images in concepts.items() if images >= 2}
    assert results["batches"] == [[float(cui in row["cuis"]) for cui in vocabulary] for row in rows]
    assert results["shape"] == [len(rows), 3, 32, 32]
    steps, loss = results["trained"]
    assert steps == -(-len(rows) // 8)
    assert 0 < loss < 2
    references = {row["image_id"]: row["cuis"] for row in all_rows(built)["default"]["test"]}
    assert list(results["predictions"]) == list(references)
    for logits, found in zip(results["logits"], results["predictions"].values(), strict=True):
        assert found == [cui for cui, logit in zip(vocabulary, logits, strict=True) if logit > 0]
    assert results["score"] == concept_f1(results["predictions"], references)


@pytest.mark.recipes
def test_transformers_with_the_stream(cook: Callable[[str], Results], rows: list[dict[str, Any]]) -> None:
    results = cook("transformers: the stream for pre-training")
    first, second = results["orders"]
    assert first != second
    assert len(first) == len(second) == len(rows) // 4
    assert results["whole"] == first + second
    assert results["resumed"] == results["whole"][3:]
    assert results["step"] == len(results["whole"])


@pytest.mark.recipes
def test_ray(
    cook: Callable[[str], Results],
    rows: list[dict[str, Any]],
    concepts: dict[str, int],
    pixels: Callable[[str], str],
) -> None:
    results = cook("Ray Data")
    assert results["concepts"] == concepts
    assert sorted(results["ids"]) == sorted(row["image_id"] for row in rows)
    assert results["pixels"] == [pixels(id) for id in results["ids"]]
    assert results["shapes"] == [["uint8", size, 224, 224, 3] for size in (8, 8, 8, 8, 8, 2)]


@pytest.mark.recipes
def test_lance(cook: Callable[[str], Results], hashes: dict[str, str], chest: dict[str, str]) -> None:
    results = cook("Lance")
    ids = list(hashes)
    assert results["ids"] == ids
    assert results["all"] == hashes
    assert results["some"] == [[ids[number], hashes[ids[number]]] for number in (5, 3)]
    assert results["chest"] == chest
    assert "ScalarIndexQuery" in results["plan"]
    assert "huggingface" in results["metadata"]


@pytest.mark.torch
def test_several_tasks_are_learned_at_once(cook: Callable[[str], Results]) -> None:
    results = cook(WITH_TORCH)
    assert results["layers"] == ["Conv2d", "Conv2d"]
    assert list(results["before"]) == ["caption", "concepts", "modality", "region", "direction"]
    for head, loss in results["before"].items():
        assert 0 < results["after"][head] <= 0.8 * loss, head


def test_open_clip(
    cook: Callable[[str], Results],
    rows: list[dict[str, Any]],
    hashes: dict[str, str],
    pixels: Callable[[str], str],
) -> None:
    results = cook("open_clip")
    assert sorted(results["pairs"]) == sorted([row["caption"], pixels(row["image_id"])] for row in rows)
    assert results["sizes"] == [8, 8, 8, 8, 8, 2]
    assert results["jpegs"] == hashes
