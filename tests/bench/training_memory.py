"""Resident memory of a run, step by step, with rows from 8 to 512 tokens.

    python -m tests.bench.training_memory [--shared ../shared] [--steps 400] [--batch-tokens 4096]

Trains the embedded model on rows that are cut or joined from those of the mix, so that every length from 8 to 512
tokens is there, and notes what the process keeps after each step and the most that it ever had. Writes
bench-results/training-memory.json after every step, so that a bench that is stopped says how far it came.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from kunnafoni_models.training import heap
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.options import TrainingOptions
from kunnafoni_models.training.trainer import train
from tests.bench.training_mix import embedded, mix_rows

if TYPE_CHECKING:
    from kunnafoni_models.training.progress import Progress

RESULTS = Path("bench-results")
ROWS = 6_000
# A word has at least one token and the prompt a few: few rows come out longer than the longest that is trained on.
MOST_WORDS = 160


def rows_of_all_lengths(shared: Path) -> list[Row]:
    """Rows of one to `MOST_WORDS` words a side, each length as often as any other."""
    draw = random.Random(0)
    words = [(row.source.split(), row.target.split()) for row in mix_rows(shared, count=ROWS) if ">" in row.task]
    sources = [word for source, _ in words for word in source]
    targets = [word for _, target in words for word in target]
    made: list[Row] = []
    for _ in range(ROWS):
        length = draw.randint(1, MOST_WORDS)
        a, b = draw.randrange(len(sources) - length), draw.randrange(len(targets) - length)
        made.append(Row("en>fr", 1.0, " ".join(sources[a : a + length]), " ".join(targets[b : b + length])))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    given = parser.parse_args()
    heap.settle("training_memory.py")
    process, kept = psutil.Process(), list[float]()
    RESULTS.mkdir(exist_ok=True)

    def tell(progress: Progress) -> None:
        kept.append(round(process.memory_info().rss / 1e9, 3))
        peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 3)
        figures = {"step": progress.step, "peak_gb": peak, "resident_gb": kept}
        (RESULTS / "training-memory.json").write_text(json.dumps(figures))
        if progress.step % 10 == 0:
            print(f"step {progress.step}: {kept[-1]} GB resident, {peak} GB at most", flush=True)

    options = TrainingOptions(
        steps=given.steps, batch_tokens=given.batch_tokens, save_every_s=600, evaluate_every_s=0, int8_share=0.5
    )
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of_all_lengths(given.shared)
        train(rows, start=embedded(), out=Path(folder, "run"), options=options, dev_rows={}, on_progress=tell)


if __name__ == "__main__":
    main()
