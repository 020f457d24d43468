"""What five `kill -9` do to a run: dev figures of a killed run beside those of one that nobody disturbed.

    python -m tests.bench.training_kills [--shared ../shared] [--steps 30] [--batch-tokens 1024] [--kills 5]

Both train the embedded model on the same rows, in processes of their own. One is killed at random moments, wherever it
is then (starting, stepping, saving), and started again until it is done. It saves every few seconds.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from kunnafoni_models.training import heap
from kunnafoni_models.training.options import TrainingOptions
from kunnafoni_models.training.trainer import train
from tests.bench.training_mix import embedded, flores, mix_rows

if TYPE_CHECKING:
    from kunnafoni_models.training.progress import Progress

ROWS = 2_000
DEV_LINES = 8
SAVE_EVERY_S = 5.0


def child(given: argparse.Namespace) -> None:
    """Train, or go on; tell each step, and at the end the dev figures."""
    heap.settle("training_kills.py")
    options = TrainingOptions(
        steps=given.steps,
        batch_tokens=given.batch_tokens,
        warmup_steps=10,
        save_every_s=SAVE_EVERY_S,
        evaluate_every_s=0,
    )

    def tell(progress: Progress) -> None:
        print(json.dumps({"step": progress.step}), flush=True)

    outcome = train(
        mix_rows(given.shared, count=ROWS),
        start=embedded(),
        out=given.run,
        options=options,
        dev_rows=flores(given.shared, lines=DEV_LINES),
        resume=True,
        on_progress=tell,
    )
    print(json.dumps({"dev": dict(outcome.dev_after), "steps": outcome.steps}), flush=True)


def finished(out: Path, kills: int) -> dict[str, float]:
    """Run a child to its end, killing it so many times on the way."""
    command = [sys.executable, "-m", "tests.bench.training_kills", *sys.argv[1:], "--run", str(out)]
    last = -1
    while True:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                told = json.loads(line)
                if "dev" in told:
                    return told["dev"]
                # Somewhere in the steps that this process is the first to do.
                if kills and told["step"] > last and random.random() < 0.3:
                    time.sleep(random.uniform(0, 2))
                    process.kill()
                    last, kills = told["step"], kills - 1
                    print(f"killed after step {last}", flush=True)
                    break
            else:
                sys.exit(f"the run ended by itself with {process.wait()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-tokens", type=int, default=1024)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--run", type=Path, help="train in this folder, in this process")
    given = parser.parse_args()
    if given.run:
        child(given)
        return
    with tempfile.TemporaryDirectory() as folder:
        whole = finished(Path(folder, "whole"), 0)
        print("undisturbed", whole, flush=True)
        killed = finished(Path(folder, "killed"), given.kills)
    for task, figure in whole.items():
        print(
            f"{task}: {figure:.5f} undisturbed, {killed[task]:.5f} killed, {100 * (killed[task] / figure - 1):+.3f} %"
        )


if __name__ == "__main__":
    main()
