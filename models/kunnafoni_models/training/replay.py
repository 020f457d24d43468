"""Rows that keep a model what it was: its own answers, in the directions that a memory does not teach.

Learning without forgetting (Li & Hoiem 2016) asks that a model go on answering as it did, on the new task's inputs;
for translation that is sequence-level distillation (Kim & Rush 2016) with the starting model as its own teacher. What
is replayed needs no other text than the memory's. Into a language that the memory does not have, its texts are
translated; out of that language, the translations are translated once more.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kunnafoni_models.training.batch_translation import translated
from kunnafoni_models.training.corpus import Row

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from kunnafoni_models.backend import Backend
    from kunnafoni_models.catalog.entry import CatalogEntry
    from kunnafoni_models.training.memory import Memory

# Rows of a direction that reads the same language as a taught one, for one row of another: there most is forgotten.
_ROWS_OF_A_TAUGHT_SOURCE = 3


def replayed(
    backend: Backend, entry: CatalogEntry, memory: Memory, *, taught: Collection[str], count: int, seed: int = 0
) -> list[Row]:
    """Translate texts of the memory with the model as it is.

    Args:
        backend: The starting model, loaded.
        entry: Its entry.
        memory: Gives the texts.
        taught: Tasks that the memory teaches; for these there is nothing to keep.
        count: Rows a direction; three times as many where one that is taught reads the same language.
        seed: Chooses the texts.

    Returns:
        Up to so many rows for each other direction of the model; answers that reached their cap are left out.
    """
    read = {task.partition(">")[0] for task in taught}
    known = dict(zip(memory.pair, _texts(memory, _ROWS_OF_A_TAUGHT_SOURCE * count, seed), strict=True))
    rows: list[Row] = []
    for source, target in _directions(entry, memory.pair):
        texts = known.get(source, [])[: count * (_ROWS_OF_A_TAUGHT_SOURCE if source in read else 1)]
        if f"{source}>{target}" in taught or not texts:
            continue
        outputs = translated(backend, entry, texts, source=source, target=target)
        answers = [
            (text, out.text) for text, out in zip(texts, outputs, strict=True) if out.text and not out.reached_cap
        ]
        rows += [Row(f"{source}>{target}", 1.0, text, answer) for text, answer in answers]
        if target not in memory.pair:
            known.setdefault(target, [answer for _, answer in answers if _fits(backend, entry, answer)])
    return rows


def _texts(memory: Memory, count: int, seed: int) -> Iterator[Sequence[str]]:
    """Some texts of each side, another choice for each."""
    draw = random.Random(seed)  # noqa: S311 - a choice of rows is no secret
    for side in ("source", "target"):
        texts: list[str] = [getattr(row, side) for row in memory.learn]
        yield draw.sample(texts, min(count, len(texts)))


def _directions(entry: CatalogEntry, pair: tuple[str, str]) -> list[tuple[str, str]]:
    """The model's directions; those out of the memory's languages first."""
    served = [(each.source, each.target) for each in entry.directions]
    return sorted(served, key=lambda direction: direction[0] not in pair)


def _fits(backend: Backend, entry: CatalogEntry, text: str) -> bool:
    return backend.count_tokens(text) <= entry.limits.translate_input_tokens
