"""Which rows of a memory and of a test set a model can be taught and measured on, and the figures for its entry."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni_models.catalog.entry import Quality
from kunnafoni_models.training.corpus import Row
from kunnafoni_models.training.corpus_files import read_units
from kunnafoni_models.training.errors import TrainingError
from kunnafoni_models.training.memory import reversed_row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.adaptation import Adaptation
    from kunnafoni_models.training.memory import Memory
    from kunnafoni_models.training.verdict import Comparison


def parallel_rows(path: Path, entry: CatalogEntry, *, pair: tuple[str, str] | None = None) -> list[Row]:
    """Rows of a test set for every direction of the model that it has texts for, in the order of the directions.

    Args:
        path: A file of several languages, see `corpus_files`; no mix.
        entry: The model.
        pair: Languages of a table that does not name its columns.

    Raises:
        TrainingError: The file has no two of the model's languages.
        OSError: The file cannot be read.
    """
    units = read_units(path, languages=entry.languages, pair=pair)
    rows = [
        Row(f"{each.source}>{each.target}", 1.0, unit[each.source], unit[each.target])
        for each in entry.directions
        for unit in units
        if each.source in unit and each.target in unit
    ]
    if not rows:
        raise TrainingError(f"{path} has no two of the model's languages: {', '.join(entry.languages)}")
    return rows


def short_enough(rows: Sequence[Row], backend: Backend, parent: CatalogEntry) -> list[Row]:
    """The rows without those of which the model would refuse a text."""
    limit = parent.limits.translate_input_tokens
    return [r for r in rows if backend.count_tokens(r.source) <= limit and backend.count_tokens(r.target) <= limit]


def fitting(memory: Memory, backend: Backend, parent: CatalogEntry) -> Memory:
    """The memory without texts that the model would refuse."""
    limit = parent.limits.translate_input_tokens
    learn, held_out = (short_enough(rows, backend, parent) for rows in (memory.learn, memory.held_out))
    if not learn or not held_out:
        raise TrainingError(f"hardly a text of the memory fits into the model's {limit} tokens: cut it at sentences")
    long = len(memory.learn) + len(memory.held_out) - len(learn) - len(held_out)
    dropped = {**memory.dropped, **({f"longer than {limit} tokens": long} if long else {})}
    return replace(memory, learn=learn, held_out=held_out, dropped=dropped)


def taught(rows: Sequence[Row], order: Adaptation) -> list[Row]:
    """The rows in the directions that are taught and that the model serves."""
    both = [*rows, *(() if order.one_way else map(reversed_row, rows))]
    served = {f"{each.source}>{each.target}" for each in order.parent.directions}
    if not (found := [row for row in both if row.task in served]):
        raise TrainingError(f"{order.parent.id} does not translate {rows[0].task}; it does {', '.join(sorted(served))}")
    return found


def some(rows: Sequence[Row], most: int) -> list[Row]:
    """The first `most` rows of each task."""
    counts: dict[str, int] = {}
    found: list[Row] = []
    for row in rows:
        counts[row.task] = counts.get(row.task, 0) + 1
        if counts[row.task] <= most:
            found.append(row)
    return found


def without_pivots(entry: CatalogEntry, tasks: Collection[str]) -> CatalogEntry:
    """The entry with these directions in one step."""
    found = [
        replace(each, pivot=None) if f"{each.source}>{each.target}" in tasks else each for each in entry.directions
    ]
    return replace(entry, directions=tuple(found))


def qualities(test: Comparison, *, of: str = "") -> Iterator[Quality]:
    """The figures after training, as a catalog entry has them; `of` goes with a metric that does not compare."""
    today = dt.datetime.now(dt.UTC).date()
    named = (("chrF++", test.after.scores, test.after.signature), ("BLEU", test.after.bleu, test.after.bleu_signature))
    for metric, scores, signature in named:
        for task, score in scores.items():
            source, _, target = task.partition(">")
            yield Quality(
                source,
                target,
                f"{metric} {of}".rstrip(),
                round(score, 2),
                test.test_set,
                "int8, greedy, no second tries, texts as they are",
                today,
                signature,
            )


def write_quality(path: Path, test: Comparison) -> None:
    """Write the figures after training in the form of `embedded/quality.json`.

    Raises:
        OSError: The file cannot be written.
    """
    figures = {
        "set": test.test_set,
        "decoding": "int8, beam 1",
        "chrf_signature": test.after.signature,
        "bleu_signature": test.after.bleu_signature,
        "directions": {
            task.replace(">", "-"): {"chrf++": round(score, 2), "bleu": round(test.after.bleu[task], 2)}
            for task, score in test.after.scores.items()
        },
    }
    path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
