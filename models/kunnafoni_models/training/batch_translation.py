"""Many texts through a loaded backend, greedy, in batches of like length. It knows no server and no sentences."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kunnafoni_models.backend import Decoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kunnafoni_models.backend import Backend, Output

_BATCH_ROWS = 32


def translated(backend: Backend, texts: Sequence[str], *, source: str, target: str) -> list[Output]:
    """One output a text, in order.

    Raises:
        InputTooLongError: A text has more tokens than the model translates at once.
    """
    prompts = [backend.translation_prompt(text, source=source, target=target) for text in texts]
    order = sorted(range(len(texts)), key=lambda row: len(prompts[row].tokens))
    batches = [order[start : start + _BATCH_ROWS] for start in range(0, len(order), _BATCH_ROWS)]

    def run(rows: list[int]) -> list[Output]:
        return backend.generate([prompts[row] for row in rows], Decoding())

    with ThreadPoolExecutor(backend.parallel) as threads:
        found = [output for batch in threads.map(run, batches) for output in batch]
    outputs = dict(zip(order, found, strict=True))
    return [outputs[row] for row in range(len(texts))]
