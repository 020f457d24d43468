"""What int8 costs: chrF++ of one run's weights in float32 and as the int8 export, with and without the last phase.

    python -m tests.bench.training_export [--shared ../shared] [--steps 60] [--batch-tokens 2048] [--lines 200]

Trains the embedded model twice on the same batches of the mix, once with the last 35 % of the steps on the int8 grid
(`aware`) and once without (`plain`), writes each run's weights with CTranslate2 in float32 and in int8, and scores all
four on the first lines of FLORES-200 dev in all six directions, greedy. What is done stays in bench-results/
training-export, so that the bench goes on where it was interrupted; remove the folder to start anew.
Writes bench-results/training-export.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from kunnafoni_models import registry
from kunnafoni_models.catalog.installation import describe_file
from kunnafoni_models.importing.ctranslate2_conversion import convert
from kunnafoni_models.training import heap
from kunnafoni_models.training.export import export_hugging_face
from kunnafoni_models.training.measuring import measured
from kunnafoni_models.training.options import TrainingOptions
from kunnafoni_models.training.trainer import train
from tests.bench.training_mix import embedded, flores, mix_rows

if TYPE_CHECKING:
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.corpus import Row

RESULTS = Path("bench-results")
WORK = RESULTS / "training-export"
ROWS = 20_000
RUNS = {"aware": 0.35, "plain": 0.0}
FORMATS = ("float32", "int8")


def trained(name: str, given: argparse.Namespace) -> Path:
    """The folder of a finished run."""
    options = TrainingOptions(
        steps=given.steps,
        batch_tokens=given.batch_tokens,
        warmup_steps=10,
        int8_share=RUNS[name],
        save_every_s=120,
        evaluate_every_s=0,
    )
    out = WORK / name / "run"
    rows = mix_rows(given.shared, count=ROWS)
    outcome = train(rows, start=embedded(), out=out, options=options, dev_rows={}, resume=True)
    print(name, outcome.steps, "steps,", outcome.tokens, "tokens,", round(outcome.seconds), "s", flush=True)
    return out


def converted(run: Path, quantization: str) -> CatalogEntry:
    """The run's weights on CTranslate2 in that format."""
    checkpoint, folder = run.parent / "checkpoint", run.parent / quantization
    if not checkpoint.exists():
        export_hugging_face(run, checkpoint)
    if not folder.exists():
        convert(checkpoint, folder, quantization=quantization)
        (folder / "tokenizer.json").write_bytes((checkpoint / "tokenizer.json").read_bytes())
    files = tuple(map(describe_file, sorted(folder.iterdir())))
    options = {**embedded().options, "compute_type": quantization}
    return replace(embedded(), folder=folder, files=files, options=options)


def scores(entry: CatalogEntry, rows: list[Row], kept: Path) -> dict[str, float]:
    """chrF++ of each direction."""
    if not kept.exists():
        backend = registry.load(entry, parallel=0)
        kept.write_text(json.dumps(dict(measured(backend, entry, rows).scores)))
        backend.close()
    return json.loads(kept.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--lines", type=int, default=200, help="of FLORES-200 dev, each direction")
    parser.add_argument("--train-only", action="store_true")
    given = parser.parse_args()
    heap.settle("training_export.py")
    runs = {name: trained(name, given) for name in RUNS}
    if given.train_only:
        return
    rows = [row for some in flores(given.shared, lines=given.lines).values() for row in some]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, run in runs.items():
        for quantization in FORMATS:
            kept = run.parent / f"{quantization}-{given.lines}.json"
            found.setdefault(name, {})[quantization] = scores(converted(run, quantization), rows, kept)
            print(name, quantization, found[name][quantization], flush=True)
    table = Table("run", "direction", *FORMATS, "int8 costs")
    for name, by_format in found.items():
        for task, exact in by_format["float32"].items():
            rounded = by_format["int8"][task]
            table.add_row(name, task, f"{exact:.2f}", f"{rounded:.2f}", f"{exact - rounded:+.2f}")
        means = [sum(by_format[each].values()) / len(by_format[each]) for each in FORMATS]
        table.add_row(name, "mean", *(f"{mean:.2f}" for mean in means), f"{means[0] - means[1]:+.2f}")
    Console(width=100).print(table)
    (RESULTS / "training-export.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
