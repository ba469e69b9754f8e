"""The format of VLMEvalKit: one tab-separated table per split, with the images in base64."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rocov2_tasks.formats.format import CREDIT, ExportOptions, Format
from rocov2_tasks.shaping.markers import Marked

if TYPE_CHECKING:
    import pyarrow as pa

HEADER = ("index", "image", "question", "answer", "category", "image_id", *CREDIT)


def write_vlmevalkit(folder: Path, split: str, shards: Iterator[Iterator[pa.Table]], options: ExportOptions) -> Marked:
    """Write `ROCOv2_SPLIT.tsv`: index from 0, image, question, answer, category (the modality), image_id and `CREDIT`.

    `answer` is a Python list that contains only the caption: VLMEvalKit's caption task evaluates it as an expression.
    """
    from rocov2 import FEATURES
    from rocov2_tasks.shaping.prompts import check_prompts, choose_prompt

    prompts = check_prompts(tuple(options.prompts) or None, "caption")
    names = FEATURES["modality"].names
    index = 0
    with (folder / f"ROCOv2_{split}.tsv").open("w", encoding="utf-8", newline="") as file:
        file.write("\t".join(HEADER) + "\n")
        # Quote every field: csv of Python 3.12 and older does not quote a carriage return, and pandas ends a row there.
        rows = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL)
        for table in (table for shard in shards for table in shard):
            images = table["image"].combine_chunks().field("bytes")
            texts = table.select(["image_id", "caption", "modality", *CREDIT])
            for image, row in zip(images, texts.to_pylist(), strict=True):
                question = choose_prompt(prompts, row["image_id"], options.seed)
                # Base64 needs no quotes, and csv would inspect every letter of it.
                file.write(f"{index}\t{base64.b64encode(image.as_py()).decode()}\t")
                category, credit = names[row["modality"]], (row[name] for name in CREDIT)
                rows.writerow((question, repr([row["caption"]]), category, row["image_id"], *credit))
                index += 1
    return []


FORMAT = Format("vlmevalkit", "tables for VLMEvalKit", write_vlmevalkit, asks=True)
