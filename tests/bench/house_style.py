"""How well `models adapt` teaches a house style, and what else it changes.

    python -m tests.bench.house_style [--shared ../shared] [--minutes 15] [--pairs 2000] [--lines 200]

Takes English-French pairs of the training mix in which the thirty rules of `house_rules.py` have a place, rewrites the
French by the rules, adapts the embedded model on them, and translates 300 pairs that it has not seen. Of the places
that these have it counts
- right: the new form is in the translation as often as in the rewritten French;
- old: the form that the style sheet does away with is there instead;
- neither: the model said it in other words, or not at all.
Then chrF++ of FLORES-200 dev before and after, all six directions, and of en-fr against references that are rewritten
by the rules too: whoever follows a style sheet loses by references that do not. All figures are of the int8 models,
greedy.
Writes bench-results/house-style.json.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from sacrebleu.metrics.chrf import CHRF

from kunnafoni_models import registry
from kunnafoni_models.training import heap
from kunnafoni_models.training.adapt import adapt
from kunnafoni_models.training.adaptation import Adaptation, Watch, adapting_options
from kunnafoni_models.training.batch_translation import translated
from kunnafoni_models.training.decontamination import normalised
from kunnafoni_models.training.measuring import measured
from kunnafoni_models.training.selection import parallel_rows, some
from tests.bench.house_rules import RULES, rewritten

if TYPE_CHECKING:
    from kunnafoni_models.backend import Backend
    from kunnafoni_models.training.progress import Progress

MODEL = "kunnafoni-270m"
HELD_OUT = 300
CHARACTERS = (30, 250)
RESULTS = Path("bench-results")
Pair = tuple[str, str]


def pairs_with_places(mix: Path) -> list[Pair]:
    """English and rewritten French of the mix where a rule has a place, each English text once, shuffled."""
    found: dict[str, Pair] = {}
    with gzip.open(mix, "rt", encoding="utf-8") as lines:
        for line in lines:
            task, _, english, french = line.rstrip("\n").split("\t")
            if task == "en>fr" and CHARACTERS[0] <= len(french) <= CHARACTERS[1]:
                text, places = rewritten(english, french)
                if places:
                    found.setdefault(normalised(english), (english, text))
    pairs = sorted(found.values())
    random.Random(0).shuffle(pairs)
    return pairs


def places(outputs: list[str], pairs: list[Pair]) -> dict[str, int]:
    """Count the places of the rewritten French by what became of them in `outputs`."""
    counts = {"right": 0, "old": 0, "neither": 0}
    for output, (english, french) in zip(outputs, pairs, strict=True):
        for rule in RULES:
            if not rule.trigger.search(english) or not (wanted := rule.new_forms(french)):
                continue
            right = min(wanted, rule.new_forms(output))
            old = min(wanted - right, rule.old_forms(output))
            counts["right"] += right
            counts["old"] += old
            counts["neither"] += wanted - right - old
    return counts


def figures(backend: Backend, pairs: list[Pair], flores: Path, lines: int) -> dict[str, dict[str, float]]:
    """Places, chrF++ of texts by the rules, chrF++ of FLORES as it is."""
    outputs, style = _outputs(backend, pairs)
    entry = registry.catalog()[MODEL]
    rows = some(parallel_rows(flores, entry), lines)
    by_rules = [(row.source, rewritten(row.source, row.target)[0]) for row in rows if row.task == "en>fr"]
    return {
        "places": dict(places(outputs, pairs)),
        "style": {"en>fr": style, "en>fr, FLORES by the rules": _outputs(backend, by_rules)[1]},
        "flores": dict(measured(backend, entry, rows).scores),
    }


def _outputs(backend: Backend, pairs: list[Pair]) -> tuple[list[str], float]:
    """The model's French, and its chrF++ against that of the pairs."""
    texts = [english for english, _ in pairs]
    found = translated(backend, registry.catalog()[MODEL], texts, source="en", target="fr")
    outputs = [out.text for out in found]
    return outputs, CHRF(word_order=2).corpus_score(outputs, [[french for _, french in pairs]]).score


def before(work: Path, pairs: list[Pair], flores: Path, lines: int) -> dict[str, dict[str, float]]:
    """The figures of the embedded model; kept, as they do not change from one trial to the next."""
    entry = registry.catalog()[MODEL]
    kept = work / f"before-{entry.fingerprint}-{lines}-{len(pairs)}.json"
    if not kept.exists():
        backend = registry.load(entry, parallel=0)
        kept.write_text(json.dumps(figures(backend, pairs, flores, lines)))
        backend.close()
    return json.loads(kept.read_text())


def show(old: dict[str, dict[str, float]], new: dict[str, dict[str, float]]) -> None:
    """Print both side by side."""
    table = Table("figure", "before", "after", "difference")
    total = sum(old["places"].values())
    for name in ("right", "old", "neither"):
        a, b = (100 * each["places"][name] / total for each in (old, new))
        table.add_row(f"{total:.0f} rule places, {name}, %", f"{a:.1f}", f"{b:.1f}", f"{b - a:+.1f}")
    told = [100 * each["places"]["right"] / (each["places"]["right"] + each["places"]["old"]) for each in (old, new)]
    table.add_row("right of right and old, %", f"{told[0]:.1f}", f"{told[1]:.1f}", f"{told[1] - told[0]:+.1f}")
    for name in ("style", "flores"):
        for task, a in old[name].items():
            b = new[name][task]
            table.add_row(f"chrF++ {name} {task}", f"{a:.2f}", f"{b:.2f}", f"{b - a:+.2f}")
    Console(width=120).print(table)


def main() -> None:
    defaults = adapting_options()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--work", type=Path, default=RESULTS / "house-style")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--epochs", type=float, default=defaults.epochs)
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=200, help="of FLORES-200 dev, each direction")
    parser.add_argument("--replay", type=int, default=None, help="rows a direction")
    parser.add_argument("--both-ways", action="store_true")
    parser.add_argument("--learning-rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--anchor", type=float, default=defaults.anchor_weight)
    parser.add_argument("--low-rank", type=int, default=defaults.low_rank)
    parser.add_argument("--batch-tokens", type=int, default=defaults.batch_tokens)
    options = parser.parse_args()
    heap.settle("house_style.py")
    flores = options.shared / "eval" / "flores200" / "dev.tsv"
    drawn = pairs_with_places(options.shared / "corpora" / "training" / "mix.tsv.gz")
    held_out, learnt = drawn[:HELD_OUT], drawn[HELD_OUT : HELD_OUT + options.pairs]
    options.work.mkdir(parents=True, exist_ok=True)
    memory, models = options.work / "memory.tsv", options.work / "models"
    memory.write_text("en\tfr\n" + "".join(f"{en}\t{fr}\n" for en, fr in learnt), "utf-8")
    old = before(options.work, held_out, flores, options.lines)
    shutil.rmtree(models, ignore_errors=True)
    order = Adaptation(
        memories=[memory],
        parent=registry.catalog()[MODEL],
        models_dir=models,
        model_id="house-style",
        one_way=not options.both_ways,
        minutes=options.minutes,
        force=True,
        options=replace(
            defaults,
            epochs=options.epochs,
            learning_rate=options.learning_rate,
            anchor_weight=options.anchor,
            low_rank=0 if options.anchor else options.low_rank,
            batch_tokens=options.batch_tokens,
        ),
    )
    if options.replay is not None:
        order = replace(order, replay_rows=options.replay)
    console = Console(width=160)

    def tell(progress: Progress) -> None:
        if progress.step % 20 == 0 or progress.dev:
            console.print(progress)

    started = time.monotonic()
    done = adapt(order, Watch(on_stage=console.print, on_progress=tell))
    assert done.entry
    backend = registry.load(done.entry, parallel=0)
    new = figures(backend, held_out, flores, options.lines)
    backend.close()
    show(old, new)
    minutes = (time.monotonic() - started) / 60
    print(
        f"{done.outcome.steps} steps, {done.outcome.tokens} tokens, {done.outcome.seconds / 60:.1f} minutes of training"
    )
    print(f"{minutes:.1f} minutes in all, {done.replayed} rows replayed, {done.outcome.kept:.0%} of the change kept")
    print(f"worse: {list(done.objections)}")
    (RESULTS / "house-style.json").write_text(
        json.dumps({"before": old, "after": new, "outcome": asdict(done.outcome)}, default=str, indent=1)
    )


if __name__ == "__main__":
    main()
