"""Fine-tune a vision-language model on captions with TRL: two steps of a tiny random LLaVA, on a CPU, without a network.

    python3.11 -m venv trl && trl/bin/pip install torch trl transformers accelerate -e .
    trl/bin/python examples/trl_sft.py rocov2

Tried with trl 1.16.0, transformers 5.24.0, datasets 5.2.0 and torch 2.13.0. The comments say where a real model goes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

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
from trl import SFTConfig, SFTTrainer

import rocov2
from rocov2_tasks.views import to_prompt_completion

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
    """Train, and print the loss of each step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", nargs="?", default="rocov2", help="folder or ORG/NAME (default: rocov2)")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--streaming", action="store_true", help="read on demand")
    arguments = parser.parse_args()

    # Prompt and completion: the loss is then on the caption alone. With to_messages() it is on all tokens, unless the
    # model's chat template marks what the assistant says and assistant_only_loss=True.
    train = rocov2.load(arguments.repository, split="train", streaming=arguments.streaming)
    dataset = to_prompt_completion(train)

    captions = rocov2.load(arguments.repository, "text", split="train", columns=["caption"])["caption"]
    model, processor = tiny_model(list(captions)[:1000])

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,  # a real run keeps it
            max_steps=arguments.steps,  # a stream has no length: needed there
            per_device_train_batch_size=4,
            max_length=None,  # else the tokens of the image may be cut off
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            use_cpu=True,  # left out where there is a GPU
        )
        trainer = SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=processor)
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print(f"{len(losses)} steps, losses {', '.join(f'{float(loss):.3f}' for loss in losses)}")


if __name__ == "__main__":
    main()
