"""A LLaVA of two layers with random weights: stands in for a real model, on a CPU and without a network.

    python examples/tiny_llava.py model --captions rocov2

writes it and its processor into a folder as `save_pretrained` does. It learns nothing of use: with it a trainer's whole way
from the data to a step can be tried in seconds. Needs torch and transformers; tried with transformers 5.6 to 5.24.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)

SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
IMAGE_TOKEN = "<image>"  # noqa: S105
TEMPLATE = (
    "{% for message in messages %}{{ message['role'].upper() }}: {% if message['content'] is string %}"
    "{{ message['content'] }}{% else %}{% for block in message['content'] %}{% if block['type'] == 'image' %}<image>\n"
    "{% else %}{{ block['text'] }}{% endif %}{% endfor %}{% endif %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT: {% endif %}"
)


def tiny_model(texts: list[str]) -> tuple[Any, Any]:
    """A LLaVA of two layers with random weights, and a processor with a tokenizer of `texts`.

    A real one instead: `AutoModelForImageTextToText.from_pretrained(name)` and `AutoProcessor.from_pretrained(name)`.
    """
    tokens = Tokenizer(models.BPE(unk_token=SPECIAL["unk_token"]))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokens.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=[*SPECIAL.values(), IMAGE_TOKEN],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokens.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokens, **SPECIAL)
    tokenizer.add_special_tokens({"additional_special_tokens": [IMAGE_TOKEN]})
    side, patch = 28, 14
    pictures = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    processor = LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        image_token=IMAGE_TOKEN,
        num_additional_image_tokens=1,
    )
    small: dict[str, int] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=side, patch_size=patch, **small),
        text_config=LlamaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **small),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    return LlavaForConditionalGeneration(config), processor


def main() -> None:
    """Write the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder to write")
    parser.add_argument(
        "--captions", type=Path, default=Path("rocov2"), help="built repository whose captions it can spell"
    )
    arguments = parser.parse_args()
    captions = pq.read_table(arguments.captions / "text" / "train.parquet", columns=["caption"])["caption"].to_pylist()
    for part in tiny_model(captions[:1000]):
        part.save_pretrained(arguments.model)


if __name__ == "__main__":
    main()
