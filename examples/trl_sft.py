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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tiny_llava import tiny_model
from trl import SFTConfig, SFTTrainer

import rocov2
from rocov2_tasks.views import to_prompt_completion


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
