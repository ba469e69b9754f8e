"""Plans -> tasks. Each task contains its own slice of the tables, so workers need nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from rocov2 import CONFIGS, SPLITS, VOCABULARY_SPLIT, scaled_path
from rocov2_build.raw.release import RawRelease
from rocov2_build.raw.rows import MEASURED
from rocov2_build.shards.concept_table import count_concepts
from rocov2_build.shards.mini import plan_mini
from rocov2_build.shards.plan import Layout, Shard
from rocov2_build.worker.parquet import repository_schema
from rocov2_build.worker.task import (
    CheckTask,
    FileFacts,
    MiniTask,
    Scaling,
    ShardTask,
    TableTask,
    Task,
    TextTask,
    serialize,
)

_CHECKED_AT_ONCE = 1000


def config_schema(config: str) -> pa.Schema:
    """Return the Arrow schema of the files of a configuration."""
    features = CONFIGS[config].features
    return repository_schema(features.arrow_schema, features.to_dict())


def shard_tasks(
    raw: RawRelease, rows: pd.DataFrame, shards: list[Shard], verify: str, small: int | None
) -> Iterator[ShardTask]:
    """Yield a task for each shard of images, made when it is requested, so that few are in memory at once.

    Args:
        raw: the release.
        rows: all rows.
        shards: their plan.
        verify: how images are checked, a value of `Verification`.
        small: shorter side of the scaled pictures in pixels, None for no `small`.
    """
    schema = config_schema("default")
    known = pa.schema([field for field in schema if field.name != "image" and field.name not in MEASURED])
    for shard in shards:
        images = raw.images[shard.split]
        part = rows.iloc[shard.rows]
        yield ShardTask(
            path=shard.path,
            schema=schema.serialize().to_pybytes(),
            rows=serialize(pa.Table.from_pandas(part[known.names], schema=known, preserve_index=False)),
            row_groups=tuple(map(len, shard.row_groups)),
            source=str(images.path),
            members=tuple(images.members[image_id] for image_id in part["image_id"]),
            verify=verify,
            scaling=Scaling(scaled_path(shard.path), small) if small else None,
        )


def mini_tasks(rows: pd.DataFrame, shards: list[Shard], layout: Layout, images: list[FileFacts]) -> list[MiniTask]:
    """Return the tasks for the files of `mini`, from the files with scaled pictures among `images`; none without those."""
    hashes = {file.scaled.path: file.scaled.sha256 for file in images if file.scaled}
    if not hashes:
        return []
    schema = config_schema("mini").serialize().to_pybytes()
    return [
        MiniTask(
            mini.path,
            schema,
            tuple((path, hashes[path], numbers) for path, numbers in mini.rows.items()),
            mini.row_groups,
        )
        for mini in plan_mini(rows, shards, layout)
    ]


def table_tasks(raw: RawRelease, rows: pd.DataFrame, images: list[FileFacts]) -> list[Task]:
    """Return the tasks for the files without images: the text of each split, from its shards `images`; the vocabulary."""
    text = config_schema("text").serialize().to_pybytes()
    by_split = {
        split: tuple((file.path, file.sha256) for file in images if CONFIGS["default"].split_of(file.path) == split)
        for split in SPLITS
    }
    vocabulary = config_schema("vocabulary")
    return [
        *(TextTask(CONFIGS["text"].files(split), text, shards) for split, shards in by_split.items() if shards),
        TableTask(
            CONFIGS["vocabulary"].files(VOCABULARY_SPLIT),
            vocabulary.serialize().to_pybytes(),
            serialize(count_concepts(rows, raw.names, vocabulary)),
        ),
    ]


def check_tasks(raw: RawRelease, verify: str) -> list[CheckTask]:
    """Return the tasks that inspect every image of a release without writing anything."""
    tasks = []
    for images in raw.images.values():
        by_offset = sorted(images.members.items(), key=lambda item: item[1].offset)
        for start in range(0, len(by_offset), _CHECKED_AT_ONCE):
            ids, members = zip(*by_offset[start : start + _CHECKED_AT_ONCE], strict=True)
            tasks.append(CheckTask(f"{images.path.name}[{start}]", str(images.path), ids, members, verify))
    return tasks
