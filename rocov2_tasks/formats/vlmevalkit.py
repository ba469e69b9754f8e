"""The form of VLMEvalKit: one table a split, tab-separated, with the images in base64."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from rocov2 import FEATURES
from rocov2_tasks.formats import CREDIT, Options
from rocov2_tasks.shaping.prompts import check_prompts, choose_prompt

HEADER = ("index", "image", "question", "answer", "category", "image_id", *CREDIT)


def write_vlmevalkit(folder: Path, split: str, shards: Iterator[Iterator[pa.Table]], options: Options) -> None:
    """Write `ROCOv2_SPLIT.tsv`: index from 0, image, question, answer, category (the modality), image_id and `CREDIT`.

    `answer` is a Python list with the caption as its one string: VLMEvalKit's caption task evaluates it as an expression.
    """
    prompts = check_prompts(tuple(options.prompts) or None, "caption")
    names = FEATURES["modality"].names
    index = 0
    with (folder / f"ROCOv2_{split}.tsv").open("w", encoding="utf-8", newline="") as file:
        file.write("\t".join(HEADER) + "\n")
        # All in quotes: csv of Python 3.12 and older puts none around a carriage return, and pandas ends a row there.
        rows = csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL)
        for table in (table for shard in shards for table in shard):
            images = table["image"].combine_chunks().field("bytes")
            texts = table.select(["image_id", "caption", "modality", *CREDIT])
            for image, row in zip(images, texts.to_pylist(), strict=True):
                question = choose_prompt(prompts, row["image_id"], options.seed)
                # Nothing in base64 wants quoting, and csv would look at every letter of it.
                file.write(f"{index}\t{base64.b64encode(image.as_py()).decode()}\t")
                category, credit = names[row["modality"]], (row[name] for name in CREDIT)
                rows.writerow((question, repr([row["caption"]]), category, row["image_id"], *credit))
                index += 1
