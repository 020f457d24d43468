"""Tokens a second of the trainer beside those of Hugging Face's `Trainer`, on the embedded model.

    python -m tests.bench.training_speed [--shared ../shared] [--steps 6] [--batch-tokens 4096]

Both train in a process of their own, one after the other, on the same batches of the mix in the same order, with the
same precision (what this machine is best at) and AdamW, without saving or evaluating. `Trainer` gets its batches
ready-made, by token budget and of like length, which it would not make by itself, and has the defaults of its library
else: transformers' model, autocast, fused AdamW. Tokens are those of the rows, padding not counted; the first steps
compile and are not counted. Needs accelerate, which `Trainer` wants and the product does not.
Writes bench-results/training-speed.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from kunnafoni_models.training import heap
from kunnafoni_models.training.batches import batches, rectangle
from kunnafoni_models.training.encoding import RowEncoder
from kunnafoni_models.training.hugging_face import write_hugging_face
from kunnafoni_models.training.options import TrainingOptions
from kunnafoni_models.training.precision import choose_machine
from kunnafoni_models.training.trainer import train
from kunnafoni_models.training.weights import read_weights
from tests.bench.training_mix import embedded, mix_rows

if TYPE_CHECKING:
    from kunnafoni_models.training.corpus import Row
    from kunnafoni_models.training.progress import Progress

RESULTS = Path("bench-results")
ROWS = 20_000
# Not counted: the compiler and the first allocations.
WARMUP_STEPS = 3
# Their types are not complete.
_TRAINER: Any = transformers.Trainer
_MODELS: Any = transformers.AutoModelForCausalLM


def ours(rows: list[Row], options: TrainingOptions) -> list[tuple[float, int]]:
    """Time and tokens at the end of every step."""
    seen: list[tuple[float, int]] = []

    def tell(progress: Progress) -> None:
        if progress.step:
            seen.append((time.monotonic(), progress.tokens))

    with tempfile.TemporaryDirectory() as folder:
        train(rows, start=embedded(), out=Path(folder, "run"), options=options, dev_rows={}, on_progress=tell)
    return seen


class Clock(transformers.TrainerCallback):
    """Notes when steps end."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.monotonic())


def hugging_face(rows: list[Row], options: TrainingOptions) -> list[tuple[float, int]]:
    """Time and tokens at the end of every step."""
    machine = choose_machine(options)
    weights = read_weights(embedded())
    encoded = RowEncoder(weights).encode(rows, max_tokens=options.max_tokens)
    ready: list[dict[str, Any]] = []
    tokens = [0]
    for numbers, _ in islice(batches(encoded, batch_tokens=options.batch_tokens, seed=options.seed), options.steps):
        batch = rectangle(encoded, numbers, device=torch.device("cpu"))
        labels = torch.full_like(batch.tokens, -100).reshape(-1)
        labels[batch.positions + 1] = batch.targets
        lengths = torch.tensor(encoded.lengths[numbers])
        attention_mask = torch.arange(batch.tokens.shape[1])[None] < lengths[:, None]
        ready.append(
            {
                "input_ids": batch.tokens,
                "labels": labels.reshape(batch.tokens.shape),
                "attention_mask": attention_mask.long(),
            }
        )
        tokens.append(tokens[-1] + batch.row_tokens)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        write_hugging_face(Path(folder, "model"), weights)
        del weights
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            max_steps=len(ready),
            per_device_train_batch_size=1,
            train_sampling_strategy="sequential",
            learning_rate=options.learning_rate,
            adam_beta2=0.98,
            bf16=machine.precision == "bfloat16",
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        _TRAINER(
            model=_MODELS.from_pretrained(Path(folder, "model")),
            args=arguments,
            train_dataset=ready,
            data_collator=_only,
            callbacks=[clock],
        ).train()
    return list(zip(clock.ends, tokens[1:], strict=True))


def _only(batches: list[dict[str, Any]]) -> dict[str, Any]:
    """The rows are batches already."""
    return batches[0]


TRAINERS = {"kunnafoni": ours, "transformers": hugging_face}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--steps", type=int, default=6, help=f"after {WARMUP_STEPS} that are not counted")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--trainer", choices=TRAINERS, help="one trainer, in this process")
    given = parser.parse_args()
    if not given.trainer:
        compare(given)
        return
    if given.trainer == "kunnafoni":
        heap.settle("training_speed.py")
    options = TrainingOptions(
        steps=WARMUP_STEPS + given.steps,
        batch_tokens=given.batch_tokens,
        device="cpu",
        int8_share=0.0,
        save_every_s=1e6,
        evaluate_every_s=0,
    )
    seen = TRAINERS[given.trainer](mix_rows(given.shared, count=ROWS), options)
    (start_s, tokens_before), (end_s, tokens) = seen[WARMUP_STEPS - 1], seen[-1]
    figures = {
        "tokens_per_second": round((tokens - tokens_before) / (end_s - start_s), 1),
        "tokens": tokens - tokens_before,
        "seconds": round(end_s - start_s, 1),
        "precision": choose_machine(options).precision,
    }
    print(json.dumps(figures))


def compare(given: argparse.Namespace) -> None:
    """Run both trainers and print their figures."""
    result: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "steps": given.steps,
        "batch_tokens": given.batch_tokens,
    }
    for name in TRAINERS:
        command = [sys.executable, "-m", "tests.bench.training_speed", *sys.argv[1:], "--trainer", name]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        result[name] = json.loads(answer.stdout.splitlines()[-1])
        print(name, result[name], flush=True)
    result["ratio"] = round(result["kunnafoni"]["tokens_per_second"] / result["transformers"]["tokens_per_second"], 2)
    print(json.dumps(result, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training-speed.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
