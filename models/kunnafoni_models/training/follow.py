"""A recipe followed: texts in, a model with its measured quality out.

The folder that it works in is a catalog of its own when it is done: `kunnafoni serve --models-dir OUT` takes the model
from it. It knows no display.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kunnafoni_models import registry
from kunnafoni_models.catalog.installation import check_name, install
from kunnafoni_models.training.corpus_files import read_rows
from kunnafoni_models.training.decontamination import held_back, without
from kunnafoni_models.training.encoding import RowEncoder
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.export import export_embedded, export_hugging_face
from kunnafoni_models.training.filters import kept
from kunnafoni_models.training.log import Log, telling
from kunnafoni_models.training.measuring import measured, metrics
from kunnafoni_models.training.memory import reversed_row
from kunnafoni_models.training.run_folder import held
from kunnafoni_models.training.selection import parallel_rows, qualities, some, without_pivots, write_quality
from kunnafoni_models.training.synthetic import synthetic_rows
from kunnafoni_models.training.trainer import train
from kunnafoni_models.training.verdict import Comparison
from kunnafoni_models.training.vocabulary import cut, grown
from kunnafoni_models.training.weights import EMBEDDED, read_weights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.adaptation import Watch
    from kunnafoni_models.training.corpus import Row
    from kunnafoni_models.training.measuring import Measurement
    from kunnafoni_models.training.options import TrainingOptions
    from kunnafoni_models.training.progress import Outcome
    from kunnafoni_models.training.recipe import Recipe, Source, Synthetic
    from kunnafoni_models.training.weights import Weights

# The language whose pieces `Vocabulary.new_pieces` counts.
_GROWN_FOR = "bm"


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of a recipe.

    Attributes:
        entry: The model, in the folder's own catalog.
        comparisons: The test set, if the recipe names one.
        rows: Rows that were kept or made.
        dropped: Reason -> number of rows that were not.
        outcome: Of the training.
    """

    entry: CatalogEntry
    comparisons: Sequence[Comparison]
    rows: int
    dropped: Mapping[str, int]
    outcome: Outcome


def follow(recipe: Recipe, out: Path, watch: Watch, *, resume: bool = False) -> Followed:
    """Train, export and measure.

    Args:
        recipe: From `read_recipe`.
        out: Folder of the run and of the model.
        watch: Whom to tell and ask; `on_rows` is not told.
        resume: Go on from the checkpoint in `out`.

    Raises:
        TrainingError: The data is of no use, training was stopped, or it failed.
        CheckpointError: Another process trains in `out`.
        CatalogError: The starting model is not in the catalog, or `out` has the finished model already.
        OSError: A file cannot be read or written.
    """
    check_name(out, recipe.export.name)
    if recipe.test:
        metrics()
    start, like = _start(recipe)
    watch.on_stage("reading the data")
    rows, dropped = _rows(recipe, like)
    with held(out):
        check_name(out, recipe.export.name)  # it may have been made meanwhile
        log = Log(out / "training.jsonl")
        made = _synthetic(recipe, start, rows, out, watch)
        log.write("data", rows=len(rows), synthetic=len(made), dropped=dropped)
        rows += made
        dev = parallel_rows(recipe.dev, like) if recipe.dev else []
        operated, options = _operated(start, rows, recipe)
        watch.on_stage("training")
        outcome = train(
            rows,
            start=operated,
            out=out / "run",
            options=options,
            dev_rows={row.task: [r for r in some(dev, recipe.dev_lines) if r.task == row.task] for row in some(dev, 1)},
            resume=resume,
            on_progress=telling(log, watch.on_progress),
            should_stop=watch.should_stop,
        )
        if not outcome.finished:
            raise TrainingError(f"stopped; --resume goes on from {out}")
        watch.on_stage("exporting to int8")
        entry, comparisons = _exported(recipe, out, start, {row.task for row in rows}, watch)
        log.write("compared", objections=[], comparisons=[asdict(each) for each in comparisons])
        return Followed(entry, comparisons, len(rows), dropped, outcome)


def _start(recipe: Recipe) -> tuple[CatalogEntry | Path, CatalogEntry]:
    """Where the weights come from, and the entry whose languages and prompts count."""
    entries = registry.catalog()
    if Path(recipe.start).is_dir():
        return Path(recipe.start), entries[EMBEDDED]
    if recipe.start not in entries:
        raise TrainingError(f"start: {recipe.start} is neither a model of the catalog nor the folder of a checkpoint")
    return entries[recipe.start], entries[recipe.start]


def _operated(
    start: CatalogEntry | Path, rows: Sequence[Row], recipe: Recipe
) -> tuple[CatalogEntry | Path | Weights, TrainingOptions]:
    """What training starts from once the vocabulary is as the recipe wants it, and the options that know its new rows.

    It is made again for a resumed run: the same rows give the same pieces, and a run finds out if they are others.
    """
    wanted, options = recipe.vocabulary, recipe.options
    if not (wanted.cut or wanted.new_pieces):
        return start, options
    weights = read_weights(start)
    if wanted.cut:
        encoded = RowEncoder(weights).encode(rows, max_tokens=options.max_tokens)
        weights = cut(weights, np.unique(encoded.tokens).tolist())
    if wanted.new_pieces:
        old = weights.architecture.vocabulary
        texts = dict.fromkeys(text for row in rows for text in _texts_in(row, _GROWN_FOR))
        weights = grown(weights, texts, most=wanted.new_pieces)
        options = replace(options, new_rows=weights.architecture.vocabulary - old)
    return weights, options


def _texts_in(row: Row, language: str) -> Iterator[str]:
    """The sides of a row that are in `language`; a summary's article is in the summary's language."""
    source, _, target = row.task.removeprefix("sum-").partition(">")
    if source == language:
        yield row.source
    if (target or source) == language:
        yield row.target


def _rows(recipe: Recipe, like: CatalogEntry) -> tuple[list[Row], dict[str, int]]:
    clean = kept((row for source in recipe.data for row in _read(source, like)), recipe.filters)
    rows = without(clean.rows, _held_back(recipe))
    dropped = Counter(clean.dropped)
    dropped["in an evaluation file"] = len(clean.rows) - len(rows)
    if not rows:
        raise TrainingError(f"no row is left to train on: {dict(dropped)}")
    return rows, {reason: count for reason, count in dropped.items() if count}


def _synthetic(recipe: Recipe, start: CatalogEntry | Path, rows: Sequence[Row], out: Path, watch: Watch) -> list[Row]:
    """The rows that the recipe wants made; those of an interrupted run are kept in `out`."""
    if not recipe.synthetic:
        return []
    if isinstance(start, Path):
        raise TrainingError("synthetic: a checkpoint makes no rows: import it, and name it as start")
    watch.on_stage("making synthetic rows")
    out.mkdir(parents=True, exist_ok=True)
    backend = registry.load(start, parallel=0)
    try:
        made = [
            row
            for wish in recipe.synthetic
            for row in synthetic_rows(
                backend, start, rows, wish, saved=out / _saved_as(wish), should_stop=watch.should_stop
            )
        ]
    finally:
        backend.close()
    return without(made, _held_back(recipe))


def _saved_as(wish: Synthetic) -> str:
    return f"synthetic-{wish.task.replace('>', '-')}-{wish.into}.jsonl"


def _held_back(recipe: Recipe) -> frozenset[str]:
    return held_back({*recipe.evaluation, *(path for path in (recipe.dev, recipe.test) if path)})


def _read(source: Source, like: CatalogEntry) -> Iterator[Row]:
    first, _, second = source.pair.partition(">")
    for row in read_rows(source.path, languages=like.languages, pair=(first, second) if second else None):
        weighted = replace(row, weight=row.weight * source.weight)
        yield weighted
        if source.both_ways:
            yield reversed_row(weighted)


def _exported(
    recipe: Recipe, out: Path, start: CatalogEntry | Path, tasks: Collection[str], watch: Watch
) -> tuple[CatalogEntry, list[Comparison]]:
    """The model in the catalog `out`, in one step where it was trained, and its figures on the test set."""
    folder = out / f".{recipe.export.name}"
    shutil.rmtree(folder, ignore_errors=True)
    revision = recipe.export.revision or str(dt.datetime.now(dt.UTC).date())
    entry = without_pivots(export_embedded(out / "run", folder, name=recipe.export.name, revision=revision), tasks)
    if recipe.export.hugging_face:
        shutil.rmtree(out / "hugging-face", ignore_errors=True)
        export_hugging_face(out / "run", out / "hugging-face")
    comparisons: list[Comparison] = []
    if recipe.test:
        watch.on_stage("measuring")
        tests = some(parallel_rows(recipe.test, entry), recipe.test_lines)
        before = None if isinstance(start, Path) else _measured(start, tests)
        after = _measured(entry, tests)
        name = f"{recipe.test.parent.name} {recipe.test.name}, first {recipe.test_lines} lines"
        comparisons = [Comparison(name, len(tests) // len(after.scores), before, after)]
        write_quality(folder / "quality.json", comparisons[0])
        entry = replace(entry, quality=tuple(qualities(comparisons[0])))
    return install(entry, out), comparisons


def _measured(entry: CatalogEntry, rows: Sequence[Row]) -> Measurement:
    backend = registry.load(entry, parallel=0)
    try:
        return measured(backend, entry, rows)
    finally:
        backend.close()
