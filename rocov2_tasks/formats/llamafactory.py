"""The format of LLaMA-Factory: `dataset_info.json`, and conversations with images in Parquet.

Images are plain columns of bytes and path, not of the feature `Image`: LLaMA-Factory opens them this way, and its own `map`
over decoded images would encode them again, with other pixels. It ignores columns that `dataset_info.json` does not name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rocov2_shared.errors import UserError
from rocov2_tasks.formats.format import CREDIT, ExportOptions, Format
from rocov2_tasks.shaping.markers import RAISE, Marked, describe_marked, escape_markers, find_marked

if TYPE_CHECKING:
    import pyarrow as pa

DATASET_INFO = "dataset_info.json"
"""File that LLaMA-Factory looks for in its `dataset_dir`."""


def write_llamafactory(
    folder: Path, split: str, shards: Iterator[Iterator[pa.Table]], options: ExportOptions
) -> Marked:
    """Write `SPLIT/00000.parquet` and so on, and an entry `rocov2_SPLIT` of `dataset_info.json`.

    Raises:
        UserError: a caption contains a marker of trainers, and `on_marker` is `raise`.
    """
    import pyarrow.parquet as pq

    from rocov2_tasks.shaping.prompts import check_prompts

    prompts = check_prompts(tuple(options.prompts) or None, "caption")
    schema = _schema()
    escaped: Marked = []
    (folder / split).mkdir()
    for number, shard in enumerate(shards):
        with pq.ParquetWriter(
            folder / split / f"{number:05d}.parquet", schema, compression="none", use_dictionary=False
        ) as writer:
            for table in shard:
                marked = _find_marked(table, options.on_marker)
                writer.write_table(_converse(table, prompts, options.seed, schema))
                escaped += marked
    path = folder / DATASET_INFO
    known = json.loads(path.read_bytes()) if path.exists() else {}
    entry = {
        "file_name": split,
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "images": "images"},
    }
    path.write_text(json.dumps(known | {f"rocov2_{split}": entry}, indent=1) + "\n")
    return escaped


def _schema() -> pa.Schema:
    """Return the columns of a file: texts, turns of the conversation, images as bytes and path."""
    import pyarrow as pa

    turn = pa.struct([("from", pa.string()), ("value", pa.string())])
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.schema(
        [
            *((name, pa.string()) for name in ("image_id", *CREDIT)),
            ("conversations", pa.list_(turn)),
            ("images", pa.list_(image)),
        ]
    )


def _find_marked(table: pa.Table, on_marker: str) -> Marked:
    marked = find_marked(table["caption"].to_pylist(), table["image_id"].to_pylist())
    if marked and on_marker == RAISE:
        raise UserError(
            f"{describe_marked(marked)}; run again with --on-marker escape, which puts a blank after the first character of "
            "a marker"
        )
    return marked


def _converse(table: pa.Table, prompts: tuple[str, ...], seed: int, schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    from rocov2_tasks.shaping.prompts import choose_prompt
    from rocov2_tasks.shaping.shapes import sharegpt_turns

    images = table["image"].combine_chunks()
    conversations = [
        sharegpt_turns(choose_prompt(prompts, image_id, seed), escape_markers(caption))
        for image_id, caption in zip(table["image_id"].to_pylist(), table["caption"].to_pylist(), strict=True)
    ]
    return pa.Table.from_arrays(
        [
            *(table[name].combine_chunks() for name in ("image_id", *CREDIT)),
            pa.array(conversations, schema.field("conversations").type),
            pa.ListArray.from_arrays(
                pa.array(range(len(images) + 1), pa.int32()), images.cast(schema.field("images").type.value_type)
            ),
        ],
        schema=schema,
    )


FORMAT = Format("llamafactory", "conversations for LLaMA-Factory", write_llamafactory, asks=True, chats=True)
