"""A model taught a newsroom's own words: memory in, measured model in the user's catalog out.

The order of things: divide the memory, measure the model as it is, write down its answers in the directions that the
memory does not teach (`replay`), train on both, export, measure again, and install only what did not get worse.

An interrupted adaptation leaves a hidden folder in the catalog's; the same order goes on in it. It knows no display.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import shutil
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from kunnafoni_models import registry
from kunnafoni_models.catalog.installation import check_name, install
from kunnafoni_models.training.adaptation import Adapted
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.export import export_embedded
from kunnafoni_models.training.log import Log, telling
from kunnafoni_models.training.measuring import measured, metrics
from kunnafoni_models.training.memory import read_memory
from kunnafoni_models.training.replay import replayed
from kunnafoni_models.training.run_folder import held
from kunnafoni_models.training.selection import (
    fitting,
    parallel_rows,
    qualities,
    short_enough,
    some,
    taught,
    without_pivots,
    write_quality,
)
from kunnafoni_models.training.trainer import train
from kunnafoni_models.training.verdict import MOST_LOST, Comparison, objections
from kunnafoni_models.training.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.adaptation import Adaptation, Watch
    from kunnafoni_models.training.measuring import Measurement
    from kunnafoni_models.training.memory import Memory
    from kunnafoni_models.training.progress import Outcome

    Sets = Mapping[str, Sequence[Row]]

MEASURED_ROWS = 200
"""Most pairs of a direction that are measured; more cost minutes and change little."""

HELD_OUT = "held-out tenth of the memory"
_DEV_ROWS = 100
_LEAST_TRAINING_S = 15.0
# Rows a direction and minute, before `replayed` triples some: all took 0.9 of 15 minutes on two cores (2026-11-26).
_REPLAYED_A_MINUTE = 10


def adapt(order: Adaptation, watch: Watch) -> Adapted:
    """Do what `order` says.

    Raises:
        TrainingError: The memory is of no use, training was stopped, or it failed.
        CheckpointError: Another process adapts under this name.
        CatalogError: The name is taken or wrong.
        ModelError: The starting model cannot be loaded.
        OSError: A file cannot be read or written.
    """
    check_name(order.models_dir, order.model_id)
    metrics()
    memory = read_memory(
        order.memories,
        languages=order.parent.languages,
        pair=order.pair,
        both_ways=not order.one_way,
        evaluation=[order.general] if order.general else [],
        check=watch.on_rows,
    )
    # What cannot be trained or taught is to be known before anything costs time.
    read_weights(order.parent)
    taught(memory.learn, order)
    general = parallel_rows(order.general, order.parent, pair=memory.pair) if order.general else []
    run = run_folder(order.models_dir, order.model_id)
    with held(run):
        check_name(order.models_dir, order.model_id)  # it may have been taken meanwhile
        run.mkdir(exist_ok=True)
        _clear_of_others(run, order, memory, watch)
        return _adapted(order, watch, memory, general, run)


def run_folder(models_dir: Path, model_id: str) -> Path:
    """Where an adaptation works until its model is installed."""
    return models_dir / f".adapting-{model_id}"


def _adapted(order: Adaptation, watch: Watch, memory: Memory, general: Sequence[Row], run: Path) -> Adapted:
    log = Log(run / "training.jsonl")
    backend = registry.load(order.parent, parallel=0)
    try:
        memory = fitting(memory, backend, order.parent)
        short = short_enough(general, backend, order.parent)
        sets: Sets = {HELD_OUT: taught(memory.held_out, order)}
        if order.general:
            if not short:
                raise TrainingError(
                    f"{order.general} has no text that is short enough for the model: cut it at sentences"
                )
            if len(short) < len(general):
                watch.on_stage(f"leaving out {len(general) - len(short)} rows of {order.general.name}: too long")
            sets = {**sets, order.general.name: short}
        watch.on_stage("measuring the model as it is")
        before = {name: measured(backend, order.parent, some(rows, MEASURED_ROWS)) for name, rows in sets.items()}
        replay, replay_s = _replay(backend, order, memory, run / "replay.json", watch)
    finally:
        backend.close()
    rows = [*taught(memory.learn, order), *replay]
    outcome = _trained(order, rows, sets, log, watch, seconds=order.minutes * 60 - replay_s)
    watch.on_stage("exporting to int8")
    entry = _candidate(order, memory, run)
    watch.on_stage("measuring the adapted model")
    entry = in_best_ways(entry, sets[HELD_OUT])
    comparisons = _compared(entry, sets, before)
    wrong = objections(comparisons)
    log.write("compared", objections=wrong, comparisons=[asdict(each) for each in comparisons])
    installed = None
    if order.force or not wrong:
        # The memory's own figures say nothing of other texts: no route is to be chosen by them.
        own, others = comparisons[0], comparisons[1:]
        figures = (*qualities(own, of="(own memory)"), *(figure for each in others for figure in qualities(each)))
        write_quality(entry.folder / "quality.json", comparisons[-1])
        installed = _installed(replace(entry, quality=figures), order, run)
    else:
        # The training stays: the same order with `force` has only to export and measure again.
        shutil.rmtree(run / "export")
    return Adapted(installed, wrong, comparisons, memory, len(replay), outcome, installed.folder if installed else run)


def _clear_of_others(run: Path, order: Adaptation, memory: Memory, watch: Watch) -> None:
    """Leave in the folder what this very order needs to go on, and nothing of any other."""
    told = [order.parent.id, order.parent.revision, order.one_way, order.minutes, order.replay_rows]
    key = hashlib.sha256(repr([*told, order.options, memory.fingerprint]).encode()).hexdigest()
    same = (run / "order").is_file() and (run / "order").read_text("utf-8") == key
    if not same and (run / "training").exists():
        watch.on_stage("beginning anew: what was trained under this name had other texts or options")
    for left in run.iterdir():
        if left.name == "export" or not same:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    (run / "order").write_text(key, "utf-8")


def _replay(backend: Backend, order: Adaptation, memory: Memory, path: Path, watch: Watch) -> tuple[list[Row], float]:
    """The model's own answers, and the seconds that they took; those of an interrupted run are kept."""
    if not path.exists():
        watch.on_stage("writing down what the model knows already")
        started = time.monotonic()
        known = {row.task for row in taught(memory.learn, order)}
        count = min(order.replay_rows, math.ceil(_REPLAYED_A_MINUTE * order.minutes))
        rows = replayed(backend, order.parent, memory, taught=known, count=count) if count else []
        text = json.dumps({"seconds": time.monotonic() - started, "rows": [asdict(row) for row in rows]})
        path.with_suffix(".new").write_text(text, "utf-8")
        path.with_suffix(".new").replace(path)
    saved = json.loads(path.read_text("utf-8"))
    return [Row(**each) for each in saved["rows"]], saved["seconds"]


def _trained(order: Adaptation, rows: Sequence[Row], sets: Sets, log: Log, watch: Watch, *, seconds: float) -> Outcome:
    """Train in the run's folder, or go on there.

    Raises:
        TrainingError: It was told to stop, or failed.
    """
    minutes = max(seconds, _LEAST_TRAINING_S) / 60
    dev = {
        f"{row.task}, {name}": [each for each in some(found, _DEV_ROWS) if each.task == row.task]
        for name, found in sets.items()
        for row in some(found, 1)
    }
    watch.on_stage("training")
    outcome = train(
        rows,
        start=order.parent,
        out=log.path.parent / "training",
        options=replace(order.options, minutes=minutes, evaluate_every_s=max(60.0, minutes * 15)),
        dev_rows=dev,
        resume=True,
        on_progress=telling(log, watch.on_progress),
        should_stop=watch.should_stop,
    )
    if not outcome.finished:
        raise TrainingError(f"stopped; the same command goes on from what is kept in {log.path.parent}")
    return outcome


def _candidate(order: Adaptation, memory: Memory, run: Path) -> CatalogEntry:
    """The trained model as an entry of the embedded form, with what it comes from, not yet in any catalog."""
    folder = run / "export"
    revision = f"{dt.datetime.now(dt.UTC).date()}-{memory.fingerprint[:8]}"
    entry = export_embedded(run / "training", folder, name=order.model_id, revision=revision)
    parent = order.parent
    return replace(
        entry,
        base=parent.base,
        parent=f"{parent.id}@{parent.revision}",
        data_sha256=memory.fingerprint,
        licence=parent.licence,
        memory_mb=parent.memory_mb,
        extract_languages=parent.extract_languages,
    )


def in_best_ways(entry: CatalogEntry, held_out: Sequence[Row]) -> CatalogEntry:
    """The entry without the pivots of those taught directions that have become as good in one step."""
    pivoted = {f"{each.source}>{each.target}" for each in entry.directions if each.pivot}
    rows = some([row for row in held_out if row.task in pivoted], MEASURED_ROWS)
    if not rows:
        return entry
    backend = registry.load(entry, parallel=0)
    try:
        by_way = measured(backend, entry, rows).scores
        in_one_step = measured(backend, without_pivots(entry, pivoted), rows).scores
    finally:
        backend.close()
    return without_pivots(entry, {task for task, score in in_one_step.items() if score >= by_way[task]})


def _compared(entry: CatalogEntry, sets: Sets, before: Mapping[str, Measurement]) -> list[Comparison]:
    backend = registry.load(entry, parallel=0)
    try:
        found: list[Comparison] = []
        for name, rows in sets.items():
            after = measured(backend, entry, some(rows, MEASURED_ROWS))
            pairs = len(some(rows, MEASURED_ROWS)) // len(after.scores)
            test_set = f"{name}, {pairs} pairs"
            found.append(Comparison(test_set, pairs, before[name], after, 0.0 if name == HELD_OUT else MOST_LOST))
        return found
    finally:
        backend.close()


def _installed(entry: CatalogEntry, order: Adaptation, run: Path) -> CatalogEntry:
    """Put the model into the user's catalog, with the log, and the licence's text of the parent."""
    if entry.licence.file and not (entry.folder / entry.licence.file).exists():
        shutil.copyfile(order.parent.folder / entry.licence.file, entry.folder / entry.licence.file)
    shutil.copyfile(run / "training.jsonl", entry.folder / "training.jsonl")
    installed = install(entry, order.models_dir)
    shutil.rmtree(run)
    return installed
