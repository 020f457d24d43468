"""Many texts through a loaded backend, greedy, in batches of like length, decoded as the server decodes them at first.

It knows no server and no sentences.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from kunnafoni_models.backend import Decoding
from kunnafoni_models.catalog.entry import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import Backend, Output
    from kunnafoni_models.catalog.entry import CatalogEntry

_BATCH_ROWS = 32


def translated(
    backend: Backend, entry: CatalogEntry, texts: Sequence[str], *, source: str, target: str
) -> list[Output]:
    """One output a text, in order; by way of the direction's pivot if the model serves both halves.

    Raises:
        InputTooLongError: A text has more tokens than the model translates at once.
    """
    direction = entry.direction(source, target) or Direction(source, target)
    if direction.pivot:
        first, second = entry.direction(source, direction.pivot), entry.direction(direction.pivot, target)
        if first and second:
            middles = [_shortened(backend, entry, each) for each in _direct(backend, texts, first)]
            pairs = zip(middles, _direct(backend, [each.text for each in middles], second), strict=True)
            return [replace(last, reached_cap=last.reached_cap or middle.reached_cap) for middle, last in pairs]
    return _direct(backend, texts, direction)


def _direct(backend: Backend, texts: Sequence[str], direction: Direction) -> list[Output]:
    source, target = direction.source, direction.target
    prompts = [backend.translation_prompt(text, source=source, target=target) for text in texts]
    decoding = Decoding(repetition_penalty=direction.repetition_penalty)
    order = sorted(range(len(texts)), key=lambda row: len(prompts[row].tokens))
    batches = [order[start : start + _BATCH_ROWS] for start in range(0, len(order), _BATCH_ROWS)]

    def run(rows: list[int]) -> list[Output]:
        return backend.generate([prompts[row] for row in rows], decoding)

    with ThreadPoolExecutor(backend.parallel) as threads:
        found = [output for batch in threads.map(run, batches) for output in batch]
    outputs = dict(zip(order, found, strict=True))
    return [outputs[row] for row in range(len(texts))]


def _shortened(backend: Backend, entry: CatalogEntry, output: Output) -> Output:
    """The output with as much of its text as the model takes; where that is not all, it counts as one without end."""
    if backend.count_tokens(output.text) <= entry.limits.translate_input_tokens:
        return output
    shorter = replace(output, text=output.text[: len(output.text) // 2], reached_cap=True)
    return _shortened(backend, entry, shorter)
