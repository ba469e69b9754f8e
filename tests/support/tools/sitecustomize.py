"""Records the batches that a trainer trains on, whatever its command starts: Python imports this by itself at its start.

With `RECORD` naming a file, every call of `transformers.Trainer.training_step` appends its rows to that file, a line of
JSON each: `answer`, the text that the loss is on; `text`, all of it; `pixels`, a hash of what the model sees of the image,
None where it sees none. `MODEL` names the folder of the model, by whose tokenizer texts are spelled.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

MODULE = "transformers.trainer"


def hash_pixels(pixels: Any) -> str:
    """Hash of one image's tensor of floats, rounded: libraries differ in the last bits."""
    return hashlib.sha256((pixels.float() * 1000).round().to(int).numpy().tobytes()).hexdigest()


@cache
def load_tokenizer() -> Any:
    """The model's."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(os.environ["MODEL"])


def record(inputs: dict[str, Any]) -> None:
    """Append the rows of a batch."""
    tokenizer = load_tokenizer()
    pixels = inputs.get("pixel_values")
    with open(os.environ["RECORD"], "a") as file:
        for number, (tokens, labels) in enumerate(zip(inputs["input_ids"], inputs["labels"], strict=True)):
            row = {
                "answer": tokenizer.decode(labels[labels >= 0]),
                "text": tokenizer.decode(tokens[tokens != tokenizer.pad_token_id]),
                "pixels": None if pixels is None else hash_pixels(pixels[number]),
            }
            file.write(json.dumps(row) + "\n")


class Recorder(MetaPathFinder):
    """Puts `record` before `Trainer.training_step` when its module is imported."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if name != MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def execute_and_record(module: Any) -> None:
            execute(module)
            step = module.Trainer.training_step

            def training_step(trainer: Any, model: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
                record(inputs)
                return step(trainer, model, inputs, *arguments, **options)

            module.Trainer.training_step = training_step

        spec.loader.exec_module = execute_and_record  # type: ignore[method-assign]
        return spec


if "RECORD" in os.environ:
    sys.meta_path.insert(0, Recorder())
