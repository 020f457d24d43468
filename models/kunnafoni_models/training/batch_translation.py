"""Many texts through a loaded backend, greedy, in batches of like length. It knows no server and no sentences."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import Backend, Output
    from kunnafoni_models.entries import Direction

_BATCH_ROWS = 32


def translated(backend: Backend, texts: Sequence[str], direction: Direction) -> list[Output]:
    """One output a text, in order, decoded as the server decodes this direction of the model at first.

    Raises:
        InputTooLongError: A text has more tokens than the model translates at once.
    """
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
